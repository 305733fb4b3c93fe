-- Cash: the rights of who takes it are read again under the locks.

create or replace function app.lock_shop_for_cash(p_merchant app.merchants, p_user_id uuid, p_amount numeric)
returns timestamptz
language plpgsql
as $$
declare
  v_now timestamptz := app.lock_merchant_for_posting(p_merchant.id);
  -- Read again after the locks, which hold it: who was dismissed while they waited takes no cash, nor does a merchant suspended since.
  v_merchant app.merchants := sec.merchant_of_caller(p_merchant.code);
begin
  perform app.check_merchant_can_charge(v_merchant, null);
  if sec.merchant_role(v_merchant.id) = 'cashier' then
    perform app.count_cashier_cash(v_merchant, p_user_id, p_amount, v_now);
  end if;
  perform app.count_merchant_cash(v_merchant, p_amount, v_now);
  return v_now;
end;
$$;
comment on function app.lock_shop_for_cash(app.merchants, uuid, numeric) is
  'Lets a merchant''s user take cash, and counts a cashier''s and the merchant''s; answers the moment to post at.';

drop function app.lock_active_merchant_for_posting(uuid);

create function sec.cash_taker(p_merchant_code text)
returns app.merchants
language plpgsql stable
as $$
begin
  if p_merchant_code is not null then
    return sec.merchant_of_caller(p_merchant_code);
  end if;
  perform sec.require_admin();
  return null;
end;
$$;
comment on function sec.cash_taker(text) is
  'The merchant, if the caller works for it; NULL for an admin, when none is named.';

create or replace function public.user_recharge_card(
  p_card_id uuid, p_amount numeric, p_payment_method text default 'cash', p_tag jsonb default null, p_idempotency_key text default null,
  p_external_order_id text default null, p_merchant_code text default null)
returns table (
  tx_id uuid, tx_no text, card_id uuid, amount numeric, merchant_code text, external_order_id text, created_at timestamptz,
  replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_merchant app.merchants;
  v_scope text;
  v_card app.cards;
  v_tx app.transactions;
  v_known_tx_id uuid;
  v_order_scope text;
begin
  perform sec.check_idempotency_key(p_idempotency_key);
  perform sec.check_recharge_amount(p_amount);
  perform sec.check_order_and_tag(p_external_order_id, p_tag);
  if p_payment_method is distinct from 'cash' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'payment_method'));
  end if;
  v_merchant := sec.cash_taker(p_merchant_code);
  v_scope := coalesce('merchant:' || v_merchant.id, app.admin_scope(v_user_id));
  v_order_scope := coalesce('merchant:' || v_merchant.id, 'house');

  v_tx.id := app.uuid_v7();
  v_known_tx_id := app.claim_idempotency_key(
    v_scope, p_idempotency_key,
    rules.request_fingerprint('user_recharge_card', p_card_id::text, round(p_amount, 2)::text, p_payment_method, p_external_order_id,
      p_merchant_code),
    v_tx.id);
  if v_known_tx_id is not null then
    perform sec.cash_taker(p_merchant_code);
    return query select a.* from app.cash_recharge_answer(v_known_tx_id, app.is_replay(v_scope, p_idempotency_key)) a;
    return;
  end if;

  if v_merchant.id is not null and v_merchant.status is distinct from 'active' then
    perform rules.fail('MERCHANT_NOT_FOUND_OR_INACTIVE');
  end if;
  perform app.check_cash_order(v_order_scope, p_external_order_id);
  select c.* into v_card from app.cards c where c.id = p_card_id for no key update;
  if v_card.id is null then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  perform app.check_rechargeable(v_card, null);
  if v_merchant.id is null then
    perform sec.hold_admin();
    v_tx.created_at := clock_timestamp();
  else
    v_tx.created_at := app.lock_shop_for_cash(v_merchant, v_user_id, p_amount);
  end if;

  v_tx.card_id := v_card.id;
  v_tx.member_id := v_card.personal_member_id;
  v_tx.merchant_id := v_merchant.id;
  v_tx.raw_amount := p_amount;
  v_tx.external_order_id := p_external_order_id;
  v_tx.tag := p_tag;
  perform app.post_recharge(v_tx, case when v_merchant.id is null then 'cash_clearing' else 'merchant_payable' end);
  if p_external_order_id is not null then
    perform app.hold_cash_order(v_order_scope, p_external_order_id, v_tx.id);
  end if;
  perform audit.log(
    case when v_merchant.id is null then 'admin' else 'merchant' end, 'card.recharged', 'card', v_card.card_no, jsonb_build_object(
      'amount', p_amount::text, 'payment_method', p_payment_method, 'merchant_code', v_merchant.code,
      'external_order_id', p_external_order_id));
  return query select a.* from app.cash_recharge_answer(v_tx.id, false) a;
end;
$$;
comment on function public.user_recharge_card(uuid, numeric, text, jsonb, text, text, text) is
  'Cash that was taken for a card, 1.00 to 50000.00: with p_merchant_code by a merchant''s user, and the merchant then owes it '
  '(settlement deducts it), a cashier up to a cap a day; without it by an admin. A member can credit no card. The same key and '
  'request: the first answer, with the first one''s p_tag. Errors, in this order: NOT_AUTHENTICATED, IDEMPOTENCY_KEY_INVALID, '
  'INVALID_RECHARGE_AMOUNT, MALFORMED_ARGUMENT, PERMISSION_DENIED, NOT_MERCHANT_USER, IDEMPOTENCY_KEY_REUSED, '
  'MERCHANT_NOT_FOUND_OR_INACTIVE, EXTERNAL_ORDER_ALREADY_PAID, CARD_NOT_FOUND, CARD_EXPIRED, CARD_NOT_ACTIVE, MEMBER_NOT_ACTIVE, '
  'UNSUPPORTED_CARD_TYPE_FOR_RECHARGE, CASHIER_DAILY_LIMIT_EXCEEDED, MERCHANT_DAILY_LIMIT_EXCEEDED, BALANCE_OVER_LIMIT.';
revoke all on function public.user_recharge_card(uuid, numeric, text, jsonb, text, text, text)
  from public, anon, authenticated, service_role;
grant execute on function public.user_recharge_card(uuid, numeric, text, jsonb, text, text, text) to authenticated;
