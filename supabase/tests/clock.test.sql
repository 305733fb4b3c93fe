-- A clock that was wrong: nothing goes by it unnoticed, and an admin sets right what it left.
begin;
set local search_path = public, extensions;
set local client_min_messages = error;
select no_plan();

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_merchant('S1') as merchant \gset
update app.merchants set settlement_mode = 'realtime' where id = :'merchant';
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 1000) as payer \gset
select fx.standard_card(:'payer') as card \gset
create function pg_temp.pay(p_amount numeric) returns text language plpgsql as $$
declare v_code text := fx.code((select m.auth_user_id from app.member_profiles m)); v_tx_no text;
begin
  perform fx.act_as((select u.user_id from app.merchant_users u));
  select c.tx_no into v_tx_no from public.merchant_charge_by_qr('S1', v_code, p_amount) c;
  perform fx.act_as_service();
  return v_tx_no;
end $$;
create function pg_temp.clock() returns text language sql as $$
  select h.ok || ': ' || h.detail from public.system_health_check() h where h."check" = 'clock' $$;
create function pg_temp.settle() returns text language sql as $$
  select format('select public.generate_settlement(%L, %L, %L, %L)', m.id, 'realtime', '2020-01-01Z', clock_timestamp()) from app.merchants m $$;
create function pg_temp.settled(p_tx_no text) returns boolean language sql as $$
  select exists (select from app.settlement_items i join app.transaction_numbers n on n.tx_id = i.tx_id where n.tx_no = p_tx_no) $$;
create function pg_temp.added() returns int language sql as $$
  select count(*)::int from public.verify_seals() v where v.what = 'added' $$;

select pg_temp.pay(10) as before \gset
select is(public.cron_generate_settlements() >= 0, true, 'a job sees the clock');
select is(pg_temp.clock(), 'true: goes on from the last job and posting', 'and trusts it');

-- 435 days ahead: settlements and seals ran, and the jobs saw it. Then the clock is set right.
select app.write_settlement(m, 'realtime', '2020-01-01Z', now() + interval '435 days', now() + interval '435 days 1 second')
from app.merchants m \g /dev/null
update app.clock_state set seen_at = now() + interval '435 days';
select app.seal_rows(app.uuid_v7_floor(now() + interval '435 days'), 4000) \g /dev/null
update app.seal_state set final_at = now() + interval '435 days';
update app.cards set paid_on = current_date + 435, paid_on_total = 49990 where id = :'card';
select pg_temp.pay(1) as first, pg_temp.pay(2) as second, pg_temp.pay(3) as third \gset
select ok(pg_temp.settled(:'before'), 'what was posted before was settled');

select is(pg_temp.clock(), 'false: behind what was posted: nothing is settled, sealed or purged until it is right and acknowledged', 'health says so');
select is(fx.refusal(pg_temp.settle()), 'PT409 CLOCK_IN_DOUBT', 'nobody settles');
select is(public.cron_generate_settlements(), 0, 'nor does the job');
select is(public.cron_seal(), 0, 'nothing is sealed');
select is((select s.finding from app.clock_state s), 'behind', 'it is remembered');
insert into app.payment_codes (id, code_hash, key_id, card_id, member_id, issued_at, expires_at, revoked_at)
select app.uuid_v7(now() - interval '100 days'), sha256('old'), (select min(key_id) from sec.master_keys), :'card', fx.member_id(:'payer'),
  now() - interval '100 days', now() - interval '99 days', now() - interval '99 days';
select is(public.cron_purge(), 0, 'nothing is purged');
select cmp_ok(pg_temp.added(), '>=', 3, 'the seals name honest rows');
update app.clock_state set seen_at = now();
select matches(pg_temp.clock(), '^false', 'that time goes on does not settle it');

-- Acknowledged.
create function pg_temp.acknowledge(p_reason text) returns text language sql as $$ select format('select public.acknowledge_clock(%L)', p_reason) $$;
select is(fx.refusal(pg_temp.acknowledge('x')), 'PT401 NOT_AUTHENTICATED', 'the service acknowledges nothing');
select is(fx.refusal_as('authenticated', :'cashier', pg_temp.acknowledge('x')), 'PT403 PERMISSION_DENIED', 'nor does a cashier');
select is(fx.refusal_as('authenticated', :'admin', pg_temp.acknowledge(reason)), 'PT400 MALFORMED_ARGUMENT', 'an admin gives a reason')
from unnest(array[null, '', '  ', E'a\nb', repeat('x', 501)]) reason;
select fx.act_as(:'admin');
select is(public.acknowledge_clock('the time server was wrong'), true, 'an admin acknowledges it');
select is(public.acknowledge_clock('again'), false, 'once');
select fx.act_as_service();
select is((select (e.actor_role, e.params ->> 'finding', e.params ->> 'reason', e.params ->> 'settlements_set_aside')::text
  from audit.event_log e where e.action = 'clock.acknowledged'), '(admin,behind,"the time server was wrong",1)', 'which is audited');
select matches(pg_temp.clock(), '^true', 'health is well');
select is((select (c.paid_on = app.card_day(now()), c.paid_on_total)::text from app.cards c where c.id = :'card'), '(t,16.00)', 'the card''s day is today''s');
select is_empty('select * from public.verify_seals()', 'honest rows are no finding any more');
select cmp_ok(app.seal_rows(app.uuid_v7_floor(clock_timestamp()), 4000), '>=', 3, 'they are sealed');
select is_empty('select * from public.verify_seals()', 'and the chain holds');
select is(fx.refusal(pg_temp.settle()), 'no refusal', 'the merchant is settled');
select ok(pg_temp.settled(:'first') and pg_temp.settled(:'second') and pg_temp.settled(:'third'), 'with all that was posted');
select is_empty('select * from public.verify_ledger()', 'the books are right');
select is(public.cron_purge(), 1, 'purging goes on');

-- Seals still find what somebody adds, among honest rows and among those of the wrong clock.
savepoint whole;
insert into audit.event_log (id, created_at, action, object_type, params)
select app.uuid_v7(app.uuid_v7_time(n.tx_id) + interval '1 millisecond'), now(), 'forged', 'x', '{}' from app.transaction_numbers n where n.tx_no = :'first';
select is(pg_temp.added(), 1, 'a row between sealed ones is added');
select v.seal_no, v.row_id from public.verify_seals() v \gset
create function pg_temp.explain(p_row uuid, p_reason text default 'looked at') returns text language sql as $$
  select format('select public.acknowledge_seal_finding(%s, %L, %L, %L, %L)', (select max(s.seal_no) from app.seals s), 'audit.event_log', p_row, 'added', p_reason) $$;
select is(fx.refusal_as('authenticated', :'cashier', pg_temp.explain(:'row_id')), 'PT403 PERMISSION_DENIED', 'a cashier explains nothing');
select is(fx.refusal_as('authenticated', :'admin', pg_temp.explain(:'row_id', ' ')), 'PT400 MALFORMED_ARGUMENT', 'an admin gives a reason');
select fx.act_as(:'admin');
select is(public.acknowledge_seal_finding(:seal_no, 'audit.event_log', gen_random_uuid(), 'added', 'x'), false, 'what was not found is not explained');
select is(public.acknowledge_seal_finding(:seal_no, 'audit.event_log', :'row_id', 'added', 'a restored backup'), true, 'a finding is');
select is(public.acknowledge_seal_finding(:seal_no, 'audit.event_log', :'row_id', 'added', 'x'), false, 'once');
select is((select e.params ->> 'reason' from audit.event_log e where e.action = 'seal.finding_acknowledged'), 'a restored backup', 'which is audited');
select fx.act_as_service();
select is_empty('select * from public.verify_seals()', 'it is not found again');
select is(public.cron_verify_seals(), 0, 'by the job neither');
alter table audit.event_log disable trigger rows_are_never_changed;
update audit.event_log set action = 'changed' where id = :'row_id';
alter table audit.event_log enable always trigger rows_are_never_changed;
select is(pg_temp.added(), 1, 'unless it changes once more');
rollback to savepoint whole;
savepoint whole;
insert into app.seal_rewinds (id, seal_no, id_from, rewound_at)
select app.uuid_v7(), max(s.seal_no) + 1, '00000000-0000-0000-0000-000000000000', now() from app.seals s;
select isnt_empty('select * from public.verify_seals()', 'a chain that only looks taken back is named');
rollback to savepoint whole;

-- Transactions that no settlement takes by itself.
select pg_temp.pay(4) as taken \gset
select app.write_settlement(m, 'realtime', now() + interval '1 hour', now() + interval '3 hours', now() + interval '3 hours 1 second') from app.merchants m \g /dev/null
select pg_temp.pay(5) as late \gset
select results_eq('select v.rule, v.object from public.verify_ledger() v', format('values (%L, %L)', 'transaction_is_found_by_the_next_settlement', :'late'), 'the books name a late one');
create function pg_temp.late(p_merchant uuid, p_tx_nos text[], p_reason text default 'clock') returns text language sql as $$
  select format('select public.settle_late_transactions(%L, %L, %L)', p_merchant, p_tx_nos, p_reason) $$;
select is(fx.refusal_as('authenticated', u, pg_temp.late(m, nos, reason)), refusal, why)
from (values
  (:'cashier'::uuid, :'merchant'::uuid, array[:'late'], 'x', 'PT403 PERMISSION_DENIED', 'a cashier settles nothing'),
  (:'admin', null, array[:'late'], 'x', 'PT400 MALFORMED_ARGUMENT', 'a merchant is named'),
  (:'admin', :'merchant', null, 'x', 'PT400 MALFORMED_ARGUMENT', 'and what is settled'),
  (:'admin', :'merchant', '{}', 'x', 'PT400 MALFORMED_ARGUMENT', 'at least one'),
  (:'admin', :'merchant', array[null], 'x', 'PT400 MALFORMED_ARGUMENT', 'which is not null'),
  (:'admin', :'merchant', array_fill(:'late'::text, array[201]), 'x', 'PT400 MALFORMED_ARGUMENT', 'at most 200'),
  (:'admin', :'merchant', array[:'late'], ' ', 'PT400 MALFORMED_ARGUMENT', 'with a reason'),
  (:'admin', gen_random_uuid(), array[:'late'], 'x', 'PT404 MERCHANT_NOT_FOUND', 'of a merchant there is'),
  (:'admin', :'merchant', array[:'late', 'PAY9999999999'], 'x', 'PT404 TX_NOT_FOUND', 'all of them its own'),
  (:'admin', :'merchant', array[:'late', :'taken'], 'x', 'PT409 SETTLEMENT_ALREADY_EXISTS', 'none settled before')) as c (u, m, nos, reason, refusal, why);
select fx.act_as(:'admin');
select public.settle_late_transactions(:'merchant', array[:'late', :'late'], 'the clock was set back') as settlement \gset
select is((select (s.gross, s.payment_count, s.counts_as_period)::text from app.settlements s where s.id = :'settlement'), '(5.00,1,f)', 'an admin settles it by name');
select fx.act_as_service();
select is_empty('select * from public.verify_ledger()', 'and the books are right');

-- A clock that jumps ahead between two jobs.
update app.clock_state set seen_at = now() - interval '25 hours';
select is(public.cron_seal(), 0, 'a jump of more than a day without a posting stops the jobs');
select is((select s.finding from app.clock_state s), 'ahead', 'as ahead');
select matches(pg_temp.clock(), '^false: more than a day ahead', 'and health says so');
update app.clock_state set finding = null, found_at = null, seen_at = now() - interval '40 hours';
alter table app.transactions disable trigger all;
insert into app.transactions
select (jsonb_populate_record(t, jsonb_build_object('id', app.uuid_v7(now() - interval '20 hours'), 'created_at', now() - interval '20 hours', 'tx_no', 'PAY0000999999'))).*
from app.transactions t where t.tx_no = :'late';
select is(app.clock_finding(clock_timestamp()), null, 'jobs that stood still while shops went on are no jump');
insert into app.transactions
select (jsonb_populate_record(t, jsonb_build_object('id', app.uuid_v7(now() + interval '6 minutes'), 'created_at', now() + interval '6 minutes', 'tx_no', 'PAY0000999998'))).*
from app.transactions t where t.tx_no = :'late';
select is(app.clock_finding(clock_timestamp()), 'behind', 'a clock six minutes behind a posting is');
select is(app.clock_finding(clock_timestamp() + interval '2 minutes'), null, 'one four minutes behind is not');

select * from finish();
rollback;
