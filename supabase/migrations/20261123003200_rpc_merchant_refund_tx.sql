create function sec.merchant_role(p_merchant_id uuid)
returns text
language plpgsql stable
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
begin
  return (select u.role from app.merchant_users u where u.merchant_id = p_merchant_id and u.user_id = v_user_id);
end;
$$;
comment on function sec.merchant_role(uuid) is 'The caller''s role at a merchant: owner, manager, cashier, or NULL.';

create function app.find_refundable_payment(p_merchant_id uuid, p_tx_no text)
returns app.transactions
language plpgsql stable
set search_path = ''
as $$
declare
  v_payment app.transactions;
begin
  select t.* into v_payment
  from app.transaction_numbers n
  join app.transactions t on t.id = n.tx_id
  where n.tx_no = p_tx_no and t.merchant_id = p_merchant_id;
  if v_payment.id is null then
    perform rules.fail('ORIGINAL_TX_NOT_FOUND');
  end if;
  if v_payment.tx_type <> 'payment' then
    perform rules.fail('ONLY_COMPLETED_PAYMENT_REFUNDABLE');
  end if;
  return v_payment;
end;
$$;
comment on function app.find_refundable_payment(uuid, text) is
  'A merchant''s own payment; an unknown number and another merchant''s get the same answer.';

create function app.reissue_voucher(p_voucher app.cards, p_now timestamptz)
returns app.cards
language plpgsql
set search_path = ''
as $$
declare
  v_card app.cards;
begin
  insert into app.cards (card_no, card_type, name, personal_member_id, expires_at)
  values (
    app.next_card_no('voucher'), 'voucher', p_voucher.name, p_voucher.personal_member_id,
    case when p_voucher.expires_at <= p_now then p_now + interval '30 days' else p_voucher.expires_at end)
  returning * into v_card;
  insert into app.card_bindings (card_id, member_id, role) values (v_card.id, v_card.personal_member_id, 'owner');
  return v_card;
end;
$$;
comment on function app.reissue_voucher(app.cards, timestamptz) is
  'A new, empty voucher for the owner of a spent one: the same expiry, or 30 days when that has passed.';

create function app.post_refund(p_tx app.transactions, p_card app.cards)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.post_transaction(p_tx);
  insert into app.ledger_entries (tx_id, entry_no, account, card_id, merchant_id, delta)
  values
    (p_tx.id, 1, 'card', p_card.id, null, p_tx.final_amount),
    (p_tx.id, 2, 'merchant_payable', null, p_tx.merchant_id, -p_tx.final_amount);
  update app.cards c set balance = c.balance + p_tx.final_amount where c.id = p_card.id;
  if p_tx.points_earned <> 0 then
    perform app.change_points(p_card.id, p_tx.points_earned, p_tx.id, 'refund', p_tx.created_at);
  end if;
end;
$$;
comment on function app.post_refund(app.transactions, app.cards) is
  'Books a refund: back onto the card, out of the merchant''s payable, and the points it takes.';

create function app.points_to_take(p_payment app.transactions, p_refunded_total numeric, p_card app.cards)
returns bigint
language plpgsql stable
set search_path = ''
as $$
declare
  v_taken bigint;
begin
  if app.setting('refund_points') = 'keep' then
    return 0;
  end if;
  select coalesce(-sum(r.points_earned), 0) into v_taken from app.transactions r where r.original_tx_id = p_payment.id;
  return least(
    p_card.points,
    rules.points_taken_back(p_payment.points_earned, p_refunded_total, p_payment.final_amount) - v_taken);
end;
$$;
comment on function app.points_to_take(app.transactions, numeric, app.cards) is
  'What this refund takes: the share due after it, less what earlier refunds took, at most what the card still has.';

create function app.refund_answer(p_refund_tx_id uuid, p_replayed boolean)
returns table (
  refund_tx_id uuid, refund_tx_no text, refunded_amount numeric, remaining numeric, points_taken bigint, replayed boolean)
language plpgsql stable
set search_path = ''
as $$
begin
  return query
    select
      t.id, t.tx_no, t.final_amount::numeric,
      p.final_amount - (
        select sum(r.final_amount) from app.transactions r
        where r.original_tx_id = p.id and (length(r.tx_no), r.tx_no) <= (length(t.tx_no), t.tx_no)),
      -t.points_earned, p_replayed
    from app.transactions t
    join app.transactions p on p.id = t.original_tx_id
    where t.id = p_refund_tx_id;
end;
$$;
comment on function app.refund_answer(uuid, boolean) is
  'What a refund answered, from rows that never change. Refunds of a payment follow each other by number, whatever a clock does.';

create function public.merchant_refund_tx(
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
    return query select a.* from app.refund_answer(v_known_tx_id, true) a;
    return;
  end if;

  v_payment := app.find_refundable_payment(v_merchant.id, p_original_tx_no);
  if sec.merchant_role(v_merchant.id) is not distinct from 'cashier'
     and p_refund_amount > app.setting('cashier_refund_max')::numeric
  then
    perform rules.fail('REFUND_NEEDS_MANAGER', jsonb_build_object('limit', app.setting('cashier_refund_max')));
  end if;
  select c.* into strict v_card from app.cards c where c.id = v_payment.card_id for no key update;
  v_tx.created_at := app.lock_merchant_for_posting(v_merchant.id);
  v_refunded := app.refunded_amount(v_payment.id);
  if v_refunded + p_refund_amount > v_payment.final_amount then
    perform rules.fail('REFUND_EXCEEDS_REMAINING', jsonb_build_object('remaining', (v_payment.final_amount - v_refunded)::text));
  end if;
  v_tx.points_earned := -app.points_to_take(v_payment, v_refunded + p_refund_amount, v_card);
  if v_card.card_type = 'voucher' then
    v_card := app.reissue_voucher(v_card, v_tx.created_at);
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
  'Refunds a payment, wholly or in parts, onto its card; a voucher''s refund is a new voucher. Allowed while merchant or member is suspended. '
  'Amounts in house currency, at most two decimals. Errors, in this order: NOT_AUTHENTICATED, IDEMPOTENCY_KEY_INVALID, '
  'INVALID_REFUND_AMOUNT, MALFORMED_ARGUMENT, NOT_MERCHANT_USER, IDEMPOTENCY_KEY_REUSED, ORIGINAL_TX_NOT_FOUND, '
  'ONLY_COMPLETED_PAYMENT_REFUNDABLE, REFUND_NEEDS_MANAGER, REFUND_EXCEEDS_REMAINING, CARD_NOT_ACTIVE.';
revoke all on function public.merchant_refund_tx(text, text, numeric, jsonb, text)
  from public, anon, authenticated, service_role;
grant execute on function public.merchant_refund_tx(text, text, numeric, jsonb, text) to authenticated;
