create function public.get_all_members(p_limit int default null, p_offset int default 0, p_status text default null)
returns table (
  member_id uuid, member_no text, name text, phone text, email text, status text, is_linked boolean, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_rows int;
begin
  perform sec.require_admin();
  if p_status not in ('active', 'suspended', 'deleted') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'status'));
  end if;
  v_rows := sec.page_rows(p_limit, p_offset);
  return query
    -- The page is found in an index alone: what is skipped is not read.
    with page as (
      select m.id from app.member_profiles m
      where p_status is null or m.status = p_status
      order by m.id desc
      limit v_rows offset coalesce(p_offset, 0))
    select m.id, m.member_no, m.name, m.phone, m.email, m.status, m.auth_user_id is not null, m.created_at
    from page p
    join app.member_profiles m on m.id = p.id
    order by m.id desc;
end;
$$;
comment on function public.get_all_members(int, int, text) is
  'Admin: members, newest first; of one status: active, suspended, deleted. Pages of 1 to 200, default 50. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.get_all_members(int, int, text) from public, anon, authenticated, service_role;
grant execute on function public.get_all_members(int, int, text) to authenticated;
