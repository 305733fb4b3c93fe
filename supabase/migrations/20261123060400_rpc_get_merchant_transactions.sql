create function public.get_merchant_transactions(
  p_merchant_id uuid, p_limit int default null, p_offset int default 0, p_start_date timestamptz default null,
  p_end_date timestamptz default null)
returns table (
  tx_id uuid, tx_no text, tx_type text, merchant_code text, merchant_name text, card_id uuid, card_no text,
  raw_amount numeric, discount numeric, discount_source text, final_amount numeric, points_earned bigint,
  refunded_amount numeric, remaining_amount numeric, tag jsonb, external_order_id text, terminal_code text,
  created_at timestamptz, balance_change numeric)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_is_admin boolean := sec.is_admin();
  v_rows int;
  v_merchant app.merchants;
begin
  v_rows := sec.tx_page_rows(p_limit, p_offset, p_start_date, p_end_date);
  v_merchant := sec.visible_merchant(p_merchant_id);
  return query
    select r.*
    from app.transaction_rows(
      app.merchant_tx_ids(
        v_merchant.id, p_start_date, p_end_date, null, coalesce(p_offset, 0),
        v_rows),
      v_user_id, v_is_admin, v_is_admin) r;
end;
$$;
comment on function public.get_merchant_transactions(uuid, int, int, timestamptz, timestamptz) is
  'A merchant''s transactions, newest first by id, for its users in any role and admins. p_limit 1 to 200, 50 by default; p_start_date '
  'to p_end_date is half-open, by created_at. Columns as get_transaction_detail; nothing says who paid, and balance_change is for admins. '
  'Deep pages: get_merchant_transactions_page. Errors, in this order: NOT_AUTHENTICATED, MALFORMED_ARGUMENT (limit, offset), '
  'INVALID_PERIOD, MERCHANT_NOT_FOUND.';
revoke all on function public.get_merchant_transactions(uuid, int, int, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function public.get_merchant_transactions(uuid, int, int, timestamptz, timestamptz) to authenticated;
