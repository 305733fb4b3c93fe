create function sec.check_audit_query(p_object_type text, p_object_id text, p_start_date timestamptz, p_end_date timestamptz)
returns void
language plpgsql stable
set search_path = ''
as $$
declare
  -- What a UUIDv7 can carry.
  v_first timestamptz := '1970-01-01 00:00:00+00';
  v_last timestamptz := '9999-12-31 00:00:00+00';
  v_field text := case
    when p_object_id is not null and p_object_type is null then 'object_type'
    when p_start_date not between v_first and v_last then 'start_date'
    when p_end_date not between v_first and v_last then 'end_date'
  end;
begin
  if p_start_date >= p_end_date then
    perform rules.fail('INVALID_PERIOD', jsonb_build_object('field', 'end_date'));
  end if;
  if v_field is not null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', v_field));
  end if;
end;
$$;
comment on function sec.check_audit_query(text, text, timestamptz, timestamptz) is
  'The start is before the end; an object is named with its type; dates are from 1970 to 9999.';

create function public.query_audit_log(
  p_object_type text default null, p_object_id text default null, p_actor_user_id uuid default null, p_action text default null,
  p_start_date timestamptz default null, p_end_date timestamptz default null, p_limit int default null, p_before_id uuid default null)
returns table (
  id uuid, created_at timestamptz, actor_user_id uuid, actor_role text, action text, object_type text, object_id text, params jsonb,
  request_id text)
language plpgsql stable security definer
set search_path = ''
-- Each call is planned for the filters it has: a plan for all of them at once could use no index.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_rows int;
  -- Partitions and index are bounded by the id, which has milliseconds; the exact moments are held below.
  v_first_id uuid;
  v_end_id uuid;
begin
  perform sec.require_admin();
  perform sec.check_audit_query(p_object_type, p_object_id, p_start_date, p_end_date);
  v_rows := sec.page_rows(p_limit, 0);
  v_first_id := app.uuid_v7_floor(p_start_date);
  v_end_id := least(app.uuid_v7_floor(p_end_date + interval '1 millisecond'), p_before_id);
  return query
    select e.id, e.created_at, e.actor_user_id, e.actor_role, e.action, e.object_type, e.object_id, e.params, e.request_id
    from audit.event_log e
    where (p_object_type is null or e.object_type = p_object_type)
      and (p_object_id is null or e.object_id = p_object_id)
      and (p_actor_user_id is null or e.actor_user_id = p_actor_user_id)
      and (p_action is null or e.action = p_action)
      and (v_first_id is null or e.id >= v_first_id)
      and (v_end_id is null or e.id < v_end_id)
      and (p_start_date is null or e.created_at >= p_start_date)
      and (p_end_date is null or e.created_at < p_end_date)
    order by e.id desc
    limit v_rows;
end;
$$;
comment on function public.query_audit_log(text, text, uuid, text, timestamptz, timestamptz, int, uuid) is
  'Admin: audit rows, newest first, that meet every filter given; an object id goes with its type. From p_start_date on and before '
  'p_end_date. The next page: p_before_id = the last row''s id. Pages of 1 to 200, default 50. Errors: NOT_AUTHENTICATED, '
  'PERMISSION_DENIED, INVALID_PERIOD, MALFORMED_ARGUMENT.';
revoke all on function public.query_audit_log(text, text, uuid, text, timestamptz, timestamptz, int, uuid)
  from public, anon, authenticated, service_role;
grant execute on function public.query_audit_log(text, text, uuid, text, timestamptz, timestamptz, int, uuid) to authenticated;
