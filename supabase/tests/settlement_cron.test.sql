-- The cron that settles finished periods, and what the rules of settlements find when rows are wrong.
begin;
set local search_path = public, extensions;
set local client_min_messages = error;
select plan(60);

select fx.make_member('payer@fixture.example', 0) as payer \gset
-- Transactions of other days, with their entries; they lie in whatever partition is theirs.
create function pg_temp.post(p_code text, p_type text, p_amount numeric, p_at timestamptz, p_id uuid default null) returns void language plpgsql as $$
declare
  v_tx app.transactions;
  v_sign int := case p_type when 'payment' then 1 else -1 end;
begin
  v_tx.id := coalesce(p_id, app.uuid_v7(p_at));
  v_tx.created_at := p_at;
  v_tx.tx_no := app.next_tx_no(case p_type when 'payment' then 'PAY' else 'RCG' end);
  v_tx.tx_type := p_type;
  select c.id, c.personal_member_id into v_tx.card_id, v_tx.member_id from app.cards c where c.card_type = 'standard';
  v_tx.merchant_id := (select m.id from app.merchants m where m.code = p_code);
  v_tx.raw_amount := p_amount;
  v_tx.discount := 1;
  v_tx.discount_source := 'none';
  v_tx.final_amount := p_amount;
  v_tx.points_earned := 0;
  perform app.post_transaction(v_tx);
  insert into app.ledger_entries (tx_id, entry_no, account, card_id, merchant_id, delta) values
    (v_tx.id, 1, 'cash_clearing', null, null, -v_sign * p_amount), (v_tx.id, 2, 'merchant_payable', null, v_tx.merchant_id, v_sign * p_amount);
end;
$$;
create function pg_temp.merchant(p_code text, p_mode text, p_time_zone text) returns void language sql as $$
  insert into app.merchants (code, name, settlement_mode, time_zone) values (p_code, p_code, p_mode, p_time_zone) $$;
create function pg_temp.periods(p_code text) returns table (period text) language sql as $$
  select concat_ws(' ', s.mode, s.period_start at time zone m.time_zone, s.period_end at time zone m.time_zone, s.gross)
  from app.settlements s join app.merchants m on m.id = s.merchant_id where m.code = p_code order by s.period_start $$;
create function pg_temp.cron() returns int language plpgsql as $$
begin
  perform fx.act_as_service();
  return public.cron_generate_settlements();
end;
$$;

select is(fx.refusal_as('authenticated', null, 'select public.cron_generate_settlements()'), '42501 permission denied for function cron_generate_settlements',
  'the cron is not for users');
select fx.act_as(:'payer');
select is(fx.refusal('select public.cron_generate_settlements()'), 'PT403 PERMISSION_DENIED', 'nor by claims');
select is(pg_temp.cron(), 0, 'nothing to settle is 0');

-- Periods by mode and time zone: 2023-03-01 00:30 in Taipei is still February in London.
select pg_temp.merchant('DAILY', 't_plus_1', 'Asia/Taipei'), pg_temp.merchant('MONTHLY', 'monthly', 'Europe/London'),
  pg_temp.merchant('LIVE', 'realtime', 'Asia/Taipei');
select pg_temp.post(m.code, 'payment', p.amount, p.at::timestamptz)
from (values ('DAILY'), ('MONTHLY'), ('LIVE')) m (code),
  (values (1.00, '2023-02-28 12:00+08'), (2.00, '2023-02-28 23:59:59.999999+08'), (4.00, '2023-03-01 00:00+08'),
          (8.00, '2023-03-01 08:00+08'), (16.00, '2023-03-05 00:00+08')) p (amount, at);
select is(pg_temp.cron(), 6, 'one call settles what is over');
select results_eq($$ select * from pg_temp.periods('DAILY') $$, $$ values
  ('t_plus_1 2023-02-28 00:00:00 2023-03-01 00:00:00 3.00'), ('t_plus_1 2023-03-01 00:00:00 2023-03-02 00:00:00 12.00'),
  ('t_plus_1 2023-03-05 00:00:00 2023-03-06 00:00:00 16.00') $$, 'by days of the merchant, without those that had nothing');
select results_eq($$ select * from pg_temp.periods('MONTHLY') $$, $$ values
  ('monthly 2023-02-01 00:00:00 2023-03-01 00:00:00 7.00'), ('monthly 2023-03-01 00:00:00 2023-04-01 00:00:00 24.00') $$,
  'by months of the merchant');
select is(
  (select concat_ws(' ', s.mode, s.period_start, s.gross) from app.settlements s join app.merchants m on m.id = s.merchant_id where m.code = 'LIVE'),
  'realtime ' || timestamptz '2023-02-28 12:00+08' || ' 31.00', 'in realtime from the minute of the first');
select ok(
  (select s.period_end = date_trunc('minute', s.period_end) and s.created_at - s.period_end between interval '0' and interval '61 seconds'
   from app.settlements s join app.merchants m on m.id = s.merchant_id where m.code = 'LIVE'), 'to the last whole minute');
select is(pg_temp.cron(), 0, 'and what is settled is not settled again');
select is((select count(*)::int from audit.event_log where action = 'settlement.generated' and actor_role = 'service'), 6, 'each is audited');

-- What is next, at a given moment.
select pg_temp.merchant('NEXT', 't_plus_1', 'Asia/Taipei');
create function pg_temp.next(p_code text, p_now timestamptz) returns text language sql as $$
  select concat_ws(' ', lower(r.period) at time zone r.time_zone, upper(r.period) at time zone r.time_zone, lower_inc(r.period), upper_inc(r.period))
  from (select m.time_zone, app.next_settlement_period(m, p_now) as period from app.merchants m where m.code = p_code) r $$;
select is(pg_temp.next('NEXT', '2023-05-02 00:00+08'), '', 'nothing');
select pg_temp.post('NEXT', 'payment', 1, '2023-05-01 10:00+08');
select is(pg_temp.next('NEXT', '2023-05-01 23:59:59.999999+08'), '', 'nothing that is over');
select is(pg_temp.next('NEXT', '2023-05-02 00:00+08'), '2023-05-01 00:00:00 2023-05-02 00:00:00 t f', 'a day, half-open, once it is over');
update app.merchants set settlement_mode = 'monthly' where code = 'NEXT';
select is(pg_temp.next('NEXT', '2023-05-31 23:59+08'), '', 'a month that is not over');
select is(pg_temp.next('NEXT', '2023-06-01 00:00+08'), '2023-05-01 00:00:00 2023-06-01 00:00:00 t f', 'a month, once it is over');
update app.merchants set settlement_mode = 'realtime' where code = 'NEXT';
select is(pg_temp.next('NEXT', '2023-05-01 10:00:59+08'), '', 'a minute that is not over');
select is(pg_temp.next('NEXT', '2023-05-01 10:07:59+08'), '2023-05-01 10:00:00 2023-05-01 10:07:00 t f', 'what there is, in one settlement');
update app.merchants set settlement_mode = 't_plus_1', time_zone = 'America/New_York' where code = 'NEXT';
select pg_temp.post('NEXT', 'payment', 1, '2023-03-12 12:00-04');
select is(pg_temp.next('NEXT', '2023-03-13 00:00-04'), '2023-03-12 00:00:00 2023-03-13 00:00:00 t f', 'a day of 23 hours');
select pg_temp.merchant('LATE', 't_plus_1', 'UTC');
select pg_temp.post('LATE', 'payment', 1, '2023-05-02 00:00:01+00', app.uuid_v7('2023-05-01 23:59:00+00'));
select pg_temp.post('LATE', 'payment', 1, '2023-05-01 23:59:30+00');
select is(pg_temp.next('LATE', '2023-05-03 00:00+00'), '2023-05-01 00:00:00 2023-05-02 00:00:00 t f',
  'a call that waited over midnight, older by id, does not hide the day before');
select is(pg_temp.cron(), 4, 'which is settled, then its own day');
select is((select string_agg(period, ', ') from pg_temp.periods('LATE')),
  't_plus_1 2023-05-01 00:00:00 2023-05-02 00:00:00 1.00, t_plus_1 2023-05-02 00:00:00 2023-05-03 00:00:00 1.00', 'each in its own');

-- Changes of mode and of time zone: the next period begins where the last one ended.
update app.merchants set settlement_mode = 'monthly' where code = 'DAILY';
select pg_temp.post('DAILY', 'payment', 32, '2023-03-10 00:00+08');
select is(pg_temp.cron(), 1, 'from days to months');
select is((select p.period from pg_temp.periods('DAILY') p offset 3), 'monthly 2023-03-06 00:00:00 2023-04-01 00:00:00 32.00', 'the rest of the month');
update app.merchants set settlement_mode = 't_plus_1', time_zone = 'UTC' where code = 'DAILY';
select pg_temp.post('DAILY', 'payment', 64, '2023-03-31 17:00+00');
select is(pg_temp.cron(), 1, 'to another time zone');
select is((select p.period from pg_temp.periods('DAILY') p offset 4), 't_plus_1 2023-03-31 16:00:00 2023-04-01 00:00:00 64.00', 'the rest of the day');
select pg_temp.post('DAILY', 'payment', 128, '2023-03-31 23:30+00');
select is(pg_temp.next('DAILY', '2023-04-02 00:00+00'), '2023-04-01 00:00:00 2023-04-02 00:00:00 t f',
  'one posted before the end of the last settlement, by a clock set back, falls to the period after it');
select pg_temp.merchant('CUBAN', 't_plus_1', 'America/Havana');
select pg_temp.post('CUBAN', 'payment', 1, '2023-11-05 00:30-04');
select is(pg_temp.next('CUBAN', '2023-11-05 00:30-05'), '', 'where midnight comes twice, the hour between is not over with the first');
select is(pg_temp.next('CUBAN', '2023-11-06 00:00-05'), '2023-11-05 00:00:00 2023-11-06 00:00:00 t f', 'but with the day after');
select is(pg_temp.cron(), 2, 'both are settled');
select is((select string_agg(p.period, ', ') from pg_temp.periods('CUBAN') p), 't_plus_1 2023-11-05 00:00:00 2023-11-06 00:00:00 1.00', 'once');

-- One that fails, and a suspended one.
select pg_temp.merchant('HUGE', 't_plus_1', 'UTC'), pg_temp.merchant('GONE', 't_plus_1', 'UTC');
update app.merchants set status = 'suspended' where code = 'GONE';
select pg_temp.post('HUGE', 'payment', 999999999999.99, '2023-06-01 00:00+00'), pg_temp.post('HUGE', 'payment', 0.01, '2023-06-01 00:00+00');
select pg_temp.post('GONE', 'payment', 5, '2023-06-01 00:00+00');
select is(pg_temp.cron(), 1, 'a merchant that fails does not stop the others');
select is((select count(*)::int from pg_temp.periods('HUGE')), 0, 'nothing of it is left half-done');
select is((select p.period from pg_temp.periods('GONE') p), 't_plus_1 2023-06-01 00:00:00 2023-06-02 00:00:00 5.00',
  'a suspended merchant gets what it is owed');
select is_empty($$ select * from app.settlement_violations() $$, 'all of it is right');

-- Bounded steps, resumed by the next call.
select pg_temp.merchant('MANY', 't_plus_1', 'UTC');
select pg_temp.post('MANY', 'payment', d, timestamptz '2023-01-01 12:00+00' + make_interval(days => d)) from generate_series(1, 105) d;
select pg_temp.cron() as made \gset
select ok(:made between 1 and 100, 'one call makes at most 100');
create function pg_temp.cron_until_done() returns int language plpgsql as $$
declare
  v_made int;
  v_sum int := 0;
begin
  loop
    v_made := pg_temp.cron();
    v_sum := v_sum + v_made;
    exit when v_made = 0;
  end loop;
  return v_sum;
end;
$$;
select is(pg_temp.cron_until_done() + :made, 105, 'and calls until 0 make the rest');
select is((select sum(s.gross) from app.settlements s join app.merchants m on m.id = s.merchant_id where m.code = 'MANY'), 5565.00,
  'that is 1 + 2 + ... + 105');

-- A merchant who cannot be settled is counted for the operator.
savepoint broken;
select pg_temp.cron();
select r.violations as failed from app.check_runs r where r.what = 'generate_settlements' \gset
select pg_temp.merchant('BROKEN', 't_plus_1', 'Asia/Taipei');
select pg_temp.post('BROKEN', 'payment', 1.00, '2023-03-01 00:00+08');
select is(pg_temp.cron(), 1, 'a merchant who can');
select is((select r.violations from app.check_runs r where r.what = 'generate_settlements'), :failed, 'is no failure');
select pg_temp.post('BROKEN', 'payment', 1.00, '2023-03-02 00:00+08');
create function pg_temp.fail() returns trigger language plpgsql as $$ begin raise exception 'broken'; end; $$;
create trigger broken before insert on app.settlements for each row execute function pg_temp.fail();
select is(pg_temp.cron(), 0, 'one who cannot');
select is((select r.violations from app.check_runs r where r.what = 'generate_settlements'), :failed + 1, 'is one');
rollback to savepoint broken;

-- What the rules find. The corruption is made as only a superuser can: without triggers and constraints.
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select pg_temp.merchant('BOOKS', 't_plus_1', 'UTC'), pg_temp.merchant('OTHER', 't_plus_1', 'UTC');
update app.merchants set fee_bps = 100 where code = 'BOOKS';
select pg_temp.post('BOOKS', 'payment', 100, '2023-06-01 12:00+00'), pg_temp.post('BOOKS', 'recharge', 300, '2023-06-01 13:00+00'),
  pg_temp.post('BOOKS', 'payment', 900, '2023-06-02 12:00+00'), pg_temp.post('OTHER', 'payment', 7, now());
select is(pg_temp.cron(), 2, 'a debt of 201.00 and one that carries it');
select (array_agg(s.id order by s.period_start))[1] as debt, (array_agg(s.id order by s.period_start))[2] as next_one
from app.settlements s join app.merchants m on m.id = s.merchant_id where m.code = 'BOOKS' \gset
select s.id as gone from app.settlements s join app.merchants m on m.id = s.merchant_id where m.code = 'GONE' \gset
select fx.act_as(:'admin');
select public.update_settlement_status(:'next_one', 'settled'), public.update_settlement_status(:'next_one', 'paid');
select is(
  (select string_agg(concat_ws(' ', s.fee, s.carried_in, s.net, s.status), ', ' order by s.period_start)
   from app.settlements s where s.id in (:'debt', :'next_one')), '1.00 0.00 -201.00 pending, 9.00 -201.00 690.00 paid', 'the second is paid');
create function pg_temp.drop_guards() returns void language plpgsql as $$
declare
  v_held record;
begin
  set constraints all immediate;
  for v_held in
    select t.tgname, t.tgrelid::regclass as held from pg_catalog.pg_trigger t
    where t.tgfoid = 'sec.refuse_change()'::regprocedure and t.tgparentid = 0
  loop
    execute format('alter table %s disable trigger %I', v_held.held, v_held.tgname);
  end loop;
  for v_held in
    select c.conname from pg_catalog.pg_constraint c
    where c.conrelid = 'app.settlements'::regclass and c.contype in ('c', 'u')
  loop
    execute format('alter table app.settlements drop constraint %I cascade', v_held.conname);
  end loop;
  set local session_replication_role = replica;
end;
$$;
create function pg_temp.violated_after(p_corruption text) returns text language plpgsql as $$
declare
  v_rules text;
begin
  begin
    perform pg_temp.drop_guards();
    execute p_corruption;
    select coalesce(string_agg(distinct r.rule, ' ' order by r.rule), '') into v_rules from app.settlement_violations() r;
    raise exception 'undo' using errcode = 'ZZ999';
  exception when sqlstate 'ZZ999' then
    set local session_replication_role = origin;
  end;
  return v_rules;
end;
$$;
create function pg_temp.change(p_id uuid, p_change text) returns text language sql as $$
  select pg_temp.violated_after(format('update app.settlements set %s where id = %L', p_change, p_id)) $$;
select is(pg_temp.violated_after('select 1'), '', 'right settlements violate nothing');
select is(pg_temp.change(:'debt', 'gross = gross + 1, net = net + 1'),
  'payable_is_what_is_owed settlement_carries_a_debt_once settlement_equals_its_items settlement_formula', 'a sum changed');
select is(pg_temp.change(:'debt', 'payment_count = 2'), 'settlement_equals_its_items', 'a count changed');
select is(pg_temp.change(:'debt', 'fee = fee + 1, net = net - 1'), 'settlement_carries_a_debt_once settlement_formula', 'a fee changed');
select is(pg_temp.change(:'debt', 'net = net - 1'), 'settlement_carries_a_debt_once settlement_formula', 'a net changed');
select is(pg_temp.violated_after(format('delete from app.settlement_items where settlement_id = %L', :'gone')),
  'payable_is_what_is_owed settlement_equals_its_items transaction_is_found_by_the_next_settlement', 'an item removed');
select is(pg_temp.violated_after(format('insert into app.settlement_items select t.id, %L from app.transactions t
    join app.merchants m on m.id = t.merchant_id where m.code = %L', :'debt', 'OTHER')),
  'payable_is_what_is_owed settlement_equals_its_items settlement_item_is_its_own', 'another merchant''s transaction added');
select is(pg_temp.violated_after(format('insert into app.settlement_items select s.payout_tx_id, s.id from app.settlements s where s.id = %L', :'next_one')),
  'settlement_item_is_its_own', 'a payout made an item');
select is(pg_temp.change(:'debt', 'period_end = period_start + interval $i$30 hours$i$'), 'settlement_periods_do_not_overlap',
  'a period that reaches into the next');
select is(pg_temp.change(:'debt', 'period_end = period_start + interval $i$1 hour$i$'), 'settlement_item_is_its_own',
  'an item after the end of its period');
select is(pg_temp.change(:'next_one', 'carried_from = null'), 'settlement_carries_a_debt_once settlement_debt_is_carried_by_the_next',
  'a debt that nobody carried');
select is(pg_temp.change(:'gone', format('carried_from = %L, carried_in = -201, net = net - 201', :'debt')), 'settlement_carries_a_debt_once',
  'a debt that two carried');
select is(pg_temp.change(:'next_one', 'status = $s$settled$s$'), 'payable_is_what_is_owed settlement_paid_has_its_transaction',
  'a payout taken back in the status only');
select is(pg_temp.change(:'next_one', 'payout_tx_id = null'), 'settlement_paid_has_its_transaction settlement_transaction_has_its_settlement',
  'paid without a transaction');
select is(pg_temp.change(:'debt', 'status = $s$paid$s$'), 'payable_is_what_is_owed settlement_paid_has_its_transaction', 'paid by nothing');
select is(pg_temp.violated_after('update app.ledger_entries set delta = delta + 1 where account = $a$payout_clearing$a$'),
  'settlement_paid_has_its_transaction', 'a payout of another amount');
select is(pg_temp.violated_after(format('update app.ledger_entries e set delta = delta + 1 from app.merchants m
    where m.id = e.merchant_id and m.code = %L', 'OTHER')), 'payable_is_what_is_owed', 'a payable that is not what is owed');
select * from finish();
rollback;
