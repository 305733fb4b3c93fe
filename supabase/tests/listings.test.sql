-- Listings of transactions: who sees which rows, what of them, and that pages fit together.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(58);

select fx.make_merchant('S1') as s1 \gset
select fx.make_merchant('S2') as s2 \gset
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_merchant_user('S1', 'owner') as boss \gset
select fx.make_merchant_user('S2') as other_cashier \gset
select fx.make_member('payer@fixture.example', 1000) as payer \gset
select fx.make_member('viewer@fixture.example') as viewer \gset
select fx.make_member('stranger@fixture.example') as stranger \gset
select fx.make_user('nobody@fixture.example') as nobody \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_card('prepaid', 500) as shared \gset
select fx.bind(:'shared', :'payer', 'owner');
select fx.bind(:'shared', :'viewer', 'viewer');
select fx.member_id(:'payer') as payer_id, fx.member_id(:'viewer') as viewer_id \gset
select fx.standard_card(:'payer') as card \gset

create function pg_temp.seen(p_user uuid, p_member_id uuid default null) returns setof text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return query
    select concat_ws(' ', left(r.tx_no, 3), left(r.card_no, 3), r.merchant_code, r.final_amount, r.refunded_amount, r.remaining_amount,
                     r.balance_change, r.tag, r.external_order_id)
    from public.get_member_transactions(p_member_id) r;
end;
$$;
create function pg_temp.sold(p_user uuid, p_merchant_id uuid) returns setof text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return query
    select concat_ws(' ', left(r.tx_no, 3), left(r.card_no, 3), r.merchant_code, r.final_amount, r.refunded_amount, r.remaining_amount,
                     coalesce(r.balance_change::text, '-'), r.tag, r.external_order_id)
    from public.get_merchant_transactions(p_merchant_id) r;
end;
$$;

select fx.code(:'payer') as code, fx.code(:'payer', :'shared') as shared_code \gset
select fx.act_as(:'cashier');
select tx_no from public.merchant_charge_by_qr('S1', :'code', 100, null, '{"table": 7}', 'o1') \gset
select fx.act_as(:'other_cashier');
select tx_no as shared_tx_no from public.merchant_charge_by_qr('S2', :'shared_code', 50) \gset
select fx.act_as(:'cashier');
select refund_tx_no from public.merchant_refund_tx('S1', :'tx_no', 30) \gset

-- Who sees what.
select results_eq(format('select * from pg_temp.seen(%L)', :'payer'),
  $$ values ('REF STD S1 30.00 30.00'), ('PAY PPD S2 50.00 0.00 50.00 -50.00'), ('PAY STD S1 100.00 30.00 70.00 -100.00'),
            ('ADJ PPD 500.00 500.00'), ('ADJ STD 1000.00 1000.00') $$,
  'a member sees every transaction of his cards, newest first, without the merchant''s tag and order');
select results_eq(format('select * from pg_temp.seen(%L, %L)', :'payer', :'payer_id'),
  format('select * from pg_temp.seen(%L)', :'payer'), 'NULL stands for the caller''s own member');
select results_eq(format('select * from pg_temp.seen(%L)', :'viewer'),
  $$ values ('PAY PPD S2 50.00 0.00 50.00 -50.00'), ('ADJ PPD 500.00 500.00') $$, 'who only sees a shared card sees its transactions');
select is_empty(format('select * from pg_temp.seen(%L)', :'stranger'), 'a member without transactions sees none');
select results_eq(format('select * from pg_temp.seen(%L, %L)', :'admin', :'payer_id'),
  $$ values ('REF STD S1 30.00 30.00'), ('PAY PPD S2 50.00 0.00 50.00 -50.00'), ('PAY STD S1 100.00 30.00 70.00 -100.00 {"table": 7} o1'),
            ('ADJ PPD 500.00 500.00 {"reason": "fixture"}'), ('ADJ STD 1000.00 1000.00 {"reason": "fixture"}') $$,
  'an admin sees a member''s, with tag and order');
select results_eq(format('select * from pg_temp.sold(%L, %L)', :'cashier', :'s1'),
  $$ values ('REF STD S1 30.00 -'), ('PAY STD S1 100.00 30.00 70.00 - {"table": 7} o1') $$,
  'a cashier sees his merchant''s transactions, with tag and order, without what became of the balance');
select results_eq(format('select * from pg_temp.sold(%L, %L)', :'boss', :'s1'),
  format('select * from pg_temp.sold(%L, %L)', :'cashier', :'s1'), 'the owner sees the same');
select results_eq(format('select * from pg_temp.sold(%L, %L)', :'admin', :'s2'),
  $$ values ('PAY PPD S2 50.00 0.00 50.00 -50.00') $$, 'an admin sees every merchant''s');
update app.member_profiles set status = 'suspended' where id = :'viewer_id';
select is((select count(*)::int from pg_temp.seen(:'viewer')), 2, 'a suspended member still sees');
update app.member_profiles set status = 'active' where id = :'viewer_id';
update app.merchants set status = 'suspended' where code = 'S1';
select is((select count(*)::int from pg_temp.sold(:'cashier', :'s1')), 2, 'so does a suspended merchant');
update app.merchants set status = 'active' where code = 'S1';

-- The same row everywhere.
select fx.act_as(:'payer');
select results_eq(
  'select to_jsonb(r) - ''balance_change'' from public.get_member_transactions() r',
  'select to_jsonb(d) from public.get_member_transactions() r cross join lateral public.get_transaction_detail(r.tx_no) d order by r.tx_id desc',
  'a member''s row is the detail''s');
select results_eq('select * from public.get_member_transactions()', 'select * from public.get_member_transactions_page()',
  'and that of the page by key');
select fx.act_as(:'cashier');
select results_eq(
  format('select to_jsonb(r) - ''balance_change'' from public.get_merchant_transactions(%L) r', :'s1'),
  format('select to_jsonb(d) from public.get_merchant_transactions(%L) r cross join lateral public.get_transaction_detail(r.tx_no) d
          order by r.tx_id desc', :'s1'),
  'a merchant''s row is the detail''s');
select results_eq(format('select * from public.get_merchant_transactions(%L)', :'s1'),
  format('select * from public.get_merchant_transactions_page(%L)', :'s1'), 'and that of the page by key');
select is_empty(
  format('select r from public.get_merchant_transactions(%L) r
          where r::text ~ ''payer|%s|%s|%s''', :'s1', :'payer_id', :'payer', :'cashier'),
  'nothing in it says who paid or who was at the till');
select fx.act_as(:'payer');
select is_empty(format('select r from public.get_member_transactions() r where r::text ~ ''%s|%s''', :'cashier', :'other_cashier'),
  'nor in a member''s row');

-- A voucher goes whole.
select fx.make_card('voucher', 80, null, :'viewer') as voucher \gset
select fx.code(:'viewer', :'voucher') as voucher_code \gset
select fx.act_as(:'other_cashier');
select tx_no as voucher_tx_no from public.merchant_charge_by_qr('S2', :'voucher_code', 60) \gset
select results_eq(format('select * from pg_temp.seen(%L) limit 1', :'viewer'), $$ values ('PAY VCH S2 60.00 0.00 60.00 -80.00') $$,
  'the owner of a voucher sees that all of it went');
select results_eq(format('select * from pg_temp.sold(%L, %L) limit 1', :'other_cashier', :'s2'),
  $$ values ('PAY VCH S2 60.00 0.00 60.00 -') $$, 'the merchant sees what it is paid');

-- Bindings come and go.
delete from app.card_bindings where card_id = :'shared';
select is((select count(*)::int from pg_temp.seen(:'viewer') r where r like '%PPD%'), 0, 'who was unbound sees the card no more');
select results_eq(format('select r from pg_temp.seen(%L) r where r like ''%%PPD%%''', :'payer'),
  $$ values ('PAY PPD S2 50.00 0.00 50.00 -50.00') $$, 'but what he paid himself he still sees');
select fx.bind(:'shared', :'payer', 'owner');

-- Refusals.
create function pg_temp.listing(p_user uuid, p_rpc text, p_arguments text) returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.%I(%s)', p_rpc, p_arguments)) $$;
select is(pg_temp.listing(c.user_id::uuid, l.kind || l.page, format('%L', c.object)), c.expected, format('%s%s for %s', l.kind, l.page, c.who))
from (values
    ('get_member_transactions', :'nobody', null, 'PT404 MEMBER_NOT_FOUND', 'a user who is no member'),
    ('get_member_transactions', :'stranger', :'payer_id', 'PT404 MEMBER_NOT_FOUND', 'somebody else''s member'),
    ('get_member_transactions', :'cashier', :'payer_id', 'PT404 MEMBER_NOT_FOUND', 'a cashier who was paid by the member'),
    ('get_member_transactions', :'admin', :'s1', 'PT404 MEMBER_NOT_FOUND', 'an admin who names no member'),
    ('get_member_transactions', null, :'payer_id', 'PT401 NOT_AUTHENTICATED', 'nobody'),
    ('get_merchant_transactions', :'other_cashier', :'s1', 'PT404 MERCHANT_NOT_FOUND', 'another merchant''s cashier'),
    ('get_merchant_transactions', :'payer', :'s1', 'PT404 MERCHANT_NOT_FOUND', 'a customer'),
    ('get_merchant_transactions', :'cashier', :'payer_id', 'PT404 MERCHANT_NOT_FOUND', 'an unknown merchant'),
    ('get_merchant_transactions', :'admin', null, 'PT404 MERCHANT_NOT_FOUND', 'NULL'),
    ('get_merchant_transactions', null, :'s1', 'PT401 NOT_AUTHENTICATED', 'nobody')
  ) as c (kind, user_id, object, expected, who)
join (values ('get_member_transactions', ''), ('get_member_transactions', '_page'), ('get_merchant_transactions', ''),
             ('get_merchant_transactions', '_page')) as l (kind, page) on l.kind = c.kind;
select is(
  (select array_agg(distinct pg_temp.listing(:'nobody', l.rpc, format('%L, %s', :'payer_id', a.arguments)))
   from (values ('get_member_transactions'), ('get_member_transactions_page'), ('get_merchant_transactions'),
                ('get_merchant_transactions_page')) as l (rpc)
   cross join (values ('0'), ('201'), ('-1')) as a (arguments)),
  array['PT400 MALFORMED_ARGUMENT'], 'a page has from 1 to 200 rows, and that comes before whose it is');
select is(
  (select array_agg(distinct pg_temp.listing(:'nobody', l.rpc, format('%L, 10, -1', :'payer_id')))
   from (values ('get_member_transactions'), ('get_merchant_transactions')) as l (rpc)),
  array['PT400 MALFORMED_ARGUMENT'], 'an offset is not negative');
select is(
  (select array_agg(distinct pg_temp.listing(:'nobody', l.rpc, format('%L, p_start_date => %s', :'payer_id', a.period)))
   from (values ('get_member_transactions'), ('get_member_transactions_page'), ('get_merchant_transactions'),
                ('get_merchant_transactions_page')) as l (rpc)
   cross join (values ('''2026-01-02'', p_end_date => ''2026-01-01'''), ('''2026-01-01'', p_end_date => ''2026-01-01''')) as a (period)),
  array['PT422 INVALID_PERIOD'], 'a period begins before it ends');
select is(pg_temp.listing(:'payer', 'get_member_transactions', 'null, null, null, ''-infinity'', ''infinity'''), 'no refusal',
  'NULL stands for every default, and all time is a period');
select is(pg_temp.listing(:'payer', 'get_member_transactions', 'null, 200, 2147483647, ''4000-01-01 BC'', ''200000-01-01'''), 'no refusal',
  'no offset and no date overflows');

-- Pages: 130 payments on two cards, a minute apart, in the order of their numbers; some in pairs at one moment.
create function pg_temp.past(p_no int, p_card uuid, p_member uuid, p_merchant uuid, p_at timestamptz, p_drawn_at timestamptz default null)
returns void language sql as $$
  with t as (
    insert into app.transactions (id, tx_no, tx_type, card_id, member_id, merchant_id, raw_amount, final_amount, created_at)
    values (app.uuid_v7(coalesce(p_drawn_at, p_at)), 'PAY9' || lpad(p_no::text, 9, '0'), 'payment', p_card, p_member, p_merchant, 1, 1, p_at)
    returning tx_no, id)
  insert into app.transaction_numbers (tx_no, tx_id) select t.tx_no, t.id from t
$$;
select pg_temp.past(n, case when n % 3 = 0 then :'shared'::uuid else :'card'::uuid end, :'payer_id', :'s1',
                    timestamptz '2026-03-01 00:00:00+00' + n / 2 * interval '1 minute')
from generate_series(1, 130) n;
create function pg_temp.pages(p_kind text, p_object uuid, p_limit int) returns setof uuid language plpgsql as $$
declare
  v_page uuid[];
  v_last uuid;
begin
  for v_page_no in 1 .. 100 loop
    execute format('select array(select r.tx_id from public.get_%s_transactions_page($1, $2, $3) r)', p_kind)
      into v_page using p_object, p_limit, v_last;
    exit when cardinality(v_page) = 0;
    return query select unnest(v_page);
    v_last := v_page[cardinality(v_page)];
  end loop;
end;
$$;
create function pg_temp.offsets(p_kind text, p_object uuid, p_limit int) returns setof uuid language plpgsql as $$
declare
  v_offset int := 0;
begin
  loop
    return query execute format('select r.tx_id from public.get_%s_transactions($1, $2, $3) r', p_kind) using p_object, p_limit, v_offset;
    exit when not found;
    v_offset := v_offset + p_limit;
  end loop;
end;
$$;
select fx.act_as(:'payer');
select is((select count(*)::int from public.get_member_transactions()), 50, 'a page has 50 rows unless asked otherwise');
select is((select count(*)::int from public.get_member_transactions(null, 200)), 135, 'up to 200');
create temporary view all_of_payer as
  select t.id from app.transactions t where t.card_id in (:'card', :'shared') order by t.id desc;
select results_eq('select * from pg_temp.pages(''member'', null, 7)', 'select * from all_of_payer', 'pages by key show each row once, in order');
select results_eq('select * from pg_temp.offsets(''member'', null, 11)', 'select * from all_of_payer', 'so do pages by offset');
select is(
  (select count(*)::int from generate_series(1, 20) n
   where array(select r.tx_id from public.get_member_transactions(null, n) r) <> array(select a.id from all_of_payer a limit n)), 0,
  'a page of two cards takes the newest of both');
select fx.bind(:'shared', :'viewer', 'viewer');
select fx.act_as(:'viewer');
select results_eq('select * from pg_temp.offsets(''member'', null, 11)',
  format('select t.id from app.transactions t where t.card_id in (%L, %L) order by t.id desc', :'shared', :'voucher'),
  'and of a card for which others paid');
select fx.act_as(:'cashier');
select results_eq(format('select * from pg_temp.pages(''merchant'', %L, 7)', :'s1'),
  format('select t.id from app.transactions t where t.merchant_id = %L order by t.id desc', :'s1'), 'a merchant''s pages by key fit together');
select results_eq(format('select * from pg_temp.offsets(''merchant'', %L, 11)', :'s1'),
  format('select t.id from app.transactions t where t.merchant_id = %L order by t.id desc', :'s1'), 'and by offset');

-- Periods, exact although ids are drawn before created_at.
select pg_temp.past(1001, :'card', :'payer_id', :'s1', '2026-04-01 00:00:00+00', '2026-03-31 23:50:00+00');
select pg_temp.past(1002, :'card', :'payer_id', :'s1', '2026-04-01 23:59:59.999999+00', '2026-04-02 00:00:30+00');
select pg_temp.past(1003, :'card', :'payer_id', :'s1', '2026-04-02 00:00:00+00', '2026-04-01 23:59:59+00');
select pg_temp.past(1004, :'card', :'payer_id', :'s1', '2026-03-31 23:59:59.999999+00', '2026-03-31 23:59:59+00');
create function pg_temp.numbers(p_rpc text, p_object uuid) returns text language plpgsql as $$
declare
  v_numbers text;
begin
  execute format('select string_agg(right(r.tx_no, 4), '' '') from public.%I($1, p_start_date => ''2026-04-01 08:00:00+08'',
    p_end_date => ''2026-04-02 00:00:00Z'') r', p_rpc) into v_numbers using p_object;
  return v_numbers;
end;
$$;
select is((select array_agg(distinct pg_temp.numbers(l.rpc, :'s1')) from (values ('get_merchant_transactions'), ('get_merchant_transactions_page')) as l (rpc)),
  array['1002 1001'], 'a merchant''s period has its first moment and not its end');
select fx.act_as(:'payer');
select is((select array_agg(distinct pg_temp.numbers(l.rpc, null)) from (values ('get_member_transactions'), ('get_member_transactions_page')) as l (rpc)),
  array['1002 1001'], 'a member''s too');
select is((select string_agg(right(r.tx_no, 4), ' ') from public.get_member_transactions_page(null, 10,
    (select t.id from app.transactions t where t.tx_no like '%1002'), '2026-04-01') r), '1003 1001',
  'a page by key stays in its period');
select is(
  (select string_agg(right(r.tx_no, 3), ' ' order by r.tx_no) from public.get_member_transactions(null, 2, 2, null, '2026-03-01 00:10:00Z') r),
  '016 017',
  'the offset counts within the period');

select bag_eq(
  $$ select p.proname::text from pg_catalog.pg_proc p
     where p.pronamespace = 'public'::regnamespace and p.provolatile = 's' and p.proname ~ '^get_(member|merchant)_transactions' $$,
  $$ values ('get_member_transactions'), ('get_member_transactions_page'), ('get_merchant_transactions'), ('get_merchant_transactions_page') $$,
  'a listing cannot write');
select * from finish();
rollback;
