-- What a provider reports against a payment of a recharge order: recorded once, with its facts, and an admin ends its review.
begin;
set local search_path = public, extensions;
set local client_min_messages = error;
select plan(24);

select fx.make_member('owner@fixture.example', 10) as owner \gset
select fx.standard_card(:'owner') as card \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');

select fx.act_as(:'owner');
select order_no as paid from public.create_recharge_order(:'card', 100, 'wechat') \gset
select order_no as unpaid from public.create_recharge_order(:'card', 50, 'alipay') \gset
select fx.act_as_service();
select tx_no as tx from public.complete_recharge_order(:'paid', 'wechat', 'WX1', 100, 'CNY', clock_timestamp()) \gset
select c.balance as before from app.cards c where c.id = :'card' \gset

create function pg_temp.reports(p_order text, p_event text, p_kind text default 'refunded', p_amount text default '40')
returns text language sql as $$
  select format('select public.report_recharge_event(%L, %L, %L, %L, %L, %L, %L)', p_order, 'wechat', p_event, p_kind, '{"refund_id": "R1"}',
    'WX1', p_amount) $$;

select results_eq(
  format('select status, replayed from public.report_recharge_event(%L, %L, %L, %L, %L, %L, 40)',
    :'paid', 'wechat', 'R1', 'refunded', '{"refund_id": "R1"}', 'WX1'),
  $$ values ('needs_review'::text, false) $$, 'a refund after crediting waits for an admin');
select results_eq(
  format('select status, replayed from public.report_recharge_event(%L, %L, %L, %L, %L, %L, 40)',
    :'paid', 'wechat', 'R1', 'refunded', '{"refund_id": "R1"}', 'WX1'),
  $$ values ('needs_review'::text, true) $$, 'the same notice again is answered and recorded once');
select is((select count(*) from app.recharge_events), 1::bigint, 'there is one row');
select is((select e.facts from app.recharge_events e), '{"refund_id": "R1"}'::jsonb, 'it has the provider''s facts');
select is((select c.balance from app.cards c where c.id = :'card'), :'before'::numeric, 'the card keeps its money until somebody decides');
select results_eq(
  format('select status, replayed from public.report_recharge_event(%L, %L, %L, %L, %L)', :'unpaid', 'alipay', 'C1', 'closed', '{}'),
  $$ values ('ignored'::text, false) $$, 'an order that nobody paid is closed without a word');
select results_eq(
  format('select status, replayed from public.report_recharge_event(%L, %L, %L, %L, %L)', :'paid', 'wechat', 'C2', 'closed', '{}'),
  $$ values ('needs_review'::text, false) $$, 'a credited order that is closed waits for an admin');
select results_eq(
  format('select status, replayed from public.report_recharge_event(%L, %L, %L, %L, %L, null, 50)', :'unpaid', 'alipay', 'R2', 'refunded', '{}'),
  $$ values ('needs_review'::text, false) $$, 'a refund that comes before its payment is not forgotten');
select is(
  (select count(*) from audit.event_log e where e.action = 'recharge.contradicted' and e.object_id = :'paid'), 2::bigint,
  'each is in the audit log with its order');

select throws_ok(pg_temp.reports('ORD9999999999', 'R3'), 'PT404', 'RECHARGE_ORDER_NOT_FOUND', 'an unknown order is refused');
select throws_ok(pg_temp.reports(:'paid', ''), 'PT400', 'MALFORMED_ARGUMENT', 'an event has an id');
select throws_ok(pg_temp.reports(:'paid', 'R3', 'paid'), 'PT400', 'MALFORMED_ARGUMENT', 'a kind is known');
select throws_ok(pg_temp.reports(:'paid', 'R3', 'refunded', '0'), 'PT422', 'INVALID_RECHARGE_AMOUNT', 'an amount is above zero');
select throws_ok(
  format('select public.report_recharge_event(%L, %L, %L, %L, %L)', :'paid', 'wechat', 'R3', 'closed', '[]'), 'PT400',
  'MALFORMED_ARGUMENT', 'facts are an object');
select throws_ok('update app.recharge_events set amount = 1', '55000', null, 'what was reported does not change');
select throws_ok('delete from app.recharge_events', '55000', null, 'what was reported does not go');

select fx.act_as(:'owner');
select throws_ok('select public.list_recharge_events()', 'PT403', 'PERMISSION_DENIED', 'members do not list them');
select fx.act_as(:'admin');
select is((select count(*) from public.list_recharge_events()), 3::bigint, 'an admin lists those that wait');
select e.recharge_event_id as event from public.list_recharge_events() e where e.kind = 'refunded' and e.order_no = :'paid' \gset
select throws_ok(format('select public.resolve_recharge_event(%L, %L)', :'event', ' '), 'PT400', 'MALFORMED_ARGUMENT', 'a review ends with a word');
select ok(public.resolve_recharge_event(:'event', 'taken off the card'), 'an admin ends a review');
select ok(not public.resolve_recharge_event(:'event', 'again'), 'a review ends once');
select is((select count(*) from public.list_recharge_events()), 2::bigint, 'what is resolved waits no longer');
select is(
  (select e.resolution_note from public.list_recharge_events(true) e where e.recharge_event_id = :'event'), 'taken off the card',
  'and is kept with its word');
select throws_ok(
  'select public.resolve_recharge_event(''0193b5a0-0000-7000-8000-0000000000ff'', ''x'')', 'PT404', 'RECHARGE_ORDER_NOT_FOUND',
  'an unknown event is refused');

select * from finish();
rollback;
