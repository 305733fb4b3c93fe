-- verify_ledger() finds each way in which the books can be wrong. The corruption is made as only a superuser can: without triggers.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(29);

select fx.make_merchant('S1');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 1000, 1200) as payer \gset
select fx.standard_card(:'payer') as card \gset
select fx.code(:'payer') as code \gset
select fx.act_as(:'cashier');
select tx_id, tx_no from public.merchant_charge_by_qr('S1', :'code', 100, 'k1') \gset
select fx.make_card('voucher', 50, null, :'payer') as voucher \gset
select fx.code(:'payer', :'voucher') as code \gset
select fx.act_as(:'cashier');
select tx_id as voucher_tx_id from public.merchant_charge_by_qr('S1', :'code', 20, 'k2') \gset

-- A superuser's way around the triggers, which hold in replication sessions too.
create function pg_temp.drop_guards() returns void language plpgsql as $$
declare
  v_trigger record;
begin
  for v_trigger in
    select t.tgname, t.tgrelid::regclass as held from pg_catalog.pg_trigger t
    where t.tgfoid = 'sec.refuse_change()'::regprocedure and t.tgparentid = 0
  loop
    execute format('alter table %s disable trigger %I', v_trigger.held, v_trigger.tgname);
  end loop;
end;
$$;

-- The rules that are violated after a corruption, which is then undone.
create function pg_temp.violated_after(p_corruption text) returns text language plpgsql as $$
declare
  v_rules text;
begin
  begin
    set local session_replication_role = replica;
    perform pg_temp.drop_guards();
    execute p_corruption;
    perform fx.act_as_service();
    select coalesce(string_agg(distinct r.rule, ' '), '') into v_rules from public.verify_ledger() r;
    raise exception 'undo' using errcode = 'ZZ999';
  exception when sqlstate 'ZZ999' then
    set local session_replication_role = origin;
  end;
  return v_rules;
end;
$$;

select is(pg_temp.violated_after('select 1'), '', 'right books have no violation');
select is(pg_temp.violated_after(format('update app.ledger_entries set delta = delta + 1 where tx_id = %L and account = %L', :'tx_id', 'merchant_payable')),
  'entries_sum_to_zero payable_is_what_is_owed transaction_has_its_entries', 'an entry changed');
select is(pg_temp.violated_after(format('update app.ledger_entries set delta = delta * 2 where tx_id = %L', :'tx_id')),
  'balance_equals_entries payable_is_what_is_owed transaction_has_its_entries', 'a transaction doubled in its entries');
select is(pg_temp.violated_after(format('delete from app.ledger_entries where tx_id = %L', :'tx_id')),
  'balance_equals_entries payable_is_what_is_owed transaction_has_its_entries', 'entries removed');
select is(pg_temp.violated_after(format('update app.cards set balance = balance + 1 where id = %L', :'card')),
  'balance_equals_entries', 'a balance changed');
select is(pg_temp.violated_after(format('update app.cards set points = points + 1 where id = %L', :'card')),
  'points_equal_point_ledger', 'points changed');
select is(pg_temp.violated_after(format('update app.cards set level = 2 where id = %L', :'card')),
  'level_equals_its_changes level_follows_points', 'a level changed');
select is(pg_temp.violated_after(format('delete from app.point_ledger where tx_id = %L', :'tx_id')),
  'points_equal_point_ledger transaction_has_its_points', 'points unrecorded');
select is(pg_temp.violated_after(format('delete from app.transaction_numbers where tx_id = %L', :'tx_id')),
  'transaction_has_its_number', 'a number removed');
select is(pg_temp.violated_after($$ insert into app.transaction_numbers values ('PAY9999999999', gen_random_uuid()) $$),
  'number_has_its_transaction number_names_its_transaction', 'a number of nothing');
select is(pg_temp.violated_after(format('update app.transactions set final_amount = 1 where id = %L', :'tx_id')),
  'payable_is_what_is_owed price_is_right transaction_has_its_entries', 'an amount changed');
select is(pg_temp.violated_after(format('update app.payment_codes set consumed_tx_id = %L where consumed_tx_id = %L', gen_random_uuid(), :'tx_id')),
  'consumed_code_has_its_payment payment_consumed_its_code', 'a code that another payment consumed');
select is(pg_temp.violated_after(format($x$
  insert into app.transactions select (jsonb_populate_record(t, jsonb_build_object('id', app.uuid_v7(), 'tx_no', 'PAY9999999999'))).*
  from app.transactions t where t.id = %L $x$, :'tx_id')),
  'one_payment_a_code payable_is_what_is_owed payment_consumed_its_code transaction_has_its_entries transaction_has_its_number transaction_has_its_points',
  'a payment copied');
select is(pg_temp.violated_after(format($x$
  insert into app.transactions (id, tx_no, tx_type, card_id, merchant_id, original_tx_id, raw_amount, final_amount, created_at)
  select app.uuid_v7(), 'REF9999999999', 'refund', t.card_id, t.merchant_id, t.id, t.final_amount + 0.01, t.final_amount + 0.01, now()
  from app.transactions t where t.id = %L $x$, :'tx_id')),
  'payable_is_what_is_owed refunds_within_payment transaction_has_its_entries transaction_has_its_number', 'more refunded than paid');
select is(pg_temp.violated_after(format('update app.ledger_entries set delta = -10 where tx_id = %L and account = %L', :'voucher_tx_id', 'card')),
  'balance_equals_entries entries_sum_to_zero transaction_has_its_entries', 'a voucher debited by less than it paid');
select is(pg_temp.violated_after(format($x$
  insert into app.ledger_entries (tx_id, entry_no, account, delta) values (%L, 9, 'adjustments', 5) $x$, gen_random_uuid())),
  'entries_have_their_transaction entries_sum_to_zero entry_names_its_account', 'entries of no transaction');
select is(pg_temp.violated_after('alter table app.cards drop constraint cards_balance_not_negative; update app.cards set balance = -1'),
  'balance_equals_entries balance_not_negative', 'a negative balance');
select is(pg_temp.violated_after(format('update app.idempotency_keys set result_id = %L where key = %L', gen_random_uuid(), 'k1')),
  'key_names_its_result', 'a key that names nothing');

select fx.make_card('prepaid', 500) as other_card \gset
select is(pg_temp.violated_after(format('update app.ledger_entries set card_id = %L where tx_id = %L and account = %L;
    update app.cards set balance = balance + case when id = %1$L then -95 else 95 end where id in (%1$L, %4$L)', :'other_card', :'tx_id', 'card', :'card')),
  'transaction_has_its_entries', 'a payment taken off another card, both balances made to fit');
select is(pg_temp.violated_after(format($x$ insert into app.ledger_entries values
    (%1$L, 8, 'card', %2$L, null, 5), (%1$L, 9, 'card', %3$L, null, -5);
    update app.cards set balance = balance + case when id = %2$L then 5 else -5 end where id in (%2$L, %3$L) $x$, :'tx_id', :'card', :'other_card')),
  'transaction_has_its_entries', 'money moved between cards inside a payment');
select is(pg_temp.violated_after(format($x$ insert into app.ledger_entries values
    (%L, 8, 'merchant_payable', null, (select id from app.merchants), 5), (%1$L, 9, 'cash_clearing', null, null, -5) $x$, :'tx_id')),
  'payable_is_what_is_owed transaction_has_its_entries', 'a merchant paid twice');
select is(pg_temp.violated_after(format($x$ delete from app.ledger_entries where tx_id = %L; delete from app.transaction_numbers where tx_id = %1$L;
    delete from app.point_ledger where tx_id = %1$L; delete from app.idempotency_keys where result_id = %1$L;
    delete from app.transactions where id = %1$L; update app.cards set balance = balance + 95, points = points - 100 where id = %2$L $x$, :'tx_id', :'card')),
  'consumed_code_has_its_payment', 'a payment erased whole');
select is(pg_temp.violated_after(format('update app.transactions set payment_code_id = null where id = %L', :'tx_id')),
  'consumed_code_has_its_payment payment_consumed_its_code', 'a payment without a code');
select is(pg_temp.violated_after(format('insert into app.merchant_orders select merchant_id, %L, id from app.transactions where id = %L', 'x', :'tx_id')),
  'order_has_its_payment', 'an order that names a payment of no order');
select is(pg_temp.violated_after(format('delete from app.cards where id = %L', :'other_card')),
  'balance_equals_entries entry_names_its_account transaction_names_its_parties', 'a card that vanished');
select is(pg_temp.violated_after(format($x$
  insert into app.transactions (id, tx_no, tx_type, card_id, merchant_id, original_tx_id, raw_amount, final_amount, created_at)
  select app.uuid_v7(), 'REF9999999999', 'refund', %L, t.merchant_id, t.id, 1, 1, now() from app.transactions t where t.id = %L $x$, :'other_card', :'tx_id')),
  'payable_is_what_is_owed refund_matches_payment transaction_has_its_entries transaction_has_its_number', 'a refund onto another card');

-- Who may ask.
select is(fx.refusal_as('authenticated', :'payer', 'select * from public.verify_ledger()'), 'PT403 PERMISSION_DENIED', 'members do not audit');
select is(fx.refusal_as('service_role', null, 'select * from public.verify_ledger()'), 'no refusal', 'the service does');
insert into app.admin_users (user_id) values (:'cashier');
select is(fx.refusal_as('authenticated', :'cashier', 'select * from public.verify_ledger()'), 'no refusal', 'and admins do');

select * from finish();
rollback;
