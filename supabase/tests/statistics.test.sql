-- A merchant's day, trends, and the house in numbers.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(46);

select fx.make_merchant('S1') as s1 \gset
select fx.make_merchant('S2') as s2 \gset
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_merchant_user('S2') as other_cashier \gset
select fx.make_member('payer@fixture.example', 1000) as payer \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.member_id(:'payer') as payer_id, fx.standard_card(:'payer') as card \gset
update app.merchants set time_zone = 'America/New_York' where code = 'S1';

create function pg_temp.past(p_type text, p_merchant uuid, p_amount numeric, p_points bigint, p_at timestamptz, p_drawn_at timestamptz default null)
returns void language sql as $$
  insert into app.transactions (id, tx_no, tx_type, card_id, member_id, merchant_id, original_tx_id, raw_amount, final_amount, points_earned, created_at)
  select app.uuid_v7(coalesce(p_drawn_at, p_at)), app.next_tx_no(case p_type when 'payment' then 'PAY' when 'refund' then 'REF' else 'RCG' end), p_type,
    c.id, c.personal_member_id, p_merchant, case when p_type = 'refund' then (select t.id from app.transactions t where t.tx_type = 'payment' limit 1) end,
    p_amount, p_amount, p_points, p_at
  from app.cards c where c.card_type = 'standard' limit 1
$$;

-- Today, in the merchant's time zone.
create function pg_temp.today(p_user uuid, p_merchant uuid) returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select concat_ws(' ', t.payment_count, t.gross_amount, t.refund_count, t.refund_amount, t.net_amount, t.recharge_count,
                           t.recharge_amount, t.points_earned, t.points_taken)
          from public.get_today_transaction_stats(p_merchant) t);
end;
$$;
select is(pg_temp.today(:'cashier', :'s1'), '0 0.00 0 0.00 0.00 0 0.00 0 0', 'a day without transactions is a row of zeros');
select fx.code(:'payer') as code \gset
select fx.act_as(:'cashier');
select tx_no from public.merchant_charge_by_qr('S1', :'code', 100) \gset
select fx.code(:'payer') as code \gset
select fx.act_as(:'cashier');
select final_amount from public.merchant_charge_by_qr('S1', :'code', 45.50) \gset
select points_taken from public.merchant_refund_tx('S1', :'tx_no', 30) \gset
select pg_temp.past('recharge', :'s1', 200, 0, clock_timestamp());
select is(pg_temp.today(:'cashier', :'s1'), '2 145.50 1 30.00 115.50 1 200.00 145 30', 'payments, refunds, net, cash and points of the day');
select is(pg_temp.today(:'admin', :'s1'), '2 145.50 1 30.00 115.50 1 200.00 145 30', 'for an admin too');
select is(pg_temp.today(:'other_cashier', :'s2'), '0 0.00 0 0.00 0.00 0 0.00 0 0', 'nothing of another merchant''s');
select fx.act_as(:'cashier');
select results_eq(format('select day, time_zone from public.get_today_transaction_stats(%L)', :'s1'),
  $$ values ((now() at time zone 'America/New_York')::date, 'America/New_York') $$, 'the day is the merchant''s');
-- Two zones 25 hours apart never have the same date.
update app.settings set value = 'Pacific/Kiritimati' where key = 'time_zone';
update app.merchants set time_zone = 'Pacific/Pago_Pago' where code = 'S2';
select fx.act_as(:'other_cashier');
select is((select t.day from public.get_today_transaction_stats(:'s2') t), (now() at time zone 'Pacific/Pago_Pago')::date,
  'whatever day the house has');
update app.settings set value = 'Asia/Taipei' where key = 'time_zone';
create function pg_temp.midnight(p_days int default 0) returns timestamptz language sql as $$
  select (date_trunc('day', now() at time zone 'America/New_York') + make_interval(days => p_days)) at time zone 'America/New_York' $$;
select pg_temp.past('payment', :'s1', 1, 0, pg_temp.midnight(), pg_temp.midnight() - interval '10 minutes');
select pg_temp.past('payment', :'s1', 7, 0, pg_temp.midnight() - interval '1 microsecond');
select is(pg_temp.today(:'cashier', :'s1'), '3 146.50 1 30.00 116.50 1 200.00 145 30', 'it begins with its midnight, whenever the id was drawn');
select pg_temp.past('payment', :'s1', 2, 0, pg_temp.midnight(1) - interval '1 microsecond', pg_temp.midnight(1) + interval '30 seconds');
select pg_temp.past('payment', :'s1', 7, 0, pg_temp.midnight(1));
select is(pg_temp.today(:'cashier', :'s1'), '4 148.50 1 30.00 118.50 1 200.00 145 30', 'and ends before the next');
update app.merchants set status = 'suspended' where code = 'S1';
select is(pg_temp.today(:'cashier', :'s1'), '4 148.50 1 30.00 118.50 1 200.00 145 30', 'a suspended merchant sees its day');
update app.merchants set status = 'active' where code = 'S1';

-- Trends.
select pg_temp.past(t.tx_type, case t.merchant when 'S1' then :'s1'::uuid when 'S2' then :'s2'::uuid end, t.amount, t.points, t.at::timestamptz)
from (values
  ('payment', 'S1', 10, 10, '2026-01-05 05:00:00Z'),   -- Monday in New York, 00:00
  ('payment', 'S1', 20.55, 20, '2026-01-05 12:00:00Z'),
  ('refund', 'S1', 5, -5, '2026-01-06 04:59:59Z'),     -- still Monday
  ('recharge', 'S1', 50, 0, '2026-01-07 12:00:00Z'),
  ('payment', 'S1', 30, 30, '2026-01-12 04:59:59Z'),   -- Sunday
  ('payment', 'S1', 40, 40, '2026-02-01 04:59:59Z'),   -- the last second of January
  ('payment', 'S1', 80, 80, '2026-02-01 05:00:00Z'),
  ('payment', 'S2', 500, 500, '2026-01-05 12:00:00Z'),
  ('recharge', null, 600, 0, '2026-01-05 16:00:00Z')   -- the 6th in Taipei
) as t (tx_type, merchant, amount, points, at);
create function pg_temp.trend(p_user uuid, p_start text, p_end text, p_merchant uuid, p_group_by text) returns setof text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return query
    select concat_ws(' ', t.bucket_start, t.payment_count, t.gross_amount, t.refund_count, t.refund_amount, t.net_amount, t.recharge_count,
                     t.recharge_amount, t.points_earned, t.points_taken)
    from public.get_transaction_trends(p_start::timestamptz, p_end::timestamptz, p_merchant, p_group_by) t;
end;
$$;
select results_eq(format('select * from pg_temp.trend(%L, %L, %L, %L, %L)', :'cashier', '2026-01-05 05:00Z', '2026-01-08 05:00Z', :'s1', 'day'),
  $$ values ('2026-01-05 2 30.55 1 5.00 25.55 0 0.00 30 5'), ('2026-01-06 0 0.00 0 0.00 0.00 0 0.00 0 0'),
            ('2026-01-07 0 0.00 0 0.00 0.00 1 50.00 0 0') $$,
  'days are those of the merchant; one without transactions is a row of zeros');
select results_eq(format('select * from pg_temp.trend(%L, %L, %L, %L, %L)', :'cashier', '2026-01-05 05:00Z', '2026-01-19 05:00Z', :'s1', 'week'),
  $$ values ('2026-01-05 3 60.55 1 5.00 55.55 1 50.00 60 5'), ('2026-01-12 0 0.00 0 0.00 0.00 0 0.00 0 0') $$, 'weeks begin on Monday');
select results_eq(format('select * from pg_temp.trend(%L, %L, %L, %L, %L)', :'admin', '2026-01-01 05:00Z', '2026-03-01 05:00Z', :'s1', 'month'),
  $$ values ('2026-01-01 4 100.55 1 5.00 95.55 1 50.00 100 5'), ('2026-02-01 1 80.00 0 0.00 80.00 0 0.00 80 0') $$, 'months');
select results_eq(format('select * from pg_temp.trend(%L, %L, %L, %L, %L)', :'cashier', '2026-01-05 12:00Z', '2026-01-06 04:59:59Z', :'s1', 'month'),
  $$ values ('2026-01-01 1 20.55 0 0.00 20.55 0 0.00 20 0') $$, 'a unit counts what is in the half-open period only');
select results_eq(format('select * from pg_temp.trend(%L, %L, %L, %L, %L)', :'cashier', '2026-01-05 05:00:01Z', '2026-01-05 06:00Z', :'s1', 'day'),
  $$ values ('2026-01-05 0 0.00 0 0.00 0.00 0 0.00 0 0') $$, 'nor what was a second before it');
select results_eq(format('select * from pg_temp.trend(%L, %L, %L, null, %L)', :'admin', '2026-01-04 16:00Z', '2026-01-06 16:00Z', 'day'),
  $$ values ('2026-01-05 3 530.55 0 0.00 530.55 0 0.00 530 0'), ('2026-01-06 0 0.00 1 5.00 -5.00 1 600.00 0 5') $$,
  'of all merchants, and recharges of none, in the time zone of the house');
select fx.act_as(:'cashier');
select is((select count(*)::int from public.get_transaction_trends('2026-01-01 05:00Z', '2026-01-11 05:00Z', :'s1')), 10, 'days unless asked otherwise');
select is((select count(*)::int from public.get_transaction_trends('2026-03-07 05:00Z', '2026-03-10 04:00Z', :'s1')), 3,
  'a day of 23 hours is a day');
select is((select count(*)::int from public.get_transaction_trends(now() - interval '400 days', now(), :'s1')) in (400, 401), true, '400 days are a period');

create function pg_temp.trend_refusal(p_user uuid, p_arguments text) returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.get_transaction_trends(%s)', p_arguments)) $$;
select is(pg_temp.trend_refusal(:'cashier', c.arguments), c.expected, c.why)
from (values
  ('null, ''2026-02-01''', 'PT400 MALFORMED_ARGUMENT', 'no start'),
  ('''2026-01-01'', null', 'PT400 MALFORMED_ARGUMENT', 'no end'),
  ('''-infinity'', ''2026-02-01''', 'PT400 MALFORMED_ARGUMENT', 'an endless start'),
  ('''2026-01-01'', ''infinity''', 'PT400 MALFORMED_ARGUMENT', 'an endless end'),
  ('''2026-01-01'', ''2026-02-01'', null, null', 'PT400 MALFORMED_ARGUMENT', 'no unit'),
  ('''2026-01-01'', ''2026-02-01'', null, ''hour''', 'PT400 MALFORMED_ARGUMENT', 'another unit'),
  ('''2026-01-01'', ''2026-01-01''', 'PT422 INVALID_PERIOD', 'an empty period'),
  ('''2026-02-01'', ''2026-01-01''', 'PT422 INVALID_PERIOD', 'an end before the start'),
  ('''2025-01-01'', ''2026-02-05 00:00:00.000001''', 'PT422 INVALID_PERIOD', 'more than 400 days'),
  ('''2025-01-01'', ''2032-09-01 00:00:00.000001'', null, ''week''', 'PT422 INVALID_PERIOD', 'more than 400 weeks'),
  ('''2025-01-01'', ''2058-05-01 00:00:00.000001'', null, ''month''', 'PT422 INVALID_PERIOD', 'more than 400 months'),
  ('''2026-01-01'', ''2026-02-01''', 'PT403 PERMISSION_DENIED', 'of all merchants, by a cashier'),
  (format('''2026-01-01'', ''2026-02-01'', %L', :'s2'), 'PT404 MERCHANT_NOT_FOUND', 'of another merchant'),
  (format('''2026-01-01'', ''2026-02-01'', %L', :'payer'), 'PT404 MERCHANT_NOT_FOUND', 'of an unknown merchant'),
  ('''2025-01-01'', ''2026-02-05''', 'PT403 PERMISSION_DENIED', '400 days, of all merchants, by a cashier')
) as c (arguments, expected, why);
select is(pg_temp.trend_refusal(null, 'null, null'), 'PT401 NOT_AUTHENTICATED', 'trends for nobody');
select is(pg_temp.trend_refusal(:'admin', format('''2026-01-01'', ''2026-02-01'', %L', :'payer')), 'PT404 MERCHANT_NOT_FOUND',
  'of an unknown merchant, by an admin');

-- Who sees a merchant's day.
select is(fx.refusal_as('authenticated', w.user_id::uuid, format('select * from public.get_today_transaction_stats(%L)', w.merchant)), w.expected, w.who)
from (values
  (:'other_cashier', :'s1', 'PT404 MERCHANT_NOT_FOUND', 'the day of somebody else''s merchant'),
  (:'payer', :'s1', 'PT404 MERCHANT_NOT_FOUND', 'a merchant''s day, for a customer'),
  (:'cashier', :'payer', 'PT404 MERCHANT_NOT_FOUND', 'the day of an unknown merchant'),
  (:'admin', null, 'PT404 MERCHANT_NOT_FOUND', 'the day of NULL'),
  (null, :'s1', 'PT401 NOT_AUTHENTICATED', 'a merchant''s day, for nobody')
) as w (user_id, merchant, expected, who);

-- The house.
select is(fx.refusal_as('authenticated', :'cashier', 'select * from public.get_system_statistics()'), 'PT403 PERMISSION_DENIED',
  'the house''s numbers are for admins');
select is(fx.refusal_as('authenticated', null, 'select * from public.get_system_statistics()'), 'PT401 NOT_AUTHENTICATED', 'not for nobody');
select fx.make_member('suspended@fixture.example', 12.34) as suspended \gset
update app.member_profiles set status = 'suspended' where auth_user_id = :'suspended';
update app.cards set status = 'frozen' where id = fx.standard_card(:'suspended');
update app.merchants set status = 'suspended' where code = 'S2';
select fx.make_card('corporate', 300, 0.9) as corporate \gset
update app.settings set value = 'Pacific/Kiritimati' where key = 'time_zone';
select pg_temp.past('payment', :'s1', 1, 0, (date_trunc('day', now() at time zone 'Pacific/Kiritimati') - interval '1 second') at time zone 'Pacific/Kiritimati');
select count(*) as today from app.transactions t
where t.tx_type = 'payment' and t.created_at >= date_trunc('day', now() at time zone 'Pacific/Kiritimati') at time zone 'Pacific/Kiritimati' \gset
select fx.act_as(:'admin');
select results_eq($$ select concat_ws(' ', topic, kind, status, count, amount) from public.get_system_statistics() where topic <> 'today' $$,
  $$ values ('accounts adjustments 3 -1312.34'), ('accounts card 6 1196.84'), ('accounts merchant_payable 3 115.50'),
            ('cards corporate active 1 300.00'), ('cards standard active 1 884.50'), ('cards standard frozen 1 12.34'),
            ('members active 1'), ('members suspended 1'), ('merchants active 1'), ('merchants suspended 1') $$,
  'members, cards and their balances, merchants, and what each account holds');
select is((select count::text from public.get_system_statistics() where topic = 'today' and kind = 'payment'), :'today',
  'today''s transactions are those of the house''s day');
select results_eq($$ select amount from public.get_system_statistics() where topic = 'today' and kind = 'refund' $$, $$ values (30.00) $$,
  'with their amounts');
select bag_eq(
  $$ select p.proname::text from pg_catalog.pg_proc p
     where p.pronamespace = 'public'::regnamespace and p.provolatile = 's'
       and p.proname in ('get_today_transaction_stats', 'get_transaction_trends', 'get_system_statistics') $$,
  $$ values ('get_today_transaction_stats'), ('get_transaction_trends'), ('get_system_statistics') $$, 'a statistic cannot write');
select * from finish();
rollback;
