create function app.reversal_answer(p_tx_id uuid, p_replayed boolean)
returns table (
  tx_id uuid, tx_no text, original_tx_no text, card_id uuid, amount numeric, merchant_code text, created_at timestamptz, replayed boolean)
language plpgsql stable
as $$
begin
  return query
    select t.id, t.tx_no, o.tx_no, t.card_id, t.final_amount::numeric, m.code, t.created_at, p_replayed
    from app.transactions t
    join app.transactions o on o.id = t.original_tx_id
    join app.merchants m on m.id = t.merchant_id
    where t.id = p_tx_id;
end;
$$;
comment on function app.reversal_answer(uuid, boolean) is 'What a reversal answered, from rows that never change. Never the balance.';

create function public.reverse_cash_recharge(
  p_merchant_code text, p_original_tx_no text, p_reason text, p_idempotency_key text default null)
returns table (
  tx_id uuid, tx_no text, original_tx_no text, card_id uuid, amount numeric, merchant_code text, created_at timestamptz, replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_merchant app.merchants;
  v_recharge app.transactions;
  v_card app.cards;
  v_tx app.transactions;
  v_known_tx_id uuid;
  v_reason text;
begin
  perform sec.check_idempotency_key(p_idempotency_key);
  v_reason := sec.bounded_text(p_reason, 200, 'reason');
  if v_reason is null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'reason'));
  end if;
  v_merchant := sec.merchant_of_caller(p_merchant_code);

  v_tx.id := app.uuid_v7();
  v_known_tx_id := app.claim_idempotency_key(
    'merchant:' || v_merchant.id, p_idempotency_key,
    rules.request_fingerprint('reverse_cash_recharge', p_merchant_code, p_original_tx_no, v_reason), v_tx.id);
  if v_known_tx_id is not null then
    perform sec.merchant_of_caller(p_merchant_code);
    return query select a.* from app.reversal_answer(v_known_tx_id, app.is_replay('merchant:' || v_merchant.id, p_idempotency_key)) a;
    return;
  end if;

  v_recharge := app.find_cash_recharge(v_merchant.id, p_original_tx_no);
  select c.* into strict v_card from app.cards c where c.id = v_recharge.card_id for no key update;
  v_tx.created_at := app.lock_merchant_for_reversal(v_merchant.id);
  perform app.check_reverser(v_recharge, v_user_id, v_tx.created_at);
  perform app.check_reversible(v_recharge, v_card);

  v_tx.tx_no := app.next_tx_no('REV');
  v_tx.tx_type := 'reversal';
  v_tx.card_id := v_card.id;
  v_tx.member_id := v_recharge.member_id;
  v_tx.merchant_id := v_merchant.id;
  v_tx.original_tx_id := v_recharge.id;
  v_tx.raw_amount := v_recharge.final_amount;
  v_tx.discount := 1;
  v_tx.discount_source := 'none';
  v_tx.final_amount := v_recharge.final_amount;
  v_tx.points_earned := 0;
  v_tx.tag := jsonb_build_object('reason', v_reason);
  v_tx.actor_user_id := v_user_id;
  perform app.post_reversal(v_tx, v_recharge);
  perform audit.log('merchant', 'card.recharge_reversed', 'transaction', v_tx.tx_no, jsonb_build_object(
    'merchant_code', v_merchant.code, 'original_tx_no', v_recharge.tx_no, 'amount', v_tx.final_amount::text));
  return query select a.* from app.reversal_answer(v_tx.id, false) a;
end;
$$;
comment on function public.reverse_cash_recharge(text, text, text, text) is
  'Takes cash that was recharged wrongly off the card again, the whole amount, once: the cashier who took it within 30 minutes, a manager or '
  'owner of the merchant until it is settled; the card must still hold it. p_reason: 1 to 200 characters. The order that the recharge names '
  'stays taken. The same key and request: the first answer. Errors, in this order: NOT_AUTHENTICATED, IDEMPOTENCY_KEY_INVALID, '
  'MALFORMED_ARGUMENT, NOT_MERCHANT_USER, IDEMPOTENCY_KEY_REUSED, ORIGINAL_TX_NOT_FOUND, ONLY_CASH_RECHARGE_REVERSIBLE, '
  'REVERSAL_NEEDS_MANAGER, RECHARGE_ALREADY_REVERSED, RECHARGE_ALREADY_SETTLED, INSUFFICIENT_BALANCE.';
revoke all on function public.reverse_cash_recharge(text, text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.reverse_cash_recharge(text, text, text, text) to authenticated;
