create function app.check_cash_order(p_scope text, p_external_order_id text)
returns void
language plpgsql stable
set search_path = ''
as $$
declare
  v_tx_no text;
begin
  select t.tx_no into v_tx_no
  from app.cash_orders o join app.transactions t on t.id = o.tx_id
  where o.scope = p_scope and o.external_order_id = p_external_order_id;
  if v_tx_no is not null then
    perform rules.fail('EXTERNAL_ORDER_ALREADY_PAID', jsonb_build_object('tx_no', v_tx_no));
  end if;
end;
$$;
comment on function app.check_cash_order(text, text) is 'Refuses an order that a cash recharge holds.';

create function app.hold_cash_order(p_scope text, p_external_order_id text, p_tx_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  -- Waits for another transaction that holds the same order; the loser sees it.
  insert into app.cash_orders (scope, external_order_id, tx_id) values (p_scope, p_external_order_id, p_tx_id) on conflict do nothing;
  if not found then
    perform app.check_cash_order(p_scope, p_external_order_id);
  end if;
end;
$$;
comment on function app.hold_cash_order(text, text, uuid) is 'Makes a cash recharge the only one of its order.';

create function app.count_cashier_cash(p_merchant app.merchants, p_user_id uuid, p_amount numeric, p_now timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_max text := app.setting('cash_recharge_cashier_day_max');
  v_total numeric;
begin
  -- The row's lock makes the cashier's day exact; a refusal rolls the count back.
  insert into app.cashier_cash_days as d (merchant_id, user_id, day, total)
  values (p_merchant.id, p_user_id, (p_now at time zone p_merchant.time_zone)::date, p_amount)
  on conflict (merchant_id, user_id, day) do update set total = d.total + excluded.total
  returning d.total into v_total;
  if v_total > v_max::numeric then
    perform rules.fail('CASHIER_DAILY_LIMIT_EXCEEDED', jsonb_build_object('limit', v_max));
  end if;
end;
$$;
comment on function app.count_cashier_cash(app.merchants, uuid, numeric, timestamptz) is
  'Adds to a cashier''s cash of the day in the merchant''s time zone, up to its cap.';

create function app.count_merchant_cash(p_merchant app.merchants, p_amount numeric, p_now timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_max text := app.setting('cash_recharge_merchant_day_max');
  v_total numeric;
begin
  -- What a shop takes it owes until it is settled: its day bounds what a dishonest one can put onto cards.
  -- The row's lock makes the day exact; a refusal rolls the count back.
  insert into app.merchant_cash_days as d (merchant_id, day, total)
  values (p_merchant.id, (p_now at time zone p_merchant.time_zone)::date, p_amount)
  on conflict (merchant_id, day) do update set total = d.total + excluded.total
  returning d.total into v_total;
  if v_total > v_max::numeric then
    perform rules.fail('MERCHANT_DAILY_LIMIT_EXCEEDED', jsonb_build_object('limit', v_max));
  end if;
end;
$$;
comment on function app.count_merchant_cash(app.merchants, numeric, timestamptz) is
  'Adds to a merchant''s cash of the day in its time zone, up to the cap of the house.';

create function app.lock_shop_for_cash(p_merchant app.merchants, p_user_id uuid, p_amount numeric)
returns timestamptz
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := app.lock_active_merchant_for_posting(p_merchant.id);
  v_role text := sec.merchant_role(p_merchant.id);
begin
  -- Read again after the locks: who was dismissed while he waited takes no cash.
  if v_role is null then
    perform rules.fail('NOT_MERCHANT_USER');
  end if;
  if v_role = 'cashier' then
    perform app.count_cashier_cash(p_merchant, p_user_id, p_amount, v_now);
  end if;
  perform app.count_merchant_cash(p_merchant, p_amount, v_now);
  return v_now;
end;
$$;
comment on function app.lock_shop_for_cash(app.merchants, uuid, numeric) is
  'Lets a merchant''s user take cash, and counts a cashier''s and the merchant''s; answers the moment to post at.';

create function app.cash_recharge_answer(p_tx_id uuid, p_replayed boolean)
returns table (
  tx_id uuid, tx_no text, card_id uuid, amount numeric, merchant_code text, external_order_id text, created_at timestamptz,
  replayed boolean)
language plpgsql stable
set search_path = ''
as $$
begin
  return query
    select t.id, t.tx_no, t.card_id, t.final_amount::numeric, m.code, t.external_order_id, t.created_at, p_replayed
    from app.transactions t
    left join app.merchants m on m.id = t.merchant_id
    where t.id = p_tx_id;
end;
$$;
comment on function app.cash_recharge_answer(uuid, boolean) is
  'What a cash recharge answered, from rows that never change. Never the balance.';

create function public.user_recharge_card(
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
  v_order_scope text := 'house';
begin
  perform sec.check_idempotency_key(p_idempotency_key);
  perform sec.check_recharge_amount(p_amount);
  perform sec.check_order_and_tag(p_external_order_id, p_tag);
  if p_payment_method is distinct from 'cash' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'payment_method'));
  end if;
  if p_merchant_code is null then
    v_scope := app.admin_scope(sec.require_admin());
  else
    v_merchant := sec.merchant_of_caller(p_merchant_code);
    v_scope := 'merchant:' || v_merchant.id;
    v_order_scope := v_scope;
  end if;

  v_tx.id := app.uuid_v7();
  v_known_tx_id := app.claim_idempotency_key(
    v_scope, p_idempotency_key,
    rules.request_fingerprint('user_recharge_card', p_card_id::text, round(p_amount, 2)::text, p_payment_method, p_external_order_id,
      p_merchant_code),
    v_tx.id);
  if v_known_tx_id is not null then
    return query select a.* from app.cash_recharge_answer(v_known_tx_id, true) a;
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
  v_tx.created_at := case when v_merchant.id is null then clock_timestamp()
    else app.lock_shop_for_cash(v_merchant, v_user_id, p_amount) end;

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
  'Cash that was taken for a card, 1.00 to 50000.00: with p_merchant_code by a merchant''s user, and the merchant then owes it (settlement '
  'deducts it), a cashier up to a cap a day; without it by an admin. A member can credit no card. The same key and request: the first '
  'answer. Errors, in this order: NOT_AUTHENTICATED, IDEMPOTENCY_KEY_INVALID, INVALID_RECHARGE_AMOUNT, MALFORMED_ARGUMENT, '
  'PERMISSION_DENIED, NOT_MERCHANT_USER, IDEMPOTENCY_KEY_REUSED, MERCHANT_NOT_FOUND_OR_INACTIVE, EXTERNAL_ORDER_ALREADY_PAID, '
  'CARD_NOT_FOUND, CARD_EXPIRED, CARD_NOT_ACTIVE, MEMBER_NOT_ACTIVE, UNSUPPORTED_CARD_TYPE_FOR_RECHARGE, '
  'CASHIER_DAILY_LIMIT_EXCEEDED, MERCHANT_DAILY_LIMIT_EXCEEDED.';
revoke all on function public.user_recharge_card(uuid, numeric, text, jsonb, text, text, text)
  from public, anon, authenticated, service_role;
grant execute on function public.user_recharge_card(uuid, numeric, text, jsonb, text, text, text) to authenticated;
