create function public.find_payment(
  p_merchant_code text default null, p_idempotency_key text default null, p_external_order_id text default null)
returns table (
  tx_id uuid, tx_no text, tx_type text, merchant_code text, merchant_name text, card_id uuid, card_no text,
  raw_amount numeric, discount numeric, discount_source text, final_amount numeric, points_earned bigint,
  refunded_amount numeric, remaining_amount numeric, tag jsonb, external_order_id text, terminal_code text,
  created_at timestamptz, payer_no text, payer_name text)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_known app.idempotency_keys;
  v_tx_no text;
begin
  perform sec.check_idempotency_key(p_idempotency_key);
  if num_nonnulls(p_idempotency_key, p_external_order_id) <> 1 then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'idempotency_key'));
  end if;
  if p_external_order_id is not null then
    select n.tx_no into v_tx_no
    from app.merchant_orders o
    join app.transaction_numbers n on n.tx_id = o.tx_id
    where o.merchant_id = (sec.merchant_of_caller(p_merchant_code)).id and o.external_order_id = p_external_order_id;
  else
    -- limit: one look-up for each of the few scopes, however many keys there are.
    select k.* into v_known
    from sec.scopes_of_caller(p_merchant_code) s
    cross join lateral (
      select i.* from app.idempotency_keys i where i.scope = s and i.key = p_idempotency_key limit 1) k
    order by k.result_id nulls last
    limit 1;
    if v_known.key is not null and v_known.result_id is null then
      perform rules.fail('REQUEST_CANCELLED');
    end if;
    select n.tx_no into v_tx_no from app.transaction_numbers n where n.tx_id = v_known.result_id;
  end if;
  if v_tx_no is null then
    perform rules.fail('TX_NOT_FOUND');
  end if;
  return query select d.* from public.get_transaction_detail(v_tx_no) d;
end;
$$;
comment on function public.find_payment(text, text, text) is
  'The transaction that a keyed request made, or that holds a merchant''s order, as get_transaction_detail has it; one of the two is given. '
  'It does not wait: what is not found may still come, until it is cancelled (cancel_request). Merchant NULL: the caller''s own keys as '
  'admin or member. Errors, in this order: NOT_AUTHENTICATED, IDEMPOTENCY_KEY_INVALID, MALFORMED_ARGUMENT (none or both given), '
  'NOT_MERCHANT_USER, REQUEST_CANCELLED, TX_NOT_FOUND.';
revoke all on function public.find_payment(text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.find_payment(text, text, text) to authenticated;
