-- Cash that was recharged wrongly comes off again: the whole, once, by who took it or a manager, until it is settled.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.ensure_master_key();
select fx.make_merchant('S1') as shop \gset
select fx.make_merchant('S2');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_merchant_user('S1') as colleague \gset
select fx.make_merchant_user('S1', 'manager') as manager \gset
select fx.make_merchant_user('S2', 'owner') as other \gset
select fx.make_member('payer@fixture.example', 100) as payer \gset
select fx.standard_card(:'payer') as card \gset

create function pg_temp.takes(p_user uuid, p_amount numeric, p_merchant text default 'S1') returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select r.tx_no from public.user_recharge_card((select c.id from app.cards c where c.card_type = 'standard'), p_amount, p_merchant_code => p_merchant) r);
end;
$$;
create function pg_temp.reverses(p_user uuid, p_tx_no text, p_key text default null, p_reason text default 'a zero too many') returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select concat_ws(' ', left(r.tx_no, 3), r.original_tx_no = p_tx_no, r.amount, r.merchant_code, r.replayed) from public.reverse_cash_recharge('S1', p_tx_no, p_reason, p_key) r);
exception when others then
  return sqlstate || ' ' || sqlerrm;
end;
$$;
create function pg_temp.refuses(p_expected text, p_why text, p_user uuid, p_tx_no text, p_reason text default 'x', p_merchant text default 'S1') returns setof text language sql as $$
  select fx.refuses(p_expected, p_why, 'authenticated', p_user, format('select * from public.reverse_cash_recharge(%L, %L, %L)', p_merchant, p_tx_no, p_reason)) $$;
create function pg_temp.balance() returns numeric language sql as $$ select c.balance from app.cards c where c.card_type = 'standard' $$;
create function pg_temp.days() returns text language sql as $$
  select concat_ws(' ', (select string_agg(d.total::text, ',' order by d.total) from app.cashier_cash_days d), (select sum(d.total) from app.merchant_cash_days d)) $$;

select pg_temp.takes(:'cashier', 500) as tx_no \gset
select is(pg_temp.balance(), 600.00, 'cash is on the card');
select * from pg_temp.refuses('PT403 REVERSAL_NEEDS_MANAGER', 'a colleague does not reverse it', :'colleague', :'tx_no');
select * from pg_temp.refuses('PT403 NOT_MERCHANT_USER', 'nor somebody of another merchant', :'other', :'tx_no');
select * from pg_temp.refuses('PT404 ORIGINAL_TX_NOT_FOUND', 'who does not find it among their own', :'other', :'tx_no', 'x', 'S2');
select * from pg_temp.refuses('PT404 ORIGINAL_TX_NOT_FOUND', 'nor does anybody find what is not there', :'cashier', 'RCG9999999999');
select t.* from (values (''), (' '), (null), (repeat('x', 201)), (e'a\nb')) as r (reason)
cross join lateral pg_temp.refuses('PT400 MALFORMED_ARGUMENT', 'it has its reason', :'cashier', :'tx_no', r.reason) t;
select is(pg_temp.reverses(:'cashier', :'tx_no', 'key'), 'REV t 500.00 S1 f', 'who took it reverses it');
select is(pg_temp.balance(), 100.00, 'and it is off the card');
select is(pg_temp.days(), '0.00 0.00', 'the day of cashier and merchant has room for it again');
select is((select string_agg(e.account || ' ' || e.delta, ', ' order by e.entry_no) from app.ledger_entries e join app.transactions t on t.id = e.tx_id where t.tx_type = 'reversal'),
  'card -500.00, merchant_payable 500.00', 'it is booked in two entries');
select is((select concat_ws(' ', e.actor_role, e.action, e.params ->> 'original_tx_no' = :'tx_no', e.params ->> 'amount') from audit.event_log e order by e.id desc limit 1),
  'merchant card.recharge_reversed t 500.00', 'and audited');
select is(pg_temp.reverses(:'cashier', :'tx_no', 'key'), 'REV t 500.00 S1 t', 'the same request again: the same answer');
select is(pg_temp.reverses(:'cashier', :'tx_no', 'key', 'other'), 'PT422 IDEMPOTENCY_KEY_REUSED', 'another one with its key is refused');
select * from pg_temp.refuses('PT409 RECHARGE_ALREADY_REVERSED', 'another reversal too', :'manager', :'tx_no');

-- Half an hour, then a manager.
create function pg_temp.let_pass(p_tx_no text, p_time interval) returns void language plpgsql as $$
begin
  alter table app.transactions disable trigger rows_are_never_changed;
  update app.transactions t set created_at = t.created_at - p_time where t.tx_no = p_tx_no;
  alter table app.transactions enable always trigger rows_are_never_changed;
end;
$$;
select pg_temp.takes(:'cashier', 50) as tx_no \gset
select pg_temp.let_pass(:'tx_no', '31 minutes');
select * from pg_temp.refuses('PT403 REVERSAL_NEEDS_MANAGER', 'after half an hour', :'cashier', :'tx_no');
update app.merchants set status = 'suspended' where code = 'S1';
select is(pg_temp.reverses(:'manager', :'tx_no'), 'REV t 50.00 S1 f', 'a manager reverses it, of a suspended merchant too');
update app.merchants set status = 'active' where code = 'S1';

-- What it cannot be.
select pg_temp.takes(:'cashier', 50) as tx_no \gset
select fx.code(:'payer') as code \gset
select fx.act_as(:'cashier') \g /dev/null
select tx_no as payment_no from public.merchant_charge_by_qr('S1', :'code', 120) \gset
select * from pg_temp.refuses('PT402 INSUFFICIENT_BALANCE', 'what is spent', :'manager', :'tx_no');
select * from pg_temp.refuses('PT409 ONLY_CASH_RECHARGE_REVERSIBLE', 'a payment', :'manager', :'payment_no');
select refund_tx_no from public.merchant_refund_tx('S1', :'payment_no', 120) \gset
update app.cards set status = 'frozen' where id = :'card';
select is(pg_temp.reverses(:'cashier', :'tx_no'), 'REV t 50.00 S1 f', 'a frozen card gives it back');
update app.cards set status = 'active' where id = :'card';
select tx_no as reversal_no from app.transactions where tx_type = 'reversal' order by id desc limit 1 \gset
select * from pg_temp.refuses('PT409 ONLY_CASH_RECHARGE_REVERSIBLE', 'a reversal is not reversed', :'manager', :'reversal_no');

-- Settlements and totals are as if it had never been.
select pg_temp.takes(:'cashier', 30) as kept_no \gset
select fx.act_as(:'manager') \g /dev/null
select is((select concat_ws(' ', s.recharge_count, s.recharge_amount, s.payment_count) from public.get_today_transaction_stats(:'shop') s), '1 30.00 1', 'the day counts what was kept');
select fx.act_as_service() \g /dev/null
select is_empty('select * from public.verify_ledger()', 'the books are right');
select public.generate_settlement(:'shop', 'realtime', now() - interval '1 day', clock_timestamp()) as settlement \gset
select is((select concat_ws(' ', s.gross, s.refunds, s.cash, s.cash_count) from app.settlements s), '120.00 120.00 30.00 1', 'a settlement takes what was kept');
select * from pg_temp.refuses('PT409 RECHARGE_ALREADY_SETTLED', 'after which nothing is reversed', :'manager', :'kept_no');
select fx.act_as_service() \g /dev/null
select is_empty('select * from public.verify_ledger()', 'and the books are right');
select * from finish();
rollback;
