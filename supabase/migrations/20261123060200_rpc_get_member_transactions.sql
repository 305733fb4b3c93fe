create function public.get_member_transactions(
  p_member_id uuid default null, p_limit int default null, p_offset int default 0, p_start_date timestamptz default null,
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
  v_member_id uuid;
begin
  v_rows := sec.tx_page_rows(p_limit, p_offset, p_start_date, p_end_date);
  v_member_id := sec.visible_member_id(p_member_id);
  return query
    select r.*
    from app.transaction_rows(
      app.member_tx_ids(
        v_member_id, p_start_date, p_end_date, null, coalesce(p_offset, 0),
        v_rows),
      v_user_id, v_is_admin, true) r;
end;
$$;
comment on function public.get_member_transactions(uuid, int, int, timestamptz, timestamptz) is
  'A member''s transactions, newest first by id: of every card he is bound to and his own; own (NULL), or any for an admin. '
  'p_limit 1 to 200, 50 by default; p_start_date to p_end_date is half-open, by created_at. Columns as get_transaction_detail, and '
  'balance_change: what it did to its card''s balance. Deep pages: get_member_transactions_page. Errors, in this order: '
  'NOT_AUTHENTICATED, MALFORMED_ARGUMENT (limit, offset), INVALID_PERIOD, MEMBER_NOT_FOUND.';
revoke all on function public.get_member_transactions(uuid, int, int, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function public.get_member_transactions(uuid, int, int, timestamptz, timestamptz) to authenticated;
