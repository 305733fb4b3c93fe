-- Months of the logs: rows that no month was there for move to theirs, unchanged, with their triggers, seals and references.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select is_empty(
  $$ select k.conrelid::regclass, k.confrelid::regclass from pg_catalog.pg_constraint k
     where k.contype = 'f' and (k.conrelid in (select p.partrelid from pg_catalog.pg_partitioned_table p)
        or k.confrelid in (select p.partrelid from pg_catalog.pg_partitioned_table p)) $$,
  'no foreign key names a log or stands on one: attaching a month would lock the tables at both ends');

-- As after 400 days without a job: no month at all.
do $$
declare v_month regclass;
begin
  for v_month in
    select i.inhrelid from pg_catalog.pg_inherits i join app.partitioned_tables p on p.table_name = i.inhparent
    where i.inhrelid::regclass::text not like '%\_default'
  loop
    execute format('drop table %s', v_month);
  end loop;
end $$;
select fx.make_merchant('S1') as merchant \gset
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 1000, 1200) as payer \gset
select fx.code(:'payer') as code \gset
select fx.act_as(:'cashier');
select tx_id, tx_no from public.merchant_charge_by_qr('S1', :'code', 299.00, 'key-1', p_external_order_id => 'ORDER') \gset
select refund_tx_id from public.merchant_refund_tx('S1', :'tx_no', 10) \gset
-- And rows of other months, older and younger.
insert into audit.event_log (id, created_at, action, object_type, params)
select app.uuid_v7(at), at, 'x', 'x', '{}'
from unnest(array['2025-03-31 23:59:59.999+00', '2025-04-01 00:00:00+00', '2025-04-30 12:00:00+00', '2099-01-01 00:00:00+00']::timestamptz[]) at;
select fx.act_as_service();
select cmp_ok(public.cron_seal(), '>=', 0, 'the logs can be sealed meanwhile');
select app.seal_rows(app.uuid_v7_floor(clock_timestamp() + interval '1 second'), 4000) as sealed \gset
select is_empty('select * from public.verify_seals()', 'and are as they were sealed');

create function pg_temp.digest(p_log text) returns text language plpgsql as $$
declare v_digest text;
begin
  execute format('select md5(coalesce(string_agg(t::text, '','' order by t::text), '''')) from %s t where %s', p_log,
    case when p_log = 'audit.event_log' then $q$ t.action not in ('partitions.made') $q$ else 'true' end) into v_digest;
  return v_digest;
end $$;
create temporary table before as select p.table_name::text as log, pg_temp.digest(p.table_name::text) as digest from app.partitioned_tables p;
select isnt_empty('select * from app.logs_with_default_rows()', 'rows lie in the default partitions');

create temporary table steps (number int);
do $$
begin
  for n in 1 .. 200 loop
    insert into steps values (n);
    exit when public.cron_ensure_partitions() = 0;
  end loop;
end $$;
select cmp_ok((select count(*)::int from steps), '<', 200, 'after some steps there is nothing left to do');
select is_empty('select * from app.logs_with_default_rows()', 'the default partitions are empty');
select is_empty('select * from app.logs_without_partition()', 'this month and the next are there');
select bag_eq('select p.table_name::text, pg_temp.digest(p.table_name::text) from app.partitioned_tables p', 'select log, digest from before',
  'every row is there, unchanged');
select is(pg_temp.month_of, month, 'a row lies in its month: ' || month)
from (
  select e.tableoid::regclass::text as month_of, format('audit.event_log_%s', to_char(e.created_at at time zone 'UTC', 'YYYYMM')) as month
  from audit.event_log e where e.action = 'x') pg_temp;
select is_empty('select * from public.verify_seals()', 'the seals hold');
select is_empty('select * from public.verify_ledger()', 'the books are right');
select is(fx.refusal(format('update app.transactions set tag = null where id = %L', :'tx_id')),
  '55000 UPDATE of transactions_' || to_char(now() at time zone 'UTC', 'YYYYMM') || ' is refused: rows of this table are written once', 'moved rows stay as they are');
select is(left(fx.refusal('truncate audit.event_log_202503'), 17), '55000 TRUNCATE of', 'and cannot be truncated');
select ok((select bool_and(c.relrowsecurity) from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
  where i.inhparent in (select p.table_name from app.partitioned_tables p)), 'row-level security is on for all of them');
select is_empty(
  $$ select c.relname from pg_catalog.pg_constraint k join pg_catalog.pg_class c on c.oid = k.conrelid where k.conname = 'rows_are_of_the_month' $$,
  'nothing is left of the way there');
select fx.act_as(:'cashier');
select is((select r.remaining from public.merchant_refund_tx('S1', :'tx_no', 5) r), 269.05, 'a payment that moved is refunded');
select is(fx.refusal(format('insert into app.merchant_orders (merchant_id, external_order_id, tx_id) values (%L, %L, app.uuid_v7())', :'merchant', 'OTHER')),
  '23503 tx_id of merchant_orders names a transaction that is not there', 'an order of no transaction is refused');
select is(fx.refusal(format($$ insert into app.transactions select (jsonb_populate_record(t, jsonb_build_object('id', app.uuid_v7(), 'original_tx_id', app.uuid_v7()))).*
  from app.transactions t where t.id = %L $$, :'refund_tx_id')), '23503 original_tx_id of transactions_' || to_char(now() at time zone 'UTC', 'YYYYMM')
  || ' names a transaction that is not there', 'a refund of no payment is refused');
select is(fx.refusal(format($$ insert into app.transactions select (jsonb_populate_record(t, jsonb_build_object('id', app.uuid_v7(), 'terminal_code', 'NOSUCH'))).*
  from app.transactions t where t.id = %L $$, :'tx_id')), '23503 terminal_code of transactions_' || to_char(now() at time zone 'UTC', 'YYYYMM')
  || ' names a terminal that is not there', 'a payment at no terminal is refused');

select * from finish();
rollback;
