-- Refunds: partial and repeated until the payment is used up, with their points.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(53);

select fx.make_merchant('S1');
select fx.make_merchant('S2');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_merchant_user('S1', 'manager') as manager \gset
select fx.make_merchant_user('S2') as other_cashier \gset
select fx.make_member('payer@fixture.example', 5000, 1200) as payer \gset
select fx.standard_card(:'payer') as card \gset

create function pg_temp.pay(p_user uuid, p_card uuid, p_cashier uuid, p_amount numeric) returns text language plpgsql as $$
declare
  v_code text := fx.code(p_user, p_card);
begin
  perform fx.act_as(p_cashier);
  return (select c.tx_no from public.merchant_charge_by_qr('S1', v_code, p_amount) c);
end;
$$;
create function pg_temp.refund_as(p_user uuid, p_tx_no text, p_amount text, p_key text default null, p_merchant text default 'S1')
returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.merchant_refund_tx(%L, %L, %L, null, %L)',
    p_merchant, p_tx_no, p_amount, p_key)) $$;
create function pg_temp.refund(p_user uuid, p_tx_no text, p_amount numeric, p_key text default null) returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select concat_ws(' ', r.refunded_amount, r.remaining, r.points_taken, r.replayed)
          from public.merchant_refund_tx('S1', p_tx_no, p_amount, null, p_key) r);
end;
$$;
create function pg_temp.card(p_card uuid) returns text language sql as $$
  select concat_ws(' ', c.balance, c.points, c.level) from app.cards c where c.id = p_card $$;
create function pg_temp.refuses(p_expected text, p_why text, p_user uuid, p_tx_no text, p_amount text, p_key text default null, p_merchant text default 'S1')
returns setof text language plpgsql as $$
declare
  v_before text := (select string_agg(s::text, ',') from fx.state() s);
begin
  return next is(pg_temp.refund_as(p_user, p_tx_no, p_amount, p_key, p_merchant), p_expected, p_why);
  return next is((select string_agg(s::text, ',') from fx.state() s), v_before, p_why || ': and nothing changed');
end;
$$;

-- 299.00 x 0.950 = 284.05, 299 points.
select pg_temp.pay(:'payer', :'card', :'cashier', 299) as tx_no \gset
select is(pg_temp.card(:'card'), '4715.95 1499 1', 'a payment to refund');
select is(pg_temp.refund(:'cashier', :'tx_no', 100, 'r1'), '100.00 184.05 105 f',
  'a part of it: floor(299 x 100 / 284.05) = 105 points go back');
select is(pg_temp.card(:'card'), '4815.95 1394 1', 'money and points are on the card');
select is(pg_temp.refund(:'cashier', :'tx_no', 0.01, 'r2'), '0.01 184.04 0 f', 'a cent more takes no point');
select is(pg_temp.refund(:'cashier', :'tx_no', 100, 'r1'), '100.00 184.05 105 t', 'the same key answers the first refund as it was');
select is(pg_temp.refund(:'manager', :'tx_no', 100, 'r1'), '100.00 184.05 105 t', 'to a colleague as well');
select is(pg_temp.card(:'card'), '4815.96 1394 1', 'and moves nothing');
select * from pg_temp.refuses('PT422 IDEMPOTENCY_KEY_REUSED', 'the same key with another amount', :'cashier', :'tx_no', '99.99', 'r1');
select * from pg_temp.refuses('PT409 REFUND_EXCEEDS_REMAINING', 'a cent more than is left', :'cashier', :'tx_no', '184.05');
select is(pg_temp.refund(:'cashier', :'tx_no', 184.04), '184.04 0.00 194 f', 'the last refund takes back the rest of the points');
select is(pg_temp.card(:'card'), '5000.00 1200 1', 'a full refund leaves the card as it was');
select * from pg_temp.refuses('PT409 REFUND_EXCEEDS_REMAINING', 'anything after a full refund', :'cashier', :'tx_no', '0.01');
select bag_eq(
  format('select e.account, sum(e.delta) from app.ledger_entries e join app.transactions t on t.id = e.tx_id
          where t.tx_no = %L or t.original_tx_id = (select n.tx_id from app.transaction_numbers n where n.tx_no = %1$L) group by 1', :'tx_no'),
  $$ values ('card', 0.00), ('merchant_payable', 0.00) $$, 'card and merchant are even');
select is((select count(*)::int from audit.event_log where action = 'payment.refunded'), 3, 'each refund is audited once');

-- Refusals.
select pg_temp.pay(:'payer', :'card', :'cashier', 2000) as tx_no \gset
select * from pg_temp.refuses('PT422 INVALID_REFUND_AMOUNT', 'NaN', :'cashier', :'tx_no', 'NaN');
select * from pg_temp.refuses('PT422 INVALID_REFUND_AMOUNT', 'a negative amount', :'cashier', :'tx_no', '-1');
select * from pg_temp.refuses('PT422 INVALID_REFUND_AMOUNT', 'three decimals', :'cashier', :'tx_no', '1.001');
select * from pg_temp.refuses('PT403 NOT_MERCHANT_USER', 'a stranger', :'payer', :'tx_no', '1');
select * from pg_temp.refuses('PT404 ORIGINAL_TX_NOT_FOUND', 'another merchant''s cashier, at his own shop', :'other_cashier', :'tx_no', '1', null, 'S2');
select is((select pg_temp.refund_as(:'cashier', r.tx_no, '1') from app.transactions r where r.tx_type = 'refund' limit 1),
  'PT409 ONLY_COMPLETED_PAYMENT_REFUNDABLE', 'a refund is not refunded');
select is(pg_temp.refund_as(:'cashier', :'tx_no', '1000.01'), 'PT403 REFUND_NEEDS_MANAGER', 'a cashier refunds up to 1000.00');
select is(pg_temp.refund_as(:'cashier', :'tx_no', '1000.00'), 'no refusal', 'to the cent');
update app.merchants set status = 'suspended' where code = 'S1';
update app.member_profiles set status = 'suspended' where auth_user_id = :'payer';
select is(pg_temp.refund_as(:'manager', :'tx_no', '500'), 'no refusal', 'refunds go on while merchant and member are suspended');
update app.merchants set status = 'active' where code = 'S1';
update app.member_profiles set status = 'active' where auth_user_id = :'payer';

-- Points that are gone cannot be taken.
select fx.make_member('spender@fixture.example', 1000) as spender \gset
select pg_temp.pay(:'spender', fx.standard_card(:'spender'), :'cashier', 300) as tx_no \gset
select app.change_points(fx.standard_card(:'spender'), -250, null, 'test', clock_timestamp());
select is(pg_temp.refund(:'cashier', :'tx_no', 300), '300.00 0.00 50 f', 'at most the points left are taken');
update app.settings set value = 'keep' where key = 'refund_points';
select pg_temp.pay(:'spender', fx.standard_card(:'spender'), :'cashier', 300) as tx_no \gset
select is(pg_temp.refund(:'cashier', :'tx_no', 300), '300.00 0.00 0 f', 'with the policy keep none are');
update app.settings set value = 'clawback' where key = 'refund_points';

-- Vouchers and closed cards.
select fx.make_card('voucher', 100, null, :'payer') as voucher \gset
update app.cards set expires_at = now() + interval '5 days' where id = :'voucher';
select pg_temp.pay(:'payer', :'voucher', :'cashier', 60) as tx_no \gset
select * from pg_temp.refuses('PT422 REFUND_WHOLE_ONLY', 'a voucher is not refunded in parts', :'cashier', :'tx_no', '59.99');
select * from pg_temp.refuses('PT409 REFUND_EXCEEDS_REMAINING', 'nor above what it paid', :'cashier', :'tx_no', '60.01');
select is(pg_temp.refund(:'cashier', :'tx_no', 60), '60.00 0.00 0 f', 'a voucher''s refund');
select * from pg_temp.refuses('PT409 REFUND_EXCEEDS_REMAINING', 'and once', :'cashier', :'tx_no', '60');
select is((select count(*)::int from app.cards c join app.cards o on o.id = :'voucher'
           where c.card_type = 'voucher' and c.status = 'active' and c.balance = 60
             and c.personal_member_id = o.personal_member_id), 1, 'is a new voucher of the same owner');
create function pg_temp.voucher_of(p_tx_no text) returns uuid language sql as $$
  select r.card_id from app.transactions r join app.transactions t on t.id = r.original_tx_id where t.tx_no = p_tx_no $$;
create function pg_temp.expiry(p_card uuid) returns timestamptz language sql as $$ select c.expires_at from app.cards c where c.id = p_card $$;
select created_at as paid_at from app.transactions where tx_no = :'tx_no' \gset
select pg_temp.voucher_of(:'tx_no') as reissued \gset
select is(pg_temp.expiry(:'reissued'), :'paid_at'::timestamptz + interval '30 days', 'it lives 30 days from the payment when the first one lived no longer');
update app.cards set expires_at = now() + interval '3 days' where id = :'reissued';
select pg_temp.pay(:'payer', :'reissued', :'cashier', 50) as again \gset
select is(pg_temp.refund(:'cashier', :'again', 50), '50.00 0.00 0 f', 'what it pays is refunded too');
select is(pg_temp.expiry(pg_temp.voucher_of(:'again')), pg_temp.expiry(:'reissued'), 'by one that lives no longer for it');
select fx.make_card('voucher', 10, null, :'payer') as lasting \gset
update app.cards set expires_at = now() + interval '90 days' where id = :'lasting';
select pg_temp.pay(:'payer', :'lasting', :'cashier', 10) as tx_of_lasting \gset
select is(pg_temp.refund(:'cashier', :'tx_of_lasting', 10), '10.00 0.00 0 f', 'a lasting voucher is refunded');
select is(pg_temp.expiry(pg_temp.voucher_of(:'tx_of_lasting')), pg_temp.expiry(:'lasting'), 'by one of the same expiry');
select fx.make_card('voucher', 10, null, :'payer') as endless \gset
select pg_temp.pay(:'payer', :'endless', :'cashier', 10) as tx_of_endless \gset
select is(pg_temp.refund(:'cashier', :'tx_of_endless', 10), '10.00 0.00 0 f', 'one without expiry is refunded');
select is(pg_temp.expiry(pg_temp.voucher_of(:'tx_of_endless')), null, 'by one without');
select is(pg_temp.card(:'voucher'), '0.00 0 0', 'the spent one stays spent');
select fx.make_card('prepaid', 100) as prepaid \gset
select fx.bind(:'prepaid', :'payer', 'owner');
select pg_temp.pay(:'payer', :'prepaid', :'cashier', 100) as tx_no \gset
update app.cards set status = 'closed' where id = :'prepaid';
select * from pg_temp.refuses('PT409 CARD_NOT_ACTIVE', 'a refund onto a closed card', :'cashier', :'tx_no', '1');
update app.cards set status = 'frozen' where id = :'prepaid';
select is(pg_temp.refund_as(:'cashier', :'tx_no', '1'), 'no refusal', 'a frozen card takes one');

select fx.act_as_service();
select is_empty('select * from public.verify_ledger()', 'and the books are right');
select * from finish();
rollback;
