create function app.check_trend(p_start timestamptz, p_end timestamptz, p_group_by text)
returns void
language plpgsql immutable
set search_path = ''
as $$
begin
  if p_start is null or not isfinite(p_start) then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'start_date'));
  end if;
  if p_end is null or not isfinite(p_end) then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'end_date'));
  end if;
  if p_group_by is null or p_group_by not in ('day', 'week', 'month') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'group_by'));
  end if;
  if p_start >= p_end or p_end at time zone 'UTC' > p_start at time zone 'UTC' + ('400 ' || p_group_by)::interval then
    perform rules.fail('INVALID_PERIOD', jsonb_build_object('field', 'end_date'));
  end if;
end;
$$;
comment on function app.check_trend(timestamptz, timestamptz, text) is
  'Refuses what is no period, no unit, or more than 400 units.';

create function public.get_transaction_trends(
  p_start_date timestamptz, p_end_date timestamptz, p_merchant_id uuid default null, p_group_by text default 'day')
returns table (
  bucket_start date, payment_count bigint, gross_amount numeric, refund_count bigint, refund_amount numeric,
  net_amount numeric, recharge_count bigint, recharge_amount numeric, points_earned bigint, points_taken bigint)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_time_zone text;
begin
  perform app.check_trend(p_start_date, p_end_date, p_group_by);
  if p_merchant_id is not null then
    v_time_zone := (sec.visible_merchant(p_merchant_id)).time_zone;
  elsif sec.is_admin() then
    v_time_zone := app.setting('time_zone');
  else
    perform rules.fail('PERMISSION_DENIED');
  end if;
  return query
    select t.* from app.transaction_totals(p_merchant_id, p_start_date, p_end_date, p_group_by, v_time_zone) t;
end;
$$;
comment on function public.get_transaction_trends(timestamptz, timestamptz, uuid, text) is
  'Totals from p_start_date to before p_end_date by day, week (from Monday) or month: of a merchant, in its time zone, for its users in '
  'any role and admins; of all (NULL), in the time zone of the house, for admins. Every unit is a row, 0 where nothing was; the first '
  'and last count only what is in the period. At most 400 units. recharge_amount: of a merchant the cash it took, of all every recharge. '
  'Reads each transaction of the period. Errors, in this order: NOT_AUTHENTICATED, MALFORMED_ARGUMENT (start_date, end_date, group_by), '
  'INVALID_PERIOD, MERCHANT_NOT_FOUND, PERMISSION_DENIED.';
revoke all on function public.get_transaction_trends(timestamptz, timestamptz, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function public.get_transaction_trends(timestamptz, timestamptz, uuid, text) to authenticated;
