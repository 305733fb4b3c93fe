create function public.get_today_transaction_stats(p_merchant_id uuid)
returns table (
  day date, time_zone text, payment_count bigint, gross_amount numeric, refund_count bigint, refund_amount numeric,
  net_amount numeric, recharge_count bigint, recharge_amount numeric, points_earned bigint, points_taken bigint)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_merchant app.merchants := sec.visible_merchant(p_merchant_id);
  v_day date := (clock_timestamp() at time zone v_merchant.time_zone)::date;
begin
  return query
    select
      v_day, v_merchant.time_zone, t.payment_count, t.gross_amount, t.refund_count, t.refund_amount, t.net_amount,
      t.recharge_count, t.recharge_amount, t.points_earned, t.points_taken
    from app.transaction_totals(
      v_merchant.id, v_day::timestamp at time zone v_merchant.time_zone,
      (v_day + 1)::timestamp at time zone v_merchant.time_zone, 'day', v_merchant.time_zone) t
    where t.bucket_start = v_day;
end;
$$;
comment on function public.get_today_transaction_stats(uuid) is
  'A merchant''s day so far, in its time zone, for its users in any role and admins. One row; amounts in house currency. gross_amount: '
  'what cards paid; net_amount: less refunds; recharge_amount: cash taken for cards. points_taken: taken back by refunds. Reads the '
  'day''s transactions of the merchant. Errors, in this order: NOT_AUTHENTICATED, MERCHANT_NOT_FOUND.';
revoke all on function public.get_today_transaction_stats(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_today_transaction_stats(uuid) to authenticated;
