create or replace function public.merchant_charge_by_qr(
  p_merchant_code text, p_qr_plain text, p_raw_amount numeric, p_idempotency_key text default null,
  p_tag jsonb default null, p_external_order_id text default null, p_terminal_code text default null)
returns table (
  tx_id uuid, tx_no text, card_id uuid, final_amount numeric, discount numeric, points_earned bigint,
  discount_source text, raw_amount numeric, created_at timestamptz, replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_merchant app.merchants;
  v_code app.shown_code;
  v_card app.cards;
  v_terms app.payment_terms;
  v_tx app.transactions;
  v_known_tx_id uuid;
begin
  perform sec.check_idempotency_key(p_idempotency_key);
  perform sec.check_payment_arguments(p_raw_amount, p_qr_plain, p_terminal_code);
  perform sec.check_order_and_tag(p_external_order_id, p_tag);
  v_merchant := sec.merchant_of_caller(p_merchant_code);

  v_tx.id := app.uuid_v7();
  v_known_tx_id := app.claim_idempotency_key(
    'merchant:' || v_merchant.id, p_idempotency_key,
    rules.request_fingerprint('merchant_charge_by_qr', p_merchant_code, p_qr_plain,
      round(p_raw_amount, 2)::text, p_external_order_id, p_terminal_code),
    v_tx.id);
  if v_known_tx_id is not null then
    -- Again: who was dismissed while they waited for the first request hears nothing of it.
    perform sec.merchant_of_caller(p_merchant_code);
    return query
      select t.id, t.tx_no, t.card_id, t.final_amount, t.discount, t.points_earned, t.discount_source, t.raw_amount,
             t.created_at, app.is_replay('merchant:' || v_merchant.id, p_idempotency_key)
      from app.transactions t where t.id = v_known_tx_id;
    return;
  end if;

  perform app.check_merchant_can_charge(v_merchant, p_terminal_code);
  perform app.check_merchant_order(v_merchant.id, p_external_order_id);
  v_code := app.find_code(p_qr_plain, p_terminal_code);
  select c.* into strict v_card from app.cards c where c.id = v_code.card_id for no key update;
  v_tx.created_at := app.lock_merchant_for_posting(v_merchant.id);
  -- Again under the locks, which hold it from now on: the cashier may have been dismissed meanwhile, the merchant suspended, the terminal retired.
  v_merchant := sec.merchant_of_caller(p_merchant_code);
  perform app.check_merchant_can_charge(v_merchant, p_terminal_code);
  perform app.consume_code(v_code, v_tx.id, v_tx.created_at);
  v_terms := app.agree_payment(v_card, v_code, v_merchant, p_raw_amount, v_tx.created_at);

  v_tx.tx_no := app.next_tx_no('PAY');
  v_tx.tx_type := 'payment';
  v_tx.card_id := v_card.id;
  v_tx.member_id := v_code.member_id;
  v_tx.merchant_id := v_merchant.id;
  v_tx.terminal_code := p_terminal_code;
  v_tx.payment_code_id := v_code.payment_code_id;
  v_tx.device_handle := v_code.device_handle;
  v_tx.device_step := v_code.device_step;
  v_tx.raw_amount := p_raw_amount;
  v_tx.discount := v_terms.discount;
  v_tx.discount_source := v_terms.discount_source;
  v_tx.discount_card_id := v_terms.discount_card_id;
  v_tx.final_amount := v_terms.final_amount;
  v_tx.points_earned := v_terms.points_earned;
  v_tx.external_order_id := p_external_order_id;
  v_tx.tag := p_tag;
  v_tx.actor_user_id := v_user_id;
  perform app.post_payment(v_tx, v_card, v_merchant);
  if v_code.device_handle is not null then
    perform app.count_offline_payment(v_code.device_handle, v_tx.raw_amount, v_tx.created_at);
  end if;
  if p_external_order_id is not null then
    perform app.hold_merchant_order(v_merchant.id, p_external_order_id, v_tx.id);
  end if;
  perform audit.log('merchant', 'payment.charged', 'transaction', v_tx.tx_no, jsonb_build_object(
    'merchant_code', v_merchant.code, 'raw_amount', v_tx.raw_amount::text, 'final_amount', v_tx.final_amount::text,
    'external_order_id', p_external_order_id, 'terminal_code', p_terminal_code));
  return query select
    v_tx.id, v_tx.tx_no, v_tx.card_id, v_tx.final_amount, v_tx.discount, v_tx.points_earned, v_tx.discount_source,
    v_tx.raw_amount, v_tx.created_at, false;
end;
$$;
comment on function public.merchant_charge_by_qr(text, text, numeric, text, jsonb, text, text) is
  'Charges the card behind a payment code, online or offline, once. Amounts in house currency, at most two decimals. The same key and '
  'request answers the first payment with replayed = true, for ever; a refusal is forgotten. p_tag is no part of what makes two '
  'requests the same: a replay keeps the first one''s. Errors, in this order: NOT_AUTHENTICATED, IDEMPOTENCY_KEY_INVALID, '
  'INVALID_PRICE, INVALID_QR, TERMINAL_CODE_REQUIRED, MALFORMED_ARGUMENT, NOT_MERCHANT_USER, IDEMPOTENCY_KEY_REUSED, '
  'MERCHANT_NOT_FOUND_OR_INACTIVE, TERMINAL_NOT_FOUND, EXTERNAL_ORDER_ALREADY_PAID, QR_EXPIRED_OR_INVALID, CARD_EXPIRED, '
  'CARD_NOT_ACTIVE, MEMBER_NOT_ACTIVE, UNSUPPORTED_CARD_TYPE_FOR_PAYMENT, AMOUNT_OVER_CODE_LIMIT, AMOUNT_OVER_LIMIT, '
  'CARD_DAILY_LIMIT_EXCEEDED, MERCHANT_DAILY_LIMIT_EXCEEDED, OFFLINE_LIMIT_EXCEEDED, INSUFFICIENT_BALANCE.';
revoke all on function public.merchant_charge_by_qr(text, text, numeric, text, jsonb, text, text)
  from public, anon, authenticated, service_role;
grant execute on function public.merchant_charge_by_qr(text, text, numeric, text, jsonb, text, text) to authenticated;
