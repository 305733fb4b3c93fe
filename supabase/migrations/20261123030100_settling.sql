-- Making a settlement: what generate_settlement and the cron share.

create function rules.settlement_fee(p_turnover numeric, p_fee_bps int)
returns numeric
language sql immutable parallel safe
as $$ select greatest(round(p_turnover * p_fee_bps / 10000, 2), 0.00) $$;
comment on function rules.settlement_fee(numeric, int) is
  'Our fee on payments less refunds, two decimals, halves away from zero; never negative.';

create function app.lock_merchant_against_posting(p_merchant_id uuid)
returns timestamptz
language plpgsql
set search_path = ''
as $$
begin
  -- The key of app.lock_merchant_for_posting: waits for every posting in flight, and later ones wait for us.
  perform pg_advisory_xact_lock(hashtextextended('mps/merchant/' || p_merchant_id::text, 0));
  return clock_timestamp();
end;
$$;
comment on function app.lock_merchant_against_posting(uuid) is
  'Exclusive lock of a merchant''s postings until the transaction ends; answers the moment after it.';

create function app.unsettled_from(p_merchant_id uuid)
returns uuid
language sql stable
as $$
  select coalesce(
    (select app.uuid_v7_floor(max(s.period_end) - interval '2 hours') from app.settlements s where s.merchant_id = p_merchant_id),
    '00000000-0000-0000-0000-000000000000')
$$;
comment on function app.unsettled_from(uuid) is
  'No transaction of the merchant with a smaller id is unsettled, nor will be. A settlement up to E was made under the exclusive lock at '
  'or after E. What had been posted before E was committed by then, and taken. What is posted later has a created_at of E or later, since '
  'it is read after the shared lock, and an id drawn in the hour before it (a constraint). The second hour is for a clock set back.';

create function app.unsettled_transactions(p_merchant_id uuid, p_before timestamptz)
returns setof app.transactions
language sql stable
as $$
  -- The scalar sub-select stays one probe of the primary key for each candidate; NOT EXISTS may turn into a scan of all items.
  select t.*
  from app.transactions t
  where t.merchant_id = p_merchant_id
    and t.id >= app.unsettled_from(p_merchant_id)
    and t.id < app.uuid_v7_floor(p_before + interval '1 hour')
    and t.created_at < p_before
    and t.tx_type in ('payment', 'refund', 'recharge')
    and (select i.settlement_id from app.settlement_items i where i.tx_id = t.id) is null
$$;
comment on function app.unsettled_transactions(uuid, timestamptz) is
  'Payments, refunds and cash recharges posted before a moment and in no settlement, late ones of earlier periods included. Reads what was '
  'posted since two hours before the end of the last settlement, not the history. Ids are drawn before created_at; the hour above is for a '
  'clock set back in between, and what is beyond even that falls to the next settlement. Call it under the exclusive lock, read committed.';

create function app.uncarried_debt(p_merchant_id uuid)
returns app.settlements
language plpgsql stable
set search_path = ''
as $$
declare
  v_debt app.settlements;
begin
  -- At most one: each settlement carries the one there is.
  select s.* into v_debt
  from app.settlements s
  where s.merchant_id = p_merchant_id and s.net < 0
    and not exists (select from app.settlements n where n.carried_from = s.id);
  return v_debt;
end;
$$;
comment on function app.uncarried_debt(uuid) is 'The merchant''s settlement with a negative net that no later one carried, or NULL.';

create function app.write_settlement(
  p_merchant app.merchants, p_mode text, p_period_start timestamptz, p_period_end timestamptz, p_now timestamptz)
returns app.settlements
language plpgsql
set search_path = ''
as $$
declare
  v_debt app.settlements := app.uncarried_debt(p_merchant.id);
  v_settlement app.settlements;
begin
  -- One statement, so that what is summed is what is stamped. The number is drawn for a settlement that is made only.
  with taken as materialized (
    select t.id, t.tx_type, t.final_amount from app.unsettled_transactions(p_merchant.id, p_period_end) t
  ), summed as (
    select
      coalesce(sum(t.final_amount) filter (where t.tx_type = 'payment'), 0) as gross,
      coalesce(sum(t.final_amount) filter (where t.tx_type = 'refund'), 0) as refunds,
      coalesce(sum(t.final_amount) filter (where t.tx_type = 'recharge'), 0) as cash,
      count(*) filter (where t.tx_type = 'payment') as payment_count,
      count(*) filter (where t.tx_type = 'refund') as refund_count,
      count(*) filter (where t.tx_type = 'recharge') as cash_count
    from taken t
    having count(*) > 0
  ), made as (
    insert into app.settlements (
      id, settlement_no, merchant_id, mode, period_start, period_end, gross, refunds, cash, payment_count, refund_count, cash_count,
      fee_bps, fee, carried_from, carried_in, net, created_at, updated_at)
    select
      app.uuid_v7(p_now), 'STL' || rules.padded(nextval('app.settlement_no_seq'), 10), p_merchant.id, p_mode, p_period_start, p_period_end,
      s.gross, s.refunds, s.cash, s.payment_count, s.refund_count, s.cash_count, p_merchant.fee_bps, f.fee, v_debt.id,
      coalesce(v_debt.net, 0), s.gross - s.refunds - s.cash - f.fee + coalesce(v_debt.net, 0), p_now, p_now
    from summed s
    cross join lateral (select rules.settlement_fee(s.gross - s.refunds, p_merchant.fee_bps) as fee) f
    returning *
  ), stamped as (
    insert into app.settlement_items (tx_id, settlement_id) select t.id, m.id from taken t cross join made m
  )
  select m.* into v_settlement from made m;
  return v_settlement;
end;
$$;
comment on function app.write_settlement(app.merchants, text, timestamptz, timestamptz, timestamptz) is
  'Takes what is unsettled before the period''s end and carries the last debt; NULL when there is nothing to take.';

create function app.make_settlement(
  p_merchant_id uuid, p_mode text, p_period_start timestamptz, p_period_end timestamptz, p_actor_role text)
returns app.settlements
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := app.lock_merchant_against_posting(p_merchant_id);
  v_merchant app.merchants;
  v_settlement app.settlements;
begin
  select m.* into v_merchant from app.merchants m where m.id = p_merchant_id;
  if v_merchant.id is null then
    perform rules.fail('MERCHANT_NOT_FOUND');
  end if;
  if exists (
    select from app.settlements s
    where s.merchant_id = p_merchant_id and s.period_end > p_period_start and s.period_start < p_period_end)
  then
    perform rules.fail('SETTLEMENT_ALREADY_EXISTS');
  end if;
  v_settlement := app.write_settlement(v_merchant, p_mode, p_period_start, p_period_end, v_now);
  if v_settlement.id is null then
    perform rules.fail('NO_TRANSACTIONS_IN_PERIOD');
  end if;
  perform audit.log(p_actor_role, 'settlement.generated', 'settlement', v_settlement.settlement_no, jsonb_build_object(
    'merchant_code', v_merchant.code, 'mode', p_mode, 'period_start', p_period_start, 'period_end', p_period_end,
    'net', v_settlement.net::text));
  return v_settlement;
end;
$$;
comment on function app.make_settlement(uuid, text, timestamptz, timestamptz, text) is
  'Settles a period that has ended, under the merchant''s exclusive lock. Errors: MERCHANT_NOT_FOUND, SETTLEMENT_ALREADY_EXISTS, '
  'NO_TRANSACTIONS_IN_PERIOD.';
