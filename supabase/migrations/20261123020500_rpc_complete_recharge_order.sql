create function app.review_reason_for(
  p_order app.recharge_orders, p_card app.cards, p_provider text, p_amount numeric, p_currency text)
returns text
language plpgsql immutable
set search_path = ''
as $$
begin
  return case
    when p_order.status not in ('pending', 'expired') then 'second_payment'
    when p_order.provider is distinct from p_provider then 'wrong_provider'
    when p_order.currency is distinct from p_currency then 'wrong_currency'
    when p_order.amount is distinct from p_amount then 'wrong_amount'
    when p_card.status = 'closed' then 'card_closed'
  end;
end;
$$;
comment on function app.review_reason_for(app.recharge_orders, app.cards, text, numeric, text) is
  'Why a verified payment waits for an admin; NULL when it is credited at once.';

create function app.credit_recharge(p_order app.recharge_orders, p_provider text, p_amount numeric, p_provider_tx_id text)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_tx app.transactions;
begin
  v_tx.id := app.uuid_v7();
  v_tx.created_at := clock_timestamp();
  v_tx.card_id := p_order.card_id;
  v_tx.member_id := p_order.member_id;
  v_tx.raw_amount := p_amount;
  v_tx.tag := jsonb_build_object('order_no', p_order.order_no, 'provider_tx_id', p_provider_tx_id);
  perform app.post_recharge(v_tx, p_provider || '_clearing');
  return v_tx.id;
end;
$$;
comment on function app.credit_recharge(app.recharge_orders, text, numeric, text) is
  'Credits what a provider was paid for an order, under the locks of card and order.';

create function app.follow_recharge_payments(p_order_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update app.recharge_orders o
  set status = case when p.is_credited then 'completed' when p.is_waiting then 'needs_review' else 'refunded_outside' end
  from (
    select bool_or(r.status = 'credited') as is_credited, bool_or(r.status = 'needs_review') as is_waiting
    from app.recharge_payments r where r.order_id = p_order_id) p
  where o.id = p_order_id;
end;
$$;
comment on function app.follow_recharge_payments(uuid) is
  'The status of an order that a payment was reported for: completed once one is credited, else needs_review while one waits, else '
  'refunded_outside. Under the order''s lock.';

create function app.record_recharge_payment(
  p_order app.recharge_orders, p_provider text, p_provider_tx_id text, p_amount numeric, p_currency text, p_paid_at timestamptz,
  p_review_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_tx_id uuid;
begin
  if p_review_reason is null then
    v_tx_id := app.credit_recharge(p_order, p_provider, p_amount, p_provider_tx_id);
  end if;
  insert into app.recharge_payments
    (provider, provider_tx_id, order_id, amount, currency, status, review_reason, is_late, tx_id, paid_at, recorded_at)
  values (
    p_provider, p_provider_tx_id, p_order.id, p_amount, p_currency,
    case when p_review_reason is null then 'credited' else 'needs_review' end, p_review_reason,
    p_paid_at >= p_order.expires_at, v_tx_id, p_paid_at, clock_timestamp())
  on conflict do nothing;
  -- Two orders at once, paid by one transaction: the other was first, and what was credited here is rolled back.
  if not found then
    perform rules.fail('RECHARGE_ORDER_STATUS_CONFLICT', jsonb_build_object('status', 'paid_another_order'));
  end if;
  perform app.follow_recharge_payments(p_order.id);
  perform audit.log(
    'service', case when p_review_reason is null then 'recharge.credited' else 'recharge.needs_review' end, 'recharge_order',
    p_order.order_no, jsonb_build_object(
      'provider', p_provider, 'provider_tx_id', p_provider_tx_id, 'amount', p_amount::text, 'currency', p_currency,
      'reason', p_review_reason));
end;
$$;
comment on function app.record_recharge_payment(app.recharge_orders, text, text, numeric, text, timestamptz, text) is
  'Records a payment that a provider reported for the first time, and credits it unless it waits for an admin.';

create function public.complete_recharge_order(
  p_order_no text, p_provider text, p_provider_tx_id text, p_amount numeric, p_currency text, p_paid_at timestamptz)
returns table (
  order_no text, order_status text, payment_status text, review_reason text, is_late boolean, card_id uuid, amount numeric, tx_no text,
  replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_order app.recharge_orders;
  v_card app.cards;
  v_known app.recharge_payments;
begin
  perform sec.require_service();
  perform sec.check_recharge_provider(p_provider);
  if not rules.is_amount(p_amount) then
    perform rules.fail('INVALID_RECHARGE_AMOUNT');
  end if;
  if p_provider_tx_id is null or char_length(p_provider_tx_id) not between 1 and 128 or p_provider_tx_id ~ '[[:cntrl:]]' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'provider_tx_id'));
  end if;
  if p_currency is null or p_currency !~ '^[A-Z]{3}$' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'currency'));
  end if;
  if p_paid_at is null or not isfinite(p_paid_at) then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'paid_at'));
  end if;
  select o.* into v_order from app.recharge_orders o where o.order_no = p_order_no;
  if v_order.id is null then
    perform rules.fail('RECHARGE_ORDER_NOT_FOUND');
  end if;
  select c.* into strict v_card from app.cards c where c.id = v_order.card_id for no key update;
  select o.* into strict v_order from app.recharge_orders o where o.id = v_order.id for update;
  select p.* into v_known from app.recharge_payments p where p.provider = p_provider and p.provider_tx_id = p_provider_tx_id;
  -- A provider repeats its notification until it is answered, and again months later: what is recorded is not judged again.
  if v_known.provider is null then
    perform app.record_recharge_payment(
      v_order, p_provider, p_provider_tx_id, p_amount, p_currency, p_paid_at,
      app.review_reason_for(v_order, v_card, p_provider, p_amount, p_currency));
  elsif v_known.order_id <> v_order.id then
    perform rules.fail('RECHARGE_ORDER_STATUS_CONFLICT', jsonb_build_object('status', 'paid_another_order'));
  end if;
  return query
    select o.order_no, o.status, p.status, p.review_reason, p.is_late, o.card_id, p.amount::numeric, t.tx_no, v_known.provider is not null
    from app.recharge_payments p
    join app.recharge_orders o on o.id = p.order_id
    left join app.transactions t on t.id = p.tx_id
    where p.provider = p_provider and p.provider_tx_id = p_provider_tx_id;
end;
$$;
comment on function public.complete_recharge_order(text, text, text, numeric, text, timestamptz) is
  'Service: a payment that the provider''s verified notification or query reported. Credits once per provider transaction and once per '
  'order; what does not fit (amount, currency, provider, a second payment, a closed card) is recorded and answered as needs_review, '
  'for an admin. A payment after the order expired is credited and flagged is_late. The same provider transaction again: its record, '
  'replayed = true. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, INVALID_RECHARGE_AMOUNT, MALFORMED_ARGUMENT, RECHARGE_ORDER_NOT_FOUND, '
  'RECHARGE_ORDER_STATUS_CONFLICT (the transaction paid another order).';
revoke all on function public.complete_recharge_order(text, text, text, numeric, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function public.complete_recharge_order(text, text, text, numeric, text, timestamptz) to service_role;
