-- A voucher is refunded whole, by a new one that lives no longer however often that is repeated.

drop function app.reissue_voucher(app.cards, timestamptz);
create function app.reissue_voucher(p_voucher app.cards, p_paid_at timestamptz)
returns app.cards
language plpgsql
as $$
declare
  -- What made it was a refund: it has the first one's expiry already.
  v_is_reissued boolean := exists (select from app.transactions t where t.card_id = p_voucher.id and t.tx_type = 'refund');
  v_card app.cards;
begin
  insert into app.cards (card_no, card_type, name, personal_member_id, expires_at)
  values (
    app.next_card_no('voucher'), 'voucher', p_voucher.name, p_voucher.personal_member_id,
    case when v_is_reissued or p_voucher.expires_at is null then p_voucher.expires_at
      else greatest(p_voucher.expires_at, p_paid_at + interval '30 days') end)
  returning * into v_card;
  insert into app.card_bindings (card_id, member_id, role) values (v_card.id, v_card.personal_member_id, 'owner');
  return v_card;
end;
$$;
comment on function app.reissue_voucher(app.cards, timestamptz) is
  'A new, empty voucher for the owner of a spent one: the first one''s expiry, or 30 days from its payment if that is later, and no '
  'longer however often it is repeated.';

create or replace function public.merchant_refund_tx(
  p_merchant_code text, p_original_tx_no text, p_refund_amount numeric, p_tag jsonb default null,
  p_idempotency_key text default null)
returns table (
  refund_tx_id uuid, refund_tx_no text, refunded_amount numeric, remaining numeric, points_taken bigint, replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_merchant app.merchants;
  v_payment app.transactions;
  v_card app.cards;
  v_tx app.transactions;
  v_known_tx_id uuid;
  v_refunded numeric;
begin
  perform sec.check_idempotency_key(p_idempotency_key);
  if not rules.is_amount(p_refund_amount) then
    perform rules.fail('INVALID_REFUND_AMOUNT');
  end if;
  perform sec.check_order_and_tag(null, p_tag);
  v_merchant := sec.merchant_of_caller(p_merchant_code);

  v_tx.id := app.uuid_v7();
  v_known_tx_id := app.claim_idempotency_key(
    'merchant:' || v_merchant.id, p_idempotency_key,
    rules.request_fingerprint('merchant_refund_tx', p_merchant_code, p_original_tx_no, round(p_refund_amount, 2)::text),
    v_tx.id);
  if v_known_tx_id is not null then
    perform sec.merchant_of_caller(p_merchant_code);
    return query select a.* from app.refund_answer(v_known_tx_id, app.is_replay('merchant:' || v_merchant.id, p_idempotency_key)) a;
    return;
  end if;

  v_payment := app.find_refundable_payment(v_merchant.id, p_original_tx_no);
  select c.* into strict v_card from app.cards c where c.id = v_payment.card_id for no key update;
  v_tx.created_at := app.lock_merchant_for_posting(v_merchant.id);
  v_refunded := app.refunded_amount(v_payment.id);
  perform app.check_refunder(v_merchant.id, v_refunded + p_refund_amount);
  if v_refunded + p_refund_amount > v_payment.final_amount then
    perform rules.fail('REFUND_EXCEEDS_REMAINING', jsonb_build_object('remaining', (v_payment.final_amount - v_refunded)::text));
  end if;
  if v_card.card_type = 'voucher' and v_refunded + p_refund_amount <> v_payment.final_amount then
    perform rules.fail('REFUND_WHOLE_ONLY', jsonb_build_object('remaining', (v_payment.final_amount - v_refunded)::text));
  end if;
  v_tx.points_earned := -app.points_to_take(v_payment, v_refunded + p_refund_amount, v_card);
  if v_card.card_type = 'voucher' then
    v_card := app.reissue_voucher(v_card, v_payment.created_at);
  elsif v_card.status = 'closed' then
    perform rules.fail('CARD_NOT_ACTIVE');
  end if;

  v_tx.tx_no := app.next_tx_no('REF');
  v_tx.tx_type := 'refund';
  v_tx.card_id := v_card.id;
  v_tx.member_id := v_payment.member_id;
  v_tx.merchant_id := v_merchant.id;
  v_tx.original_tx_id := v_payment.id;
  v_tx.raw_amount := p_refund_amount;
  v_tx.discount := 1;
  v_tx.discount_source := 'none';
  v_tx.final_amount := p_refund_amount;
  v_tx.tag := p_tag;
  v_tx.actor_user_id := v_user_id;
  perform app.post_refund(v_tx, v_card);
  perform audit.log('merchant', 'payment.refunded', 'transaction', v_tx.tx_no, jsonb_build_object(
    'merchant_code', v_merchant.code, 'original_tx_no', v_payment.tx_no, 'refund_amount', v_tx.final_amount::text));
  return query select a.* from app.refund_answer(v_tx.id, false) a;
end;
$$;
comment on function public.merchant_refund_tx(text, text, numeric, jsonb, text) is
  'Refunds a payment, wholly or in parts, onto its card; a voucher is refunded whole, as a new voucher. Allowed while merchant or '
  'member is suspended. Amounts in house currency, at most two decimals. p_tag is no part of what makes two requests the same: a '
  'replay keeps the first one''s. Errors, in this order: NOT_AUTHENTICATED, IDEMPOTENCY_KEY_INVALID, INVALID_REFUND_AMOUNT, '
  'MALFORMED_ARGUMENT, NOT_MERCHANT_USER, IDEMPOTENCY_KEY_REUSED, ORIGINAL_TX_NOT_FOUND, ONLY_COMPLETED_PAYMENT_REFUNDABLE, '
  'REFUND_NEEDS_MANAGER, REFUND_EXCEEDS_REMAINING, REFUND_WHOLE_ONLY, CARD_NOT_ACTIVE, BALANCE_OVER_LIMIT, MEMBER_NOT_ACTIVE (the '
  'voucher of a deleted member).';
revoke all on function public.merchant_refund_tx(text, text, numeric, jsonb, text) from public, anon, authenticated, service_role;
grant execute on function public.merchant_refund_tx(text, text, numeric, jsonb, text) to authenticated;
