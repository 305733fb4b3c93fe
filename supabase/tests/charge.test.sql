-- The charge: its path, its price, its key, and that a refusal leaves everything as it was.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_merchant('S1');
select fx.make_terminal('S1', 'K7Q2ZD');
select fx.make_merchant('S2');
select fx.make_terminal('S2', 'OTHER1');
select fx.make_terminal('S1', 'RETIRE');
update app.terminals set status = 'retired' where code = 'RETIRE';
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_merchant_user('S1', 'manager') as colleague \gset
select fx.make_merchant_user('S2') as other_cashier \gset
select fx.make_member('payer@fixture.example', 1000, 1200) as payer \gset
select fx.standard_card(:'payer') as card \gset

create function pg_temp.charge_as(
  p_user uuid, p_merchant text, p_code text, p_amount text, p_key text, p_tag jsonb default null, p_order text default null,
  p_terminal text default null)
returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.merchant_charge_by_qr(%L, %L, %L, %L, %L, %L, %L)',
    p_merchant, p_code, p_amount, p_key, p_tag, p_order, p_terminal)) $$;
create function pg_temp.quote_as(p_user uuid, p_merchant text, p_code text, p_amount text, p_terminal text default null)
returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.quote_payment(%L, %L, %L, %L)',
    p_merchant, p_code, p_amount, p_terminal)) $$;
-- A refused charge: the code, and nothing changed anywhere.
create function pg_temp.refuses(
  p_expected text, p_why text, p_user uuid, p_merchant text, p_code text, p_amount text, p_key text default 'refused',
  p_tag jsonb default null, p_order text default null, p_terminal text default null)
returns setof text language plpgsql as $$
declare
  v_before text := (select string_agg(s::text, ',') from fx.state() s);
begin
  return next is(pg_temp.charge_as(p_user, p_merchant, p_code, p_amount, p_key, p_tag, p_order, p_terminal), p_expected, p_why);
  return next is((select string_agg(s::text, ',') from fx.state() s), v_before, p_why || ': and nothing changed');
end;
$$;

-- The whole path.
select fx.code(:'payer') as code \gset
select fx.act_as(:'cashier');
select results_eq(
  format('select card_id, card_type, raw_amount, discount, discount_source, final_amount, points_earned
          from public.quote_payment(%L, %L, 299.00, %L)', 'S1', :'code', 'K7Q2ZD'),
  format('values (%L::uuid, %L, 299.00, 0.950, %L, 284.05, 299::bigint)', :'card', 'standard', 'level'),
  'a quote tells the price');
select tx_id, tx_no from public.merchant_charge_by_qr('S1', :'code', 299.00, 'key-1', '{"scene": "counter"}', 'order-1', 'K7Q2ZD') \gset
select matches(:'tx_no'::text, '^PAY[0-9]{10}$', 'a charge answers a transaction number');
select results_eq(
  format('select c.balance, c.points, c.level from app.cards c where c.id = %L', :'card'),
  $$ values (715.95, 1499::bigint, 1) $$, 'the card is debited and earns points');
select bag_eq(
  format('select e.account, e.delta from app.ledger_entries e where e.tx_id = %L', :'tx_id'),
  $$ values ('card', -284.05), ('merchant_payable', 284.05) $$, 'in double entry');
select results_eq(
  format('select delta, level_before, level_after, reason from app.point_ledger where tx_id = %L', :'tx_id'),
  $$ values (299::bigint, 1, 1, 'payment') $$, 'points have their own ledger');
select is((select count(*)::int from audit.event_log where action = 'payment.charged' and object_id = :'tx_no' and actor_user_id = :'cashier'), 1,
  'the charge is audited with its actor');
select is((select count(*)::int from audit.event_log e where e::text like '%' || :'code' || '%'), 0, 'without the code');
select fx.act_as(:'payer');
select results_eq(
  format('select tx_type, merchant_code, card_id, raw_amount, discount, final_amount, points_earned, refunded_amount, remaining_amount,
                 tag, external_order_id, terminal_code from public.get_transaction_detail(%L)', :'tx_no'),
  format('values (%L, %L, %L::uuid, 299.00, 0.950, 284.05, 299::bigint, 0.00, 284.05, null::jsonb, null::text, %L)',
    'payment', 'S1', :'card', 'K7Q2ZD'),
  'the payer reads the transaction, without what is the merchant''s own');
select fx.act_as(:'colleague');
select results_eq(
  format('select tx_no, tag, external_order_id from public.get_transaction_detail(%L)', :'tx_no'),
  format('values (%L, %L::jsonb, %L)', :'tx_no', '{"scene": "counter"}', 'order-1'), 'and so does whoever works for the merchant, whole');
select is(fx.refusal_as('authenticated', :'other_cashier', format('select public.get_transaction_detail(%L)', :'tx_no')),
  'PT404 TX_NOT_FOUND', 'but not another merchant''s cashier');
select is(fx.refusal_as('authenticated', fx.make_member('stranger@fixture.example', 100), format('select public.get_transaction_detail(%L)', :'tx_no')),
  'PT404 TX_NOT_FOUND', 'nor a stranger');
select is(fx.refusal_as('authenticated', :'cashier', $$ select public.get_transaction_detail('PAY9999999999') $$),
  'PT404 TX_NOT_FOUND', 'which is the answer for a number that is not there');
select is(fx.refusal_as('authenticated', :'cashier', $$ select public.get_transaction_detail(null) $$),
  'PT404 TX_NOT_FOUND', 'and for none');

-- The key.
select fx.act_as(:'cashier');
select results_eq(
  format('select tx_id, tx_no, card_id, final_amount, discount, points_earned, discount_source, raw_amount, replayed
          from public.merchant_charge_by_qr(%L, %L, 299, %L, null, %L, %L)', 'S1', :'code', 'key-1', 'order-1', 'K7Q2ZD'),
  format('select t.id, t.tx_no, t.card_id, t.final_amount, t.discount, t.points_earned, t.discount_source, t.raw_amount, true
          from app.transactions t where t.id = %L', :'tx_id'),
  'the same key and request answer the first payment, though the code is spent and the tag differs');
select is((select count(*)::int from app.transactions where tx_type = 'payment'), 1, 'and make no second one');
select * from pg_temp.refuses('PT422 IDEMPOTENCY_KEY_REUSED', 'the same key with another amount', :'cashier', 'S1', :'code', '298.99', 'key-1', null, 'order-1', 'K7Q2ZD');
select * from pg_temp.refuses('PT422 IDEMPOTENCY_KEY_REUSED', 'the same key with another order', :'cashier', 'S1', :'code', '299', 'key-1', null, 'order-2', 'K7Q2ZD');
select * from pg_temp.refuses('PT422 IDEMPOTENCY_KEY_REUSED', 'the same key without its terminal', :'cashier', 'S1', :'code', '299', 'key-1', null, 'order-1');
select fx.code(:'payer') as code \gset
select * from pg_temp.refuses('PT422 IDEMPOTENCY_KEY_REUSED', 'the same key with another code', :'cashier', 'S1', :'code', '299', 'key-1', null, 'order-1', 'K7Q2ZD');
select is(pg_temp.charge_as(:'other_cashier', 'S2', :'code', '1', 'key-1'), 'no refusal', 'another merchant''s keys are another merchant''s');
update app.merchants set status = 'suspended' where code = 'S1';
select fx.act_as(:'cashier');
select is(pg_temp.charge_as(:'cashier', 'S1', :'code', '1', 'key-2'), 'PT409 MERCHANT_NOT_FOUND_OR_INACTIVE', 'a suspended merchant charges nothing new');
update app.merchants set status = 'active' where code = 'S1';
select * from pg_temp.refuses('PT400 IDEMPOTENCY_KEY_INVALID', 'an empty key', :'cashier', 'S1', :'code', '1', '');
select * from pg_temp.refuses('PT400 IDEMPOTENCY_KEY_INVALID', 'a key of 256 characters', :'cashier', 'S1', :'code', '1', repeat('k', 256));
select * from pg_temp.refuses('PT400 IDEMPOTENCY_KEY_INVALID', 'a key that is not ASCII', :'cashier', 'S1', :'code', '1', 'schlüssel');
select * from pg_temp.refuses('PT400 IDEMPOTENCY_KEY_INVALID', 'a key with a line break', :'cashier', 'S1', :'code', '1', E'a\nb');

-- Amounts.
select fx.code(:'payer') as code \gset
select * from pg_temp.refuses('PT422 INVALID_PRICE', 'NaN', :'cashier', 'S1', :'code', 'NaN');
select * from pg_temp.refuses('PT422 INVALID_PRICE', 'Infinity', :'cashier', 'S1', :'code', 'Infinity');
select * from pg_temp.refuses('PT422 INVALID_PRICE', '-Infinity', :'cashier', 'S1', :'code', '-Infinity');
select * from pg_temp.refuses('PT422 INVALID_PRICE', '-1', :'cashier', 'S1', :'code', '-1');
select * from pg_temp.refuses('PT422 INVALID_PRICE', '0', :'cashier', 'S1', :'code', '0');
select * from pg_temp.refuses('PT422 INVALID_PRICE', '0.001', :'cashier', 'S1', :'code', '0.001');
select * from pg_temp.refuses('PT422 INVALID_PRICE', '10.005', :'cashier', 'S1', :'code', '10.005');
select * from pg_temp.refuses('PT422 INVALID_PRICE', 'no amount', :'cashier', 'S1', :'code', null);
select * from pg_temp.refuses('PT422 INVALID_PRICE', 'more than numeric(14,2)', :'cashier', 'S1', :'code', '99999999999999');
select * from pg_temp.refuses('22P02 invalid input syntax for type numeric: "abc"', 'text', :'cashier', 'S1', :'code', 'abc');
select * from pg_temp.refuses('PT422 AMOUNT_OVER_LIMIT', 'over the limit of a payment', :'cashier', 'S1', :'code', '50000.01');
select * from pg_temp.refuses('PT402 INSUFFICIENT_BALANCE', 'over the balance', :'cashier', 'S1', :'code', '50000.00');
select * from pg_temp.refuses('PT402 INSUFFICIENT_BALANCE', 'a cent over the balance after the discount', :'cashier', 'S1', :'code', '752.64');

-- Codes.
select * from pg_temp.refuses('PT400 INVALID_QR', 'no code', :'cashier', 'S1', null, '1');
select * from pg_temp.refuses('PT400 INVALID_QR', 'a wrong check digit', :'cashier', 'S1', '701234567890123456789018', '1');
select * from pg_temp.refuses('PT400 INVALID_QR', 'fullwidth digits', :'cashier', 'S1', '７01234567890123456789017', '1');
select * from pg_temp.refuses('PT400 INVALID_QR', 'a trailing line break', :'cashier', 'S1', '701234567890123456789017' || E'\n', '1');
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'an unknown code', :'cashier', 'S1', '701234567890123456789017', '1');
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'an offline code of no device', :'cashier', 'S1', '710123456789581845962170', '1');
select * from pg_temp.refuses('PT400 TERMINAL_CODE_REQUIRED', 'a terminal''s code without the terminal', :'cashier', 'S1', '724242424242709359466017', '1');
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a terminal''s code of no device', :'cashier', 'S1', '724242424242709359466017', '1', 'refused', null, null, 'K7Q2ZD');
select fx.code(:'payer') as spent \gset
select is(pg_temp.charge_as(:'cashier', 'S1', :'spent', '1', 'key-3'), 'no refusal', 'a live code pays');
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a used code', :'cashier', 'S1', :'spent', '1');
select fx.code(:'payer') as expired \gset
select fx.age_code(:'expired');
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'an expired code', :'cashier', 'S1', :'expired', '1');
select fx.code(:'payer') as revoked \gset
select fx.code(:'payer') as code \gset
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a revoked code', :'cashier', 'S1', :'revoked', '1');

-- Who.
select * from pg_temp.refuses('PT403 NOT_MERCHANT_USER', 'another merchant''s cashier', :'other_cashier', 'S1', :'code', '1');
select * from pg_temp.refuses('PT403 NOT_MERCHANT_USER', 'the payer himself', :'payer', 'S1', :'code', '1');
select * from pg_temp.refuses('PT403 NOT_MERCHANT_USER', 'an unknown merchant', :'cashier', 'NOSHOP', :'code', '1');
select * from pg_temp.refuses('PT403 NOT_MERCHANT_USER', 'no merchant', :'cashier', null, :'code', '1');
select * from pg_temp.refuses('PT401 NOT_AUTHENTICATED', 'a caller without a user', null, 'S1', :'code', '1');
select is(left(fx.refusal_as('anon', null, format('select public.merchant_charge_by_qr(%L, %L, 1)', 'S1', :'code')), 5), '42501',
  'anon is stopped by the grant');
select is(left(fx.refusal_as('service_role', null, format('select public.merchant_charge_by_qr(%L, %L, 1)', 'S1', :'code')), 5), '42501',
  'and so is the service');
select * from pg_temp.refuses('PT404 TERMINAL_NOT_FOUND', 'another merchant''s terminal', :'cashier', 'S1', :'code', '1', 'refused', null, null, 'OTHER1');
select * from pg_temp.refuses('PT404 TERMINAL_NOT_FOUND', 'a retired terminal', :'cashier', 'S1', :'code', '1', 'refused', null, null, 'RETIRE');

-- Orders and tags.
select * from pg_temp.refuses('PT409 EXTERNAL_ORDER_ALREADY_PAID', 'an order that is paid', :'cashier', 'S1', :'code', '1', 'refused', null, 'order-1');
select * from pg_temp.refuses('PT409 EXTERNAL_ORDER_ALREADY_PAID', 'an order that is paid, before its unknown code is looked for', :'cashier', 'S1', '701234567890123456789017', '1', 'refused', null, 'order-1');
select * from pg_temp.refuses('PT400 MALFORMED_ARGUMENT', 'an empty order', :'cashier', 'S1', :'code', '1', 'refused', null, '');
select * from pg_temp.refuses('PT400 MALFORMED_ARGUMENT', 'an order of 129 characters', :'cashier', 'S1', :'code', '1', 'refused', null, repeat('x', 129));
select * from pg_temp.refuses('PT400 MALFORMED_ARGUMENT', 'a tag that is no object', :'cashier', 'S1', :'code', '1', 'refused', '[1]');
select * from pg_temp.refuses('PT400 MALFORMED_ARGUMENT', 'a tag over 4096 bytes', :'cashier', 'S1', :'code', '1', 'refused', jsonb_build_object('x', repeat('x', 4096)));

-- Status of card, payer, binding.
update app.cards set status = 'frozen' where id = :'card';
select * from pg_temp.refuses('PT409 CARD_NOT_ACTIVE', 'a card frozen after the code was shown', :'cashier', 'S1', :'code', '1');
update app.cards set status = 'active', expires_at = now() where id = :'card';
select * from pg_temp.refuses('PT409 CARD_EXPIRED', 'a card that expired', :'cashier', 'S1', :'code', '1');
update app.cards set expires_at = null where id = :'card';
update app.member_profiles set status = 'suspended' where auth_user_id = :'payer';
select * from pg_temp.refuses('PT409 MEMBER_NOT_ACTIVE', 'a member suspended after he showed the code', :'cashier', 'S1', :'code', '1');
update app.member_profiles set status = 'active' where auth_user_id = :'payer';
update app.card_bindings set role = 'viewer' where card_id = :'card';
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a payer who only sees by now', :'cashier', 'S1', :'code', '1');
delete from app.card_bindings where card_id = :'card';
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a payer who was unbound', :'cashier', 'S1', :'code', '1');
select fx.bind(:'card', :'payer', 'owner');
select is(pg_temp.charge_as(:'cashier', 'S1', :'code', '1', 'refused'), 'no refusal',
  'after all those refusals the code is alive and the key is free');

-- Replays outlive everything.
update app.merchants set status = 'suspended' where code = 'S1';
update app.member_profiles set status = 'suspended' where auth_user_id = :'payer';
select fx.act_as(:'colleague');
select is((select r.replayed from public.merchant_charge_by_qr('S1', :'code', 1, 'refused') r), true,
  'a replay answers after merchant and member were suspended, to a colleague too');
update app.merchants set status = 'active' where code = 'S1';
update app.member_profiles set status = 'active' where auth_user_id = :'payer';

-- Published clients send no key: every call stands for itself.
select fx.code(:'payer') as code \gset
select fx.act_as(:'cashier');
select is((select replayed from public.merchant_charge_by_qr('S1', :'code', 1)), false, 'without a key a charge goes through');
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a second one without a key', :'cashier', 'S1', :'code', '1', null);

-- validate_qr_plain.
select fx.code(:'payer') as code \gset
create function pg_temp.validate_as(p_user uuid, p_code text, p_terminal text default null) returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select public.validate_qr_plain(%L, %L)', p_code, p_terminal)) $$;
select fx.act_as(:'cashier');
select is(public.validate_qr_plain(:'code'), :'card'::uuid, 'validating names the card');
select is(public.validate_qr_plain(:'code', 'K7Q2ZD'), :'card'::uuid, 'and consumes nothing');
select is(pg_temp.validate_as(:'payer', :'code'), 'PT403 NOT_MERCHANT_USER', 'only merchants validate');
select is(pg_temp.validate_as(:'cashier', :'code', 'OTHER1'), 'PT404 TERMINAL_NOT_FOUND', 'at their own terminals');
select is(pg_temp.validate_as(:'cashier', :'spent'), 'PT409 QR_EXPIRED_OR_INVALID', 'a used code is not valid');
select is(pg_temp.validate_as(:'cashier', 'x'), 'PT400 INVALID_QR', 'text is no code');
select is(pg_temp.validate_as(:'cashier', '724242424242709359466017'), 'PT400 TERMINAL_CODE_REQUIRED', 'a terminal''s code needs the terminal');

-- A quote refuses what the charge refuses.
select is(pg_temp.quote_as(:'cashier', 'S1', :'code', a.amount), pg_temp.charge_as(:'cashier', 'S1', :'code', a.amount, 'q'),
  'quote and charge agree on ' || a.amount)
from (values ('NaN'), ('0'), ('50000.01'), ('50000'), ('99999999999999')) as a (amount);
select is(pg_temp.quote_as(:'other_cashier', 'S1', :'code', '1'), 'PT403 NOT_MERCHANT_USER', 'quotes are for the merchant''s own');
select is(pg_temp.quote_as(:'cashier', 'S1', :'spent', '1'), 'PT409 QR_EXPIRED_OR_INVALID', 'a used code has no price');
select is(pg_temp.quote_as(:'cashier', 'S1', :'code', '1', 'OTHER1'), 'PT404 TERMINAL_NOT_FOUND', 'nor has another''s terminal');

select fx.act_as_service();
select is_empty('select * from public.verify_ledger()', 'and the books are right');
select * from finish();
rollback;
