-- What is written about money stays as it was written.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;

create temporary table held (name text);
insert into held values
  ('app.transactions'), ('app.ledger_entries'), ('app.point_ledger'), ('audit.event_log'), ('app.transaction_numbers'),
  ('app.idempotency_keys');
create temporary table held_partition as
  select h.name, i.inhrelid::regclass::text as partition
  from held h join pg_catalog.pg_inherits i on i.inhparent = h.name::regclass;

select plan((select 3 * count(*) from held)::int + (select 3 * count(*) from held_partition)::int + 8);

select fx.make_merchant('S1');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 100) as payer \gset
select fx.code(:'payer') as code \gset
select fx.act_as(:'cashier');
select tx_id from public.merchant_charge_by_qr('S1', :'code', 10, 'k1') \gset

create function pg_temp.first_column(p_table text) returns text language sql as $$
  select quote_ident(a.attname) from pg_catalog.pg_attribute a
  where a.attrelid = p_table::regclass and a.attnum = 1 $$;
-- A row that could be changed, in a partition that has none: whether the trigger is there is then read from the catalogue.
create function pg_temp.has_row_trigger(p_table text) returns boolean language sql as $$
  select exists (
    select from pg_catalog.pg_trigger t
    where t.tgrelid = p_table::regclass and t.tgfoid = 'sec.refuse_change()'::regprocedure and t.tgenabled = 'A'
      and t.tgtype::int & 1 = 1 and t.tgtype::int & 8 = 8 and t.tgtype::int & 16 = 16) $$;

select is(fx.refusal(format('update %s set %2$s = %2$s', h.name, pg_temp.first_column(h.name))),
          format('55000 UPDATE of %s is refused: rows of this table are written once',
                 coalesce((select split_part(p.partition, '.', 2) from held_partition p
                           where p.name = h.name and p.partition like '%' || to_char(now() at time zone 'UTC', 'YYYYMM')),
                          split_part(h.name, '.', 2))),
          h.name || ' refuses an update') from held h;
select is(left(fx.refusal(format('delete from %s', h.name)), 15), '55000 DELETE of', h.name || ' refuses a delete') from held h;
select is(left(fx.refusal(format('truncate %s cascade', h.name)), 17), '55000 TRUNCATE of', h.name || ' refuses a truncate') from held h;

select ok(pg_temp.has_row_trigger(p.partition), p.partition || ' has the row trigger') from held_partition p;
select is(left(fx.refusal(format('truncate %s cascade', p.partition)), 17), '55000 TRUNCATE of', p.partition || ' refuses a truncate')
from held_partition p;
select ok((select c.relrowsecurity from pg_catalog.pg_class c where c.oid = p.partition::regclass), p.partition || ' has row-level security')
from held_partition p;

select is((select count(*)::int from app.transactions_default), 0, 'the default partition is empty: this month has its own');
select is((select t.tableoid::regclass::text from app.transactions t where t.id = :'tx_id'),
          'app.transactions_' || to_char(now() at time zone 'UTC', 'YYYYMM'), 'a payment lies in the partition of its month');
select ok(left(app.uuid_v7('2026-01-02 03:04:05.678001+00')::text, 18) < left(app.uuid_v7('2026-01-02 03:04:05.678002+00')::text, 18), 'ids a microsecond apart follow each other');
select matches(app.uuid_v7()::text, '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$', 'an id is a UUID of version 7');
select is(left(app.uuid_v7('2026-01-02 03:04:05.678999+00')::text, 13), left(app.uuid_v7_floor('2026-01-02 03:04:05.678+00')::text, 13), 'that begins with its millisecond');
select is(app.ensure_partitions(3), 0, 'partitions that exist are not made again');
select is(app.ensure_partitions(4), (select count(*)::int from app.partitioned_tables), 'one month further makes one partition for each log');
select is_empty(
  $$ select i.inhrelid::regclass from pg_catalog.pg_inherits i
     where i.inhparent in (select h.name::regclass from held h) and not pg_temp.has_row_trigger(i.inhrelid::regclass::text) $$,
  'new partitions are held as well');

select * from finish();
rollback;
