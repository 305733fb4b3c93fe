-- Writing a transaction: the only code that inserts into the ledgers.

create function app.next_tx_no(p_prefix text)
returns text
language sql volatile
as $$ select p_prefix || rules.padded(nextval('app.transaction_no_seq'), 10) $$;
comment on function app.next_tx_no(text) is 'A fresh transaction number: prefix and ten digits.';

create function app.post_transaction(p_tx app.transactions)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into app.transactions select p_tx.*;
  insert into app.transaction_numbers (tx_no, tx_id) values (p_tx.tx_no, p_tx.id);
end;
$$;
comment on function app.post_transaction(app.transactions) is 'Writes a transaction and its number.';

create function app.record_points(
  p_card_id uuid, p_delta bigint, p_level_before int, p_level_after int, p_tx_id uuid, p_reason text, p_now timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_delta <> 0 then
    insert into app.point_ledger (id, card_id, tx_id, delta, level_before, level_after, reason, created_at)
    values (app.uuid_v7(p_now), p_card_id, p_tx_id, p_delta, p_level_before, p_level_after, p_reason, p_now);
  end if;
end;
$$;
comment on function app.record_points(uuid, bigint, int, int, uuid, text, timestamptz) is 'The record of a change of points; none for 0.';

create function app.change_points(p_card_id uuid, p_delta bigint, p_tx_id uuid, p_reason text, p_now timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_before int;
  v_after int;
begin
  select c.level, (app.level_of(c.points + p_delta)).level into strict v_before, v_after
  from app.cards c where c.id = p_card_id for no key update;
  update app.cards c set points = c.points + p_delta, level = v_after where c.id = p_card_id;
  perform app.record_points(p_card_id, p_delta, v_before, v_after, p_tx_id, p_reason, p_now);
end;
$$;
comment on function app.change_points(uuid, bigint, uuid, text, timestamptz) is
  'Points and the level that follows from them, with their record, under the card''s lock.';

create function app.post_payment(p_tx app.transactions, p_card app.cards, p_merchant app.merchants)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_pays_once boolean := (select r.pays = 'once' from app.card_type_rules r where r.card_type = p_card.card_type);
  v_taken numeric := case when v_pays_once then p_card.balance else p_tx.final_amount end;
  v_day date := app.card_day(p_tx.created_at);
  v_level int := (app.level_of(p_card.points + p_tx.points_earned)).level;
begin
  perform app.post_transaction(p_tx);
  insert into app.ledger_entries (tx_id, entry_no, account, card_id, merchant_id, delta)
  select p_tx.id, e.entry_no, e.account, e.card_id, e.merchant_id, e.delta
  from (values
    (1::smallint, 'card', p_card.id, null::uuid, -v_taken),
    (2::smallint, 'merchant_payable', null::uuid, p_merchant.id, p_tx.final_amount),
    (3::smallint, 'forfeited_vouchers', null::uuid, null::uuid, v_taken - p_tx.final_amount)
  ) as e (entry_no, account, card_id, merchant_id, delta)
  where e.delta <> 0;
  update app.cards c
  set balance = c.balance - v_taken,
      points = c.points + p_tx.points_earned,
      level = v_level,
      status = case when v_pays_once then 'closed' else c.status end,
      paid_on = greatest(c.paid_on, v_day),
      paid_on_total = case when c.paid_on >= v_day then c.paid_on_total else 0 end + p_tx.raw_amount
  where c.id = p_card.id;
  perform app.record_points(p_card.id, p_tx.points_earned, p_card.level, v_level, p_tx.id, 'payment', p_tx.created_at);
  if p_merchant.day_max is not null then
    insert into app.merchant_day_totals as d (merchant_id, day, shard, raw_total)
    values (p_merchant.id, (p_tx.created_at at time zone p_merchant.time_zone)::date,
            (hashtextextended(p_card.id::text, 0) & 15)::smallint, p_tx.raw_amount)
    on conflict (merchant_id, day, shard) do update set raw_total = d.raw_total + excluded.raw_total;
  end if;
end;
$$;
comment on function app.post_payment(app.transactions, app.cards, app.merchants) is
  'Books a payment: card, merchant payable and, for a voucher, what is forfeited; then points and the day''s totals.';

create function app.post_adjustment(p_card_id uuid, p_delta numeric, p_reason text, p_tx_id uuid default app.uuid_v7())
returns app.transactions
language plpgsql
set search_path = ''
as $$
declare
  v_tx app.transactions;
begin
  perform from app.cards c where c.id = p_card_id for no key update;
  v_tx.created_at := clock_timestamp();
  v_tx.id := p_tx_id;
  v_tx.tx_no := app.next_tx_no('ADJ');
  v_tx.tx_type := 'adjustment';
  v_tx.card_id := p_card_id;
  v_tx.raw_amount := abs(p_delta);
  v_tx.discount := 1;
  v_tx.discount_source := 'none';
  v_tx.final_amount := abs(p_delta);
  v_tx.points_earned := 0;
  v_tx.tag := jsonb_build_object('reason', p_reason);
  v_tx.actor_user_id := (sec.caller()).user_id;
  perform app.post_transaction(v_tx);
  insert into app.ledger_entries (tx_id, entry_no, account, card_id, delta)
  values (v_tx.id, 1, 'card', p_card_id, p_delta), (v_tx.id, 2, 'adjustments', null, -p_delta);
  update app.cards c set balance = c.balance + p_delta where c.id = p_card_id;
  return v_tx;
end;
$$;
comment on function app.post_adjustment(uuid, numeric, text, uuid) is
  'Credits or debits a card against the adjustments account, as an initial balance does.';

create function app.refunded_amount(p_tx_id uuid)
returns numeric
language plpgsql stable
set search_path = ''
as $$
begin
  return (select coalesce(sum(r.final_amount), 0)::numeric(14, 2) from app.transactions r
    where r.original_tx_id = p_tx_id);
end;
$$;
comment on function app.refunded_amount(uuid) is 'What was refunded of a payment, from its refunds.';

create function app.check_merchant_order(p_merchant_id uuid, p_external_order_id text)
returns void
language plpgsql stable
set search_path = ''
as $$
declare
  v_tx_no text;
begin
  select t.tx_no into v_tx_no
  from app.merchant_orders o
  join app.transactions t on t.id = o.tx_id
  where o.merchant_id = p_merchant_id and o.external_order_id = p_external_order_id
    and (t.final_amount = 0 or app.refunded_amount(t.id) < t.final_amount);
  if v_tx_no is not null then
    perform rules.fail('EXTERNAL_ORDER_ALREADY_PAID', jsonb_build_object('tx_no', v_tx_no));
  end if;
end;
$$;
comment on function app.check_merchant_order(uuid, text) is 'Refuses an order whose payment is not fully refunded.';

create function app.hold_merchant_order(p_merchant_id uuid, p_external_order_id text, p_tx_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  -- The row lock of the upsert orders two charges of one order; the loser then sees the winner's payment.
  insert into app.merchant_orders (merchant_id, external_order_id, tx_id)
  values (p_merchant_id, p_external_order_id, p_tx_id)
  on conflict do nothing;
  if not found then
    perform from app.merchant_orders o
    where o.merchant_id = p_merchant_id and o.external_order_id = p_external_order_id for update;
    perform app.check_merchant_order(p_merchant_id, p_external_order_id);
    update app.merchant_orders o set tx_id = p_tx_id
    where o.merchant_id = p_merchant_id and o.external_order_id = p_external_order_id;
  end if;
end;
$$;
comment on function app.hold_merchant_order(uuid, text, uuid) is 'Makes a payment the holder of its order, once.';
