-- What a card can hold: every credit is bounded by its type, and a provider's payment above that waits for an admin.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_merchant('S1');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_merchant_user('S1', 'manager') as manager \gset
select fx.make_member('payer@fixture.example', 100) as payer \gset
select fx.member_id(:'payer') as payer_id \gset
select fx.standard_card(:'payer') as card \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');

create function pg_temp.refuses(p_expected text, p_why text, p_role text, p_user uuid, p_call text) returns setof text language sql as $$
  select fx.refuses(p_expected, p_why, p_role, p_user, 'select * from public.' || p_call) $$;
create function pg_temp.as_user(p_user uuid, p_call text) returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, 'select * from public.' || p_call) $$;
create function pg_temp.limit_of(p_user uuid, p_call text) returns text language plpgsql as $$
declare
  v_detail text;
begin
  perform fx.act_as(p_user);
  execute 'select * from public.' || p_call;
  return 'no refusal';
exception when others then
  get stacked diagnostics v_detail = pg_exception_detail;
  return v_detail;
end;
$$;

select is((select string_agg(replace(s.key, 'card_balance_max_', '') || ' ' || s.value, ', ' order by s.key) from app.settings s where s.key like 'card_balance_max_%'),
  'corporate 10000000.00, prepaid 10000000.00, standard 10000000.00, voucher 10000000.00', 'each type of card has its bound');
select is((select count(*)::int from app.card_type_rules r where not exists (select from app.settings s where s.key = 'card_balance_max_' || r.card_type)), 0,
  'none has none');

-- An admin.
select * from pg_temp.refuses('PT409 BALANCE_OVER_LIMIT', 'an adjustment above it', 'authenticated', :'admin', format('adjust_card_balance(%L, 9999900.01, %L)', :'card', 'x'));
select * from pg_temp.refuses('PT409 BALANCE_OVER_LIMIT', 'the largest amount that there is', 'authenticated', :'admin', format('adjust_card_balance(%L, 999999999999.99, %L)', :'card', 'x'));
select is(pg_temp.limit_of(:'admin', format('adjust_card_balance(%L, 9999900.01, %L)', :'card', 'x')), '{"limit": "10000000.00"}', 'the refusal names the bound and no balance');
select is(pg_temp.as_user(:'admin', format('adjust_card_balance(%L, 9999900.00, %L)', :'card', 'x')), 'no refusal', 'up to it is right');
select is(pg_temp.as_user(:'admin', format('adjust_card_balance(%L, -0.01, %L)', :'card', 'x')), 'no refusal', 'and whatever takes money off');
select * from pg_temp.refuses('PT409 BALANCE_OVER_LIMIT', 'a card issued with more', 'authenticated', :'admin', format('create_voucher_card(%L, null, 10000000.01)', :'payer_id'));
select is(pg_temp.as_user(:'admin', format('create_prepaid_card(%L, null, 10000000.00)', :'payer_id')), 'no refusal', 'one issued with all of it');

-- Cash.
select * from pg_temp.refuses('PT409 BALANCE_OVER_LIMIT', 'a cashier''s cash', 'authenticated', :'cashier', format('user_recharge_card(%L, 1.00, p_merchant_code => %L)', :'card', 'S1'));
select * from pg_temp.refuses('PT409 BALANCE_OVER_LIMIT', 'an admin''s', 'authenticated', :'admin', format('user_recharge_card(%L, 1.00)', :'card'));

-- Orders and providers.
update app.settings set value = '500.00' where key = 'card_balance_max_standard';
select fx.make_member('buyer@fixture.example', 100) as buyer \gset
select fx.standard_card(:'buyer') as bought \gset
select * from pg_temp.refuses('PT409 BALANCE_OVER_LIMIT', 'an order of more', 'authenticated', :'buyer', format('create_recharge_order(%L, 400.01, %L)', :'bought', 'wechat'));
select fx.act_as(:'buyer') \g /dev/null
select order_no from public.create_recharge_order(:'bought', 400, 'wechat') \gset
select is(pg_temp.as_user(:'admin', format('adjust_card_balance(%L, 0.01, %L)', :'bought', 'x')), 'no refusal', 'meanwhile the card gets some');
select fx.act_as_service() \g /dev/null
select is((select concat_ws(' ', r.order_status, r.payment_status, r.review_reason, r.tx_no) from public.complete_recharge_order(:'order_no', 'wechat', 'W1', 400, 'CNY', now()) r),
  'needs_review needs_review balance_over_limit', 'what was paid is recorded and waits for an admin');
select is((select c.balance from app.cards c where c.id = :'bought'), 100.01::numeric, 'nothing is credited');
select * from pg_temp.refuses('PT409 BALANCE_OVER_LIMIT', 'an admin cannot credit it', 'authenticated', :'admin', format('resolve_recharge_order(%L, %L, %L)', :'order_no', 'W1', 'credit'));
select is(pg_temp.as_user(:'admin', format('adjust_card_balance(%L, -0.01, %L)', :'bought', 'x')), 'no refusal', 'until there is room');
select is(pg_temp.as_user(:'admin', format('resolve_recharge_order(%L, %L, %L)', :'order_no', 'W1', 'credit')), 'no refusal', 'and then they can');

-- Refunds.
select fx.code(:'buyer', :'bought') as code \gset
select fx.act_as(:'cashier') \g /dev/null
select tx_no from public.merchant_charge_by_qr('S1', :'code', 200) \gset
select is(pg_temp.as_user(:'admin', format('adjust_card_balance(%L, 200, %L)', :'bought', 'x')), 'no refusal', 'a card that paid is filled up');
select * from pg_temp.refuses('PT409 BALANCE_OVER_LIMIT', 'a refund onto a full card', 'authenticated', :'manager', format('merchant_refund_tx(%L, %L, 0.01)', 'S1', :'tx_no'));
update app.settings set value = '500.01' where key = 'card_balance_max_standard';
select is(pg_temp.as_user(:'cashier', format('merchant_refund_tx(%L, %L, 0.01)', 'S1', :'tx_no')), 'no refusal', 'goes when there is room');
select fx.make_card('voucher', 50, null, :'buyer') as voucher \gset
select fx.code(:'buyer', :'voucher') as code \gset
select fx.act_as(:'cashier') \g /dev/null
select tx_no from public.merchant_charge_by_qr('S1', :'code', 50) \gset
update app.settings set value = '49.99' where key = 'card_balance_max_voucher';
select * from pg_temp.refuses('PT409 BALANCE_OVER_LIMIT', 'a voucher''s refund', 'authenticated', :'cashier', format('merchant_refund_tx(%L, %L, 50)', 'S1', :'tx_no'));

-- A lowered bound takes nothing away.
update app.settings set value = '1.00' where key = 'card_balance_max_standard';
select fx.code(:'buyer', :'bought') as code \gset
select is(pg_temp.as_user(:'cashier', format('merchant_charge_by_qr(%L, %L, 10)', 'S1', :'code')), 'no refusal', 'who holds more than a lowered bound goes on paying');

select fx.act_as_service() \g /dev/null
select is_empty('select * from public.verify_ledger()', 'and the books are right');
select * from finish();
rollback;
