-- What became of a request: a key that is cancelled moves no money for ever, one that was answered stays answered, and both can be asked for.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_merchant('S1');
select fx.make_merchant('S2');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_merchant_user('S1', 'manager') as manager \gset
select fx.make_merchant_user('S2') as other_cashier \gset
select fx.make_member('payer@fixture.example', 1000) as payer \gset
select fx.make_member('stranger@fixture.example') as stranger \gset
select fx.make_user('nobody@fixture.example') as nobody \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.standard_card(:'payer') as card \gset
select fx.code(:'payer') as code \gset

create function pg_temp.cancel_as(p_user uuid, p_merchant text, p_key text)
returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.cancel_request(%L, %L)', p_merchant, p_key)) $$;
create function pg_temp.find_as(p_user uuid, p_merchant text, p_key text, p_order text default null)
returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.find_payment(%L, %L, %L)', p_merchant, p_key, p_order)) $$;
create function pg_temp.charge_as(p_user uuid, p_code text, p_amount text, p_key text, p_order text default null)
returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.merchant_charge_by_qr(%L, %L, %L, %L, null, %L)',
    'S1', p_code, p_amount, p_key, p_order)) $$;

-- Cancelled before anything came.
select fx.act_as(:'cashier');
select results_eq($$ select * from public.cancel_request('S1', 'lost') $$,
  $$ values (true, null::uuid, null::text, null::text, null::numeric, null::timestamptz) $$, 'a key without a request is cancelled');
select is(pg_temp.charge_as(:'cashier', :'code', '10', 'lost'), 'PT409 REQUEST_CANCELLED', 'a charge that comes with it afterwards is refused');
select is(pg_temp.charge_as(:'manager', :'code', '11', 'lost'), 'PT409 REQUEST_CANCELLED', 'whoever sends it, and whatever is asked');
select is((select balance from app.cards where id = :'card'), 1000.00, 'and no money moves');
select is(pg_temp.find_as(:'cashier', 'S1', 'lost'), 'PT409 REQUEST_CANCELLED', 'who asks for it hears that it was cancelled');
select fx.act_as(:'cashier');
select results_eq($$ select cancelled from public.cancel_request('S1', 'lost') $$, $$ values (true) $$, 'it may be cancelled again');
select is((select count(*)::int from audit.event_log where action = 'request.cancelled'), 1, 'the log has it once');
select results_eq($$ select actor_user_id, actor_role, object_type, object_id from audit.event_log where action = 'request.cancelled' $$,
  format('values (%L::uuid, %L, %L, %L)', :'cashier', 'merchant', 'idempotency_key', 'lost'), 'with who did it and which key');
select throws_ok($$ update app.idempotency_keys set result_id = gen_random_uuid(), fingerprint = '\x00' where key = 'lost' $$, null, null,
  'a cancelled key stays so');
select throws_ok($$ delete from app.idempotency_keys where key = 'lost' $$, null, null, 'for ever');
select throws_ok($$ insert into app.idempotency_keys (scope, key, fingerprint) values ('merchant:x', 'half', '\x00') $$,
  '23514', null, 'a key is committed or cancelled, nothing in between');

-- A key is its scope's own.
select is(pg_temp.charge_as(:'cashier', :'code', '10', 'kept', 'order-1'), 'no refusal', 'another key of the same merchant pays');
select is(pg_temp.cancel_as(:'other_cashier', 'S2', 'kept'), 'no refusal', 'another merchant cancels a key of its own');
select is(pg_temp.cancel_as(:'payer', null, 'kept'), 'no refusal', 'as the payer cancels one of theirs');

-- Answered before it was cancelled.
select fx.act_as(:'cashier');
select t.id as tx_id, t.tx_no from app.transactions t where t.tx_type = 'payment' \gset
select results_eq($$ select cancelled, tx_id, tx_no, tx_type, final_amount from public.cancel_request('S1', 'kept') $$,
  format('values (false, %L::uuid, %L, %L, 10.00)', :'tx_id', :'tx_no', 'payment'), 'what was done is told and stays done');
select is((select balance from app.cards where id = :'card'), 990.00, 'the payment stands');
select is(pg_temp.charge_as(:'cashier', :'code', '10', 'kept', 'order-1'), 'no refusal', 'and is still the answer to its key');
select is((select count(*)::int from audit.event_log where action = 'request.cancelled'), 3, 'nothing is logged where nothing changed');

-- Found.
select fx.act_as(:'cashier');
select results_eq(
  $$ select tx_no, tx_type, merchant_code, card_id, final_amount, external_order_id from public.find_payment('S1', 'kept') $$,
  format('values (%L, %L, %L, %L::uuid, 10.00, %L)', :'tx_no', 'payment', 'S1', :'card', 'order-1'), 'a payment is found by its key');
select results_eq($$ select tx_no from public.find_payment('S1', null, 'order-1') $$, format('values (%L)', :'tx_no'), 'and by its order');
select is(pg_temp.find_as(:'cashier', 'S1', 'never sent'), 'PT404 TX_NOT_FOUND', 'a key that nobody knows is not found');
select is(pg_temp.find_as(:'cashier', 'S1', null, 'order-2'), 'PT404 TX_NOT_FOUND', 'nor an order');
select is(pg_temp.find_as(:'other_cashier', 'S2', null, 'order-1'), 'PT404 TX_NOT_FOUND', 'another merchant''s order is another one');
select is(pg_temp.find_as(:'cashier', 'S1', null, null), 'PT400 MALFORMED_ARGUMENT', 'one of the two must be given');
select is(pg_temp.find_as(:'cashier', 'S1', 'kept', 'order-1'), 'PT400 MALFORMED_ARGUMENT', 'and only one');
select is(pg_temp.find_as(:'cashier', 'S1', ''), 'PT400 IDEMPOTENCY_KEY_INVALID', 'a key that is none');
select is(pg_temp.find_as(:'cashier', null, null, 'order-1'), 'PT403 NOT_MERCHANT_USER', 'an order is a merchant''s');

-- Who may.
select is(pg_temp.cancel_as(:'cashier', 'S2', 'theirs'), 'PT403 NOT_MERCHANT_USER', 'nobody cancels another merchant''s key');
select is(pg_temp.cancel_as(:'cashier', 'NONE', 'theirs'), 'PT403 NOT_MERCHANT_USER', 'nor one of a merchant that is not there');
select is(pg_temp.find_as(:'cashier', 'S2', 'theirs'), 'PT403 NOT_MERCHANT_USER', 'or asks for it');
select is(pg_temp.cancel_as(:'nobody', null, 'mine'), 'PT403 PERMISSION_DENIED', 'who is neither admin nor member has no keys');
select is(pg_temp.find_as(:'nobody', null, 'mine'), 'PT404 TX_NOT_FOUND', 'and finds nothing');
select is(pg_temp.cancel_as(:'cashier', 'S1', null), 'PT400 IDEMPOTENCY_KEY_REQUIRED', 'without a key there is nothing to cancel');
select is(pg_temp.cancel_as(:'cashier', 'S1', E'a\nb'), 'PT400 IDEMPOTENCY_KEY_INVALID', 'nor with one that is none');
select is(fx.refusal_as('anon', null, $$ select * from public.cancel_request('S1', 'x') $$),
  '42501 permission denied for function cancel_request', 'not without signing in');
update app.merchants set status = 'suspended' where code = 'S1';
select is(pg_temp.cancel_as(:'cashier', 'S1', 'of a suspended merchant'), 'no refusal', 'a suspended merchant may make sure too');

-- The keys of an admin and of a member.
select fx.act_as(:'admin');
select results_eq($$ select cancelled from public.cancel_request(null, 'adjust-1') $$, $$ values (true) $$, 'an admin cancels a key of theirs');
select is(fx.refusal_as('authenticated', :'admin', format('select * from public.adjust_card_balance(%L, 5, %L, %L)', :'card', 'gift', 'adjust-1')),
  'PT409 REQUEST_CANCELLED', 'which then adjusts nothing');
select is(fx.refusal_as('authenticated', :'admin', format('select * from public.adjust_card_balance(%L, 5, %L, %L)', :'card', 'gift', 'adjust-2')),
  'no refusal', 'another does');
select fx.act_as(:'admin');
select results_eq($$ select cancelled, tx_type, final_amount from public.cancel_request(null, 'adjust-2') $$,
  $$ values (false, 'adjustment', 5.00) $$, 'and is told');
select results_eq($$ select tx_type, final_amount from public.find_payment(null, 'adjust-2') $$, $$ values ('adjustment', 5.00) $$, 'and found');
select results_eq(format($$ select true from public.create_prepaid_card(%L, 'gift', 0, null, 'card-1') $$, fx.member_id(:'payer')),
  $$ values (true) $$, 'a card is issued under a key');
select results_eq($$ select cancelled, tx_no from public.cancel_request(null, 'card-1') $$, $$ values (false, null::text) $$,
  'what made no transaction was done all the same');
select fx.act_as(:'payer');
select results_eq($$ select cancelled from public.cancel_request(null, 'order-9') $$, $$ values (true) $$, 'a member cancels a key of theirs');
select is(fx.refusal_as('authenticated', :'payer', format('select * from public.create_recharge_order(%L, 10, %L, %L)', :'card', 'wechat', 'order-9')),
  'PT409 REQUEST_CANCELLED', 'which then orders nothing');

select fx.act_as_service();
select is_empty('select * from public.verify_ledger()', 'the books are right');
select * from finish();
rollback;
