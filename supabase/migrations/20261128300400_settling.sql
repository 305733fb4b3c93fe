-- Settling waits for the postings that run and lets the next ones go on at once, follows the local day, and knows settlements that no other
-- one goes by: those of a clock that was wrong, and those of named late transactions.

alter table app.settlements add column counts_as_period boolean not null default true;
comment on table app.settlements is
  'What we owe a merchant for a half-open period: net = gross - refunds - cash - fee + carried_in. A negative net is paid out as 0 and '
  'carried into the next one, which names it in carried_from. All but the status is written once. counts_as_period: later ones begin after '
  'it; not those that a wrong clock made, nor those of transactions that an admin named.';
alter table app.settlements
  drop constraint settlements_period_start_taken,
  drop constraint settlements_period_end_taken,
  drop constraint settlements_period_not_over,
  add constraint settlements_period_not_over check (period_end <= created_at or not counts_as_period);
create unique index settlements_period_start_taken on app.settlements (merchant_id, period_start) where counts_as_period;
create unique index settlements_period_end_taken on app.settlements (merchant_id, period_end) where counts_as_period;
create index settlements_by_merchant on app.settlements (merchant_id, period_end);

create function app.wait_for_postings(p_merchant_id uuid)
returns timestamptz
language plpgsql
as $$
declare
  v_now timestamptz;
begin
  begin
    -- The key of app.lock_merchant_for_posting: waits for every posting in flight.
    perform pg_advisory_xact_lock(hashtextextended('mps/merchant/' || p_merchant_id::text, 0));
    v_now := clock_timestamp();
    -- A block that fails gives its locks back. Later postings read a later clock, so they need not wait for the rest of this.
    raise exception using errcode = 'MPS00';
  exception when sqlstate 'MPS00' then
    return v_now;
  end;
end;
$$;
comment on function app.wait_for_postings(uuid) is
  'Waits for the merchant''s postings that run, and answers a moment: every posting from before it is committed, every other one will have a '
  'created_at of it or later. Keeps nobody waiting afterwards. In read committed.';

create function app.settled_until(p_merchant_id uuid)
returns timestamptz
language sql stable
as $$ select max(s.period_end) from app.settlements s where s.merchant_id = p_merchant_id and s.counts_as_period $$;
comment on function app.settled_until(uuid) is 'Where the merchant''s last settlement ends, NULL when there is none.';

create or replace function app.unsettled_from(p_merchant_id uuid)
returns uuid
language sql stable
as $$
  select coalesce(app.uuid_v7_floor(app.settled_until(p_merchant_id) - interval '2 hours'), '00000000-0000-0000-0000-000000000000')
$$;
comment on function app.unsettled_from(uuid) is
  'No transaction of the merchant with a smaller id is unsettled, nor will be. A settlement up to E was made after it had waited for postings '
  'at or after E. What had been posted before E was committed by then, and taken. What is posted later has a created_at of E or later, since '
  'it is read after the shared lock, and an id drawn in the hour before it (a constraint). The second hour is for a clock set back; with one '
  'that was set back further nothing is settled before an admin looked, and verify_ledger names what is left behind.';

create or replace function app.settlement_unit_start(p_merchant app.merchants, p_at timestamptz, p_units_later int)
returns timestamptz
language sql stable
as $$
  select case p_merchant.settlement_mode
    when 'realtime' then date_trunc('minute', p_at) + make_interval(mins => p_units_later)
    when 't_plus_1' then
      rules.local_day_start(rules.local_day(p_at, p_merchant.time_zone) + p_units_later, p_merchant.time_zone)
    when 'monthly' then
      rules.local_day_start(
        (date_trunc('month', rules.local_day(p_at, p_merchant.time_zone)::timestamp) + make_interval(months => p_units_later))::date,
        p_merchant.time_zone)
  end
$$;

create or replace function app.next_settlement_period(p_merchant app.merchants, p_now timestamptz)
returns tstzrange
language plpgsql stable
as $$
declare
  v_settled_end timestamptz := coalesce(app.settled_until(p_merchant.id), '-infinity');
  v_over timestamptz := app.settlement_unit_start(p_merchant, p_now, 0);
  v_first timestamptz;
  v_end timestamptz;
begin
  if v_settled_end >= v_over then
    return null;
  end if;
  -- The first by id; by created_at another of its time may come before it, since ids are drawn earlier.
  select t.created_at into v_first from app.unsettled_transactions(p_merchant.id, v_over) t order by t.id limit 1;
  if v_first is null then
    return null;
  end if;
  v_first := least(v_first, (select min(t.created_at) from app.unsettled_transactions(p_merchant.id, v_first) t));
  v_first := greatest(v_first, v_settled_end);
  v_end := case when p_merchant.settlement_mode = 'realtime' then v_over else app.settlement_unit_start(p_merchant, v_first, 1) end;
  return case when v_end <= v_over then
    tstzrange(greatest(app.settlement_unit_start(p_merchant, v_first, 0), v_settled_end), v_end) end;
end;
$$;

drop function app.write_settlement(app.merchants, text, timestamptz, timestamptz, timestamptz);
create function app.write_settlement(
  p_merchant app.merchants, p_mode text, p_period_start timestamptz, p_period_end timestamptz, p_now timestamptz,
  p_late_tx_ids uuid[] default null)
returns app.settlements
language plpgsql
as $$
declare
  v_debt app.settlements := app.uncarried_debt(p_merchant.id);
  v_settlement app.settlements;
begin
  -- One statement, so that what is summed is what is stamped. The number is drawn for a settlement that is made only.
  with taken as materialized (
    select t.id, t.tx_type, t.final_amount from app.unsettled_transactions(p_merchant.id, p_period_end) t where p_late_tx_ids is null
    union all
    select t.id, t.tx_type, t.final_amount from app.transactions t where t.id = any (p_late_tx_ids)
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
      fee_bps, fee, carried_from, carried_in, net, created_at, updated_at, counts_as_period)
    select
      app.uuid_v7(p_now), 'STL' || rules.padded(nextval('app.settlement_no_seq'), 10), p_merchant.id, p_mode, p_period_start, p_period_end,
      s.gross, s.refunds, s.cash, s.payment_count, s.refund_count, s.cash_count, p_merchant.fee_bps, f.fee, v_debt.id,
      coalesce(v_debt.net, 0), s.gross - s.refunds - s.cash - f.fee + coalesce(v_debt.net, 0), p_now, p_now, p_late_tx_ids is null
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
comment on function app.write_settlement(app.merchants, text, timestamptz, timestamptz, timestamptz, uuid[]) is
  'Takes what is unsettled before the period''s end, or the late transactions that are named, and carries the last debt; NULL when there is '
  'nothing to take.';

create function app.lock_settling(p_merchant_id uuid)
returns app.merchants
language plpgsql
as $$
declare
  v_merchant app.merchants;
begin
  -- One settlement of a merchant at a time; no posting takes this lock.
  perform pg_advisory_xact_lock(hashtextextended('mps/settling/' || p_merchant_id::text, 0));
  select m.* into v_merchant from app.merchants m where m.id = p_merchant_id;
  if v_merchant.id is null then
    perform rules.fail('MERCHANT_NOT_FOUND');
  end if;
  return v_merchant;
end;
$$;
comment on function app.lock_settling(uuid) is 'The merchant, for whoever settles it alone; MERCHANT_NOT_FOUND.';

create or replace function app.make_settlement(
  p_merchant_id uuid, p_mode text, p_period_start timestamptz, p_period_end timestamptz, p_actor_role text)
returns app.settlements
language plpgsql
as $$
declare
  v_merchant app.merchants := app.lock_settling(p_merchant_id);
  v_now timestamptz := app.wait_for_postings(p_merchant_id);
  v_settlement app.settlements;
begin
  perform sec.hold_admin_or_service();
  if exists (
    select from app.settlements s
    where s.merchant_id = p_merchant_id and s.period_end > p_period_start and s.period_start < p_period_end and s.counts_as_period)
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
  'Settles a period that has ended, once the merchant''s postings in flight are committed. Errors: MERCHANT_NOT_FOUND, '
  'SETTLEMENT_ALREADY_EXISTS, NO_TRANSACTIONS_IN_PERIOD.';
