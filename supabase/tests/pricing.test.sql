-- What each type of card pays, and the limits.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(49);

select fx.make_merchant('S1');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 1000, 1200) as payer \gset
select fx.make_member('other@fixture.example', 1000) as other \gset
select fx.standard_card(:'payer') as card \gset

create function pg_temp.quote(p_user uuid, p_card uuid, p_cashier uuid, p_amount numeric default 100)
returns text language plpgsql as $$
declare
  v_code text := fx.code(p_user, p_card);
  v_quote text;
begin
  perform fx.act_as(p_cashier);
  select concat_ws(' ', q.discount, q.discount_source, q.final_amount, q.points_earned) into v_quote
  from public.quote_payment('S1', v_code, p_amount) q;
  return v_quote;
end;
$$;
create function pg_temp.charge(p_user uuid, p_card uuid, p_cashier uuid, p_amount numeric, p_order text default null)
returns text language plpgsql as $$
declare
  v_code text := fx.code(p_user, p_card);
begin
  return fx.refusal_as('authenticated', p_cashier,
    format('select public.merchant_charge_by_qr(%L, %L, %L, null, null, %L)', 'S1', v_code, p_amount, p_order));
end;
$$;

-- Standard cards: level, and corporate cards by reference.
select is(pg_temp.quote(:'other', fx.standard_card(:'other'), :'cashier'), '1.000 level 100.00 100', 'an ordinary member pays the price');
select is(pg_temp.quote(:'payer', :'card', :'cashier'), '0.950 level 95.00 100', 'silver pays 95 %');
select fx.make_card('corporate', 0, 0.900) as corporate \gset
select is(pg_temp.quote(:'payer', :'card', :'cashier'), '0.950 level 95.00 100', 'a corporate card of others changes nothing');
select fx.bind(:'corporate', :'payer', 'viewer');
select is(pg_temp.quote(:'payer', :'card', :'cashier'), '0.950 level 95.00 100', 'nor does one that he only sees');
update app.card_bindings set role = 'member' where card_id = :'corporate';
select is(pg_temp.quote(:'payer', :'card', :'cashier'), '0.900 corporate 90.00 100', 'a member of it gets its discount on his own card');
update app.cards set fixed_discount = 0.880 where id = :'corporate';
select is(pg_temp.quote(:'payer', :'card', :'cashier'), '0.880 corporate 88.00 100', 'by reference: a new rate acts at once');
update app.cards set fixed_discount = 0.950 where id = :'corporate';
select is(pg_temp.quote(:'payer', :'card', :'cashier'), '0.950 level 95.00 100', 'a tie goes to the level');
update app.cards set fixed_discount = 0.900, status = 'frozen' where id = :'corporate';
select is(pg_temp.quote(:'payer', :'card', :'cashier'), '0.950 level 95.00 100', 'a frozen corporate card gives nothing');
update app.cards set status = 'active', expires_at = now() where id = :'corporate';
select is(pg_temp.quote(:'payer', :'card', :'cashier'), '0.950 level 95.00 100', 'nor does an expired one');
update app.cards set expires_at = now() + interval '1 day' where id = :'corporate';
select fx.make_card('corporate', 0, 0.900) as later_corporate \gset
select fx.bind(:'later_corporate', :'payer', 'admin');
select is(pg_temp.charge(:'payer', :'card', :'cashier', 100), 'no refusal', 'two corporate cards with one rate');
select is((select t.discount_card_id from app.transactions t where t.tx_type = 'payment' order by t.created_at desc limit 1), :'corporate'::uuid,
  'the lower card number is the source that is stored');
delete from app.card_bindings where card_id in (:'corporate', :'later_corporate');
select is(pg_temp.quote(:'payer', :'card', :'cashier'), '0.950 level 95.00 100', 'unbinding acts at once');

-- Other types.
select fx.make_card('prepaid', 500, 0.800) as prepaid \gset
select fx.bind(:'prepaid', :'payer', 'owner');
select is(pg_temp.quote(:'payer', :'prepaid', :'cashier'), '0.800 card 80.00 100', 'a prepaid card has its fixed discount');
update app.cards set fixed_discount = null where id = :'prepaid';
select is(pg_temp.quote(:'payer', :'prepaid', :'cashier'), '1.000 level 100.00 100', 'else the level of its own points, not of its payer''s');
select app.change_points(:'prepaid', 5000, null, 'test', now());
select is(pg_temp.quote(:'payer', :'prepaid', :'cashier'), '0.900 level 90.00 100', 'which it collects itself');
select fx.credit(:'corporate', 500);
select fx.bind(:'corporate', :'payer', 'member');
select is(pg_temp.quote(:'payer', :'corporate', :'cashier'), '0.900 card 90.00 0', 'a corporate card pays with its discount and earns nothing');
update app.cards set fixed_discount = null where id = :'corporate';
select is(pg_temp.quote(:'payer', :'corporate', :'cashier'), '1.000 none 100.00 0', 'or with none');
select is(pg_temp.charge(:'payer', :'corporate', :'cashier', 100), 'no refusal', 'and is charged');
select is((select c.points::int from app.cards c where c.id = :'corporate'), 0, 'without points');
update app.card_type_rules set pays = 'no' where card_type = 'corporate';
select is(fx.refusal_as('authenticated', :'payer', format('select public.rotate_card_qr(%L)', :'corporate')),
  'PT422 UNSUPPORTED_CARD_TYPE_FOR_PAYMENT', 'what a type may do is data');
update app.card_type_rules set pays = 'yes' where card_type = 'corporate';

-- Points and levels.
select is(pg_temp.charge(:'other', fx.standard_card(:'other'), :'cashier', 999.99), 'no refusal', 'a charge of 999.99');
select is((select (c.points, c.level)::text from app.cards c where c.id = fx.standard_card(:'other')), '(999,0)', 'gives 999 points and no level');
select fx.credit(fx.standard_card(:'other'), 1000);
select is(pg_temp.charge(:'other', fx.standard_card(:'other'), :'cashier', 1.00), 'no refusal', 'one more');
select is((select (c.points, c.level)::text from app.cards c where c.id = fx.standard_card(:'other')), '(1000,1)', 'gives the level at once');
select is((select (p.level_before, p.level_after)::text from app.point_ledger p where p.card_id = fx.standard_card(:'other') order by p.id desc limit 1),
  '(0,1)', 'and the change of level is recorded');
select is((select t.discount from app.transactions t where t.card_id = fx.standard_card(:'other') and t.tx_type = 'payment' order by t.id desc limit 1),
  1.000, 'a payment''s own points do not lower its price');

-- A final of 0.00.
update app.cards set fixed_discount = 0.000 where id = :'prepaid';
select is(pg_temp.quote(:'payer', :'prepaid', :'cashier'), '0.000 card 0.00 0', 'a price of 0.00 is allowed and earns nothing');
select is(pg_temp.charge(:'payer', :'prepaid', :'cashier', 100), 'no refusal', 'it is charged');
select is((select count(*)::int from app.ledger_entries e join app.transactions t on t.id = e.tx_id where t.final_amount = 0), 0, 'and moves nothing');

-- Vouchers.
select fx.make_card('voucher', 100, null, :'payer') as voucher \gset
select is(pg_temp.charge(:'payer', :'voucher', :'cashier', 100.01), 'PT402 INSUFFICIENT_BALANCE', 'a voucher pays no more than it holds');
select is(pg_temp.charge(:'payer', :'voucher', :'cashier', 60), 'no refusal', 'it pays once');
select bag_eq(
  format('select e.account, e.delta from app.ledger_entries e join app.transactions t on t.id = e.tx_id
          where t.card_id = %L and t.tx_type = %L', :'voucher', 'payment'),
  $$ values ('card', -100.00), ('merchant_payable', 60.00), ('forfeited_vouchers', 40.00) $$, 'the rest is forfeited');
select is((select (c.balance, c.status)::text from app.cards c where c.id = :'voucher'), '(0.00,closed)', 'and the voucher is closed');

-- Limits.
update app.settings set value = '300.00' where key = 'payment_card_day_max';
select fx.make_member('limited@fixture.example', 1000) as limited \gset
select fx.standard_card(:'limited') as limited_card \gset
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 300.01), 'PT409 CARD_DAILY_LIMIT_EXCEEDED', 'one payment over the card''s day');
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 200), 'no refusal', 'the card''s day has room');
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 100.01), 'PT409 CARD_DAILY_LIMIT_EXCEEDED', 'until it is used up');
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 100), 'no refusal', 'to the cent');
update app.cards set paid_on = paid_on - 1 where id = :'limited_card';
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 300), 'no refusal', 'the next day begins anew');
select is(app.card_day('2026-01-31 15:59:59+00'), '2026-01-31'::date, 'days are the house''s');
select is(app.card_day('2026-01-31 16:00:00+00'), '2026-02-01'::date, 'whose midnight is Taipei''s');
update app.settings set value = '50000.00' where key = 'payment_card_day_max';
update app.merchants set day_max = 150 where code = 'S1';
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 100), 'no refusal', 'a merchant''s day has room');
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 50.01), 'PT409 MERCHANT_DAILY_LIMIT_EXCEEDED', 'until it is used up');
update app.merchants set day_max = null where code = 'S1';

-- No limit is skipped because its setting is missing or no number.
delete from app.settings where key = 'payment_amount_max';
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 1), 'PT503 NOT_CONFIGURED', 'a missing limit stops the charge');
insert into app.settings values ('payment_amount_max', '50000.00', 'amount', 'Most for one payment');
select is(left(fx.refusal($$ update app.settings set value = 'NaN' where key = 'payment_amount_max' $$), 5), '23514', 'a limit is an amount');
select is(left(fx.refusal($$ update app.settings set value = 'Mars/X' where key = 'time_zone' $$), 5), '23514', 'a time zone is one that exists');
select is(left(fx.refusal(format('update app.cards set balance = ''NaN'' where id = %L', :'limited_card')), 5), '23514', 'no balance is NaN');

-- Orders: a full refund frees one.
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 10, 'order-1'), 'no refusal', 'an order is paid');
insert into app.transactions (id, tx_no, tx_type, card_id, member_id, merchant_id, original_tx_id, raw_amount, final_amount, created_at)
select app.uuid_v7(), app.next_tx_no('REF'), 'refund', t.card_id, t.member_id, t.merchant_id, t.id, t.final_amount - 0.01, t.final_amount - 0.01, now()
from app.transactions t where t.external_order_id = 'order-1';
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 10, 'order-1'), 'PT409 EXTERNAL_ORDER_ALREADY_PAID', 'a partial refund keeps it');
insert into app.transactions (id, tx_no, tx_type, card_id, member_id, merchant_id, original_tx_id, raw_amount, final_amount, created_at)
select app.uuid_v7(), app.next_tx_no('REF'), 'refund', t.card_id, t.member_id, t.merchant_id, t.id, 0.01, 0.01, now()
from app.transactions t where t.external_order_id = 'order-1';
select is(pg_temp.charge(:'limited', :'limited_card', :'cashier', 10, 'order-1'), 'no refusal', 'a full refund frees it');

select * from finish();
rollback;
