-- A superuser can do everything but unseen.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

-- Who else runs a transaction on this server is this test's to say.
create or replace function app.running_transactions() returns text[] language sql volatile as
$$ select coalesce(nullif(current_setting('test.running', true), ''), '{}')::text[] $$;
create or replace function app.has_prepared_transaction() returns boolean language sql volatile as
$$ select coalesce(current_setting('test.prepared', true) = 'yes', false) $$;

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_merchant('S1');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 1000) as payer \gset

create function pg_temp.charge(p_cashier uuid, p_payer uuid, p_key text) returns void language plpgsql as $$
begin
  perform pg_sleep(0.002);
  perform fx.act_as(p_cashier);
  perform public.merchant_charge_by_qr('S1', fx.code(p_payer), 10, p_key);
  perform fx.act_as_service();
  perform pg_sleep(0.002);
end;
$$;
create function pg_temp.seal(p_rows_max int default 4000) returns int language sql as
$$ select app.seal_rows(app.uuid_v7_floor(clock_timestamp()), p_rows_max) $$;
create function pg_temp.violations(p_first bigint default 1, p_max int default null) returns text language sql as $$
  select coalesce(string_agg(concat_ws(' ', v.seal_no, v.table_name, v.row_id, v.what), ', ' order by v.what, v.seal_no, v.row_id), 'nothing')
  from public.verify_seals(p_first, p_max) v $$;
-- What verify_seals says after a statement that no trigger stops, which is then taken back.
create function pg_temp.seen_after(p_tampers text[], p_seen text default 'select pg_temp.violations()') returns text language plpgsql as $$
declare
  v_statement text;
  v_seen text;
begin
  for v_statement in
    select format('alter table %s disable trigger all', c.oid::regclass)
    from pg_catalog.pg_class c
    where c.relkind in ('r', 'p') and c.relnamespace in ('app'::regnamespace, 'audit'::regnamespace)
    union all select unnest(p_tampers)
  loop
    execute v_statement;
  end loop;
  execute p_seen into v_seen;
  raise exception using message = v_seen, errcode = 'XX999';
exception when sqlstate 'XX999' then
  return sqlerrm;
end;
$$;

-- Before the first seal.
select fx.act_as_service();
select is(pg_temp.violations(), 'nothing', 'without a seal nothing is violated');
select is_empty('select * from public.get_latest_seal()', 'and there is no latest seal');
select is(public.cron_verify_seals(), 0, 'nor anything to verify');

-- Honest days.
select pg_temp.charge(:'cashier', :'payer', 'k1');
select pg_temp.charge(:'cashier', :'payer', 'k2');
select is(
  pg_temp.seal(),
  (select (select count(*) from app.transactions) + (select count(distinct tx_id) from app.ledger_entries)
   + (select count(*) from app.point_ledger) + (select count(*) from audit.event_log))::int,
  'a seal has an item for each transaction, its entries, each change of points and each audit row');
select is(pg_temp.seal(), 0, 'what is sealed is not sealed again');
select pg_temp.charge(:'cashier', :'payer', 'k3');
select pg_temp.seal();
select pg_temp.charge(:'cashier', :'payer', 'k4');
select pg_temp.seal();
select pg_temp.charge(:'cashier', :'payer', 'unsealed');
select is(pg_temp.violations(), 'nothing', 'honest rows violate nothing, sealed or not');
select results_eq(
  $$ select s.seal_no, s.id_from, s.previous_root from app.seals s order by s.seal_no $$,
  $$ select s.seal_no, lag(s.id_to, 1, '00000000-0000-0000-0000-000000000000') over w, lag(s.root, 1, decode(repeat('00', 32), 'hex')) over w
     from app.seals s window w as (order by s.seal_no) $$,
  'each seal goes on where the one before ended, and names its root');
select results_eq('select seal_no, root, covers_until from public.get_latest_seal()',
  $$ select 3::bigint, encode(s.root, 'hex'), app.uuid_v7_time(s.id_to) from app.seals s where s.seal_no = 3 $$,
  'the latest seal is answered as an anchor');
select seal_no as anchor_no, root as anchor_root from public.get_latest_seal() \gset

-- Each way to tamper, on each log.
create temporary table item as select i.* from app.seal_items i;
create temporary table target as
  select i.log, case i.log when 'app.ledger_entries' then 'tx_id' else 'id' end as key, i.row_ids[1] as a, i.row_ids[2] as b,
         overlay(i.row_ids[1]::text placing 'a0a0a0a0a0a0' from 25)::uuid as fresh,
         case i.log when 'app.transactions' then 'tag = ''{"x": 1}''' when 'app.ledger_entries' then 'delta = delta * 2'
           when 'app.point_ledger' then 'delta = delta + 1' else 'actor_user_id = gen_random_uuid()' end as change
  from item i where i.seal_no = 1;
create temporary table tampering (name text, statements text[], seen text);
insert into tampering values
  ('a changed row', array['update {log} set {change} where {key} = {a}'], '1 {log} {A} changed'),
  ('a removed row', array['delete from {log} where {key} = {a}'], '1 {log} {A} removed'),
  ('a row added as a copy', array[
    'insert into {log} select (jsonb_populate_record(t, jsonb_build_object(''{key}'', {fresh}))).* from {log} t where {key} = {a}'],
   '1 {log} {FRESH} added'),
  ('a row added anew', array[
    'insert into {log} select (jsonb_populate_record(t, jsonb_build_object(''{key}'', {fresh}))).* from {log} t where {key} = {a}',
    'update {log} set {change} where {key} = {fresh}'],
   '1 {log} {FRESH} added'),
  ('two rows that changed places', array[
    'update {log} set {key} = {fresh} where {key} = {a}', 'update {log} set {key} = {a} where {key} = {b}',
    'update {log} set {key} = {b} where {key} = {fresh}'],
   '1 {log} {A} reordered, 1 {log} {B} reordered'),
  ('a row moved elsewhere', array['update {log} set {key} = {fresh} where {key} = {a}'],
   '1 {log} {A} removed, 1 {log} {FRESH} reordered'),
  ('a row added and its item, too', array[
    'insert into {log} select (jsonb_populate_record(t, jsonb_build_object(''{key}'', {fresh}))).* from {log} t where {key} = {a}',
    'update app.seal_items i set (row_ids, row_hashes) = (select array_agg(r.row_id order by r.row_id), array_agg(r.row_hash order by r.row_id)
       from app.seals s, app.log_rows(i.log, s.id_from, s.id_to) r where s.seal_no = i.seal_no) where i.seal_no = 1 and i.log = ''{log}'''],
   '1 {log} changed, 1 {log} items_changed'),
  ('items in another order', array[
    'update app.seal_items set row_ids[1] = {b}, row_ids[2] = {a}, row_hashes[1] = row_hashes[2], row_hashes[2] = row_hashes[1]
     where seal_no = 1 and log = ''{log}'''],
   '1 {log} items_changed'),
  ('an item too many', array[
    'update app.seal_items set row_ids = row_ids || {fresh}::uuid, row_hashes = row_hashes || row_hashes[1] where seal_no = 1 and log = ''{log}'''],
   '1 {log} items_changed'),
  ('a hash too many', array[
    'update app.seal_items set row_hashes = row_hashes || ''''::bytea where seal_no = 1 and log = ''{log}'''],
   '1 {log} items_changed'),
  ('items removed', array['delete from app.seal_items where seal_no = 1 and log = ''{log}'''], '1 {log} items_removed'),
  ('items removed and a row changed', array[
    'delete from app.seal_items where seal_no = 1 and log = ''{log}''', 'update {log} set {change} where {key} = {a}'],
   '1 {log} changed, 1 {log} items_removed');
create function pg_temp.filled(p_text text, p_target target) returns text language sql as $$
  select replace(replace(replace(replace(replace(replace(replace(replace(replace(p_text,
    '{log}', p_target.log), '{key}', p_target.key), '{a}', quote_literal(p_target.a)), '{b}', quote_literal(p_target.b)),
    '{fresh}', quote_literal(p_target.fresh)), '{change}', p_target.change), '{A}', p_target.a::text), '{B}', p_target.b::text),
    '{FRESH}', p_target.fresh::text) $$;
select is((select count(*)::int from target), 4, 'four logs are sealed');
select is(pg_temp.seen_after((select array_agg(pg_temp.filled(s.statement, t) order by s.n)
            from unnest(w.statements) with ordinality as s (statement, n))),
          pg_temp.filled(w.seen, t), format('%s: %s is seen', t.log, w.name))
from target t cross join tampering w;

select is(pg_temp.seen_after(array[format('delete from app.ledger_entries where tx_id = %L and entry_no = 1', t.a)]),
          format('1 app.ledger_entries %s changed', t.a), 'one entry less is a changed transaction''s entries')
from target t where t.log = 'app.ledger_entries';
select is(pg_temp.seen_after(array[
            format('update app.ledger_entries set entry_no = 9 where tx_id = %L and entry_no = 1', t.a)]),
          format('1 app.ledger_entries %s changed', t.a), 'and so are entries in another order')
from target t where t.log = 'app.ledger_entries';
select is(pg_temp.seen_after(array[format('insert into app.seal_items values (1, %L, array[%L]::uuid[], array[%L]::bytea[])',
            'app.purged_ranges', app.uuid_v7(), '')]),
          '1 app.purged_ranges items_changed', 'items of a log that the seal does not name are seen');
select is(pg_temp.seen_after(array['delete from audit.event_log'],
          'select count(*)::text from public.verify_seals()'), (select sum(cardinality(i.row_ids))::text from item i where i.log = 'audit.event_log'),
          'each row is named when all are gone');

-- The chain.
select is(pg_temp.seen_after(array['update app.seals set root = sha256(root) where seal_no = 2']),
          '2 app.seals seal_changed, 3 app.seals seal_changed', 'another root is seen, here and by the next seal');
select is(pg_temp.seen_after(array['update app.seals set sealed_at = sealed_at - interval ''1 day'' where seal_no = 2']),
          '2 app.seals seal_changed', 'another time is seen');
select is(pg_temp.seen_after(array['update app.seals set parts = parts - ''app.point_ledger'' where seal_no = 2',
            'delete from app.seal_items where seal_no = 2 and log = ''app.point_ledger''', format('delete from app.point_ledger where id = %L', i.row_ids[1])]),
          '2 app.seals seal_changed', 'a part that was taken out with its rows is seen by the root')
from item i where i.seal_no = 2 and i.log = 'app.point_ledger';
select is(pg_temp.seen_after(array['update app.seals s set sealed_at = now() where seal_no = 2',
            'update app.seals s set root = app.seal_root(s) where seal_no = 2']),
          '3 app.seals seal_changed', 'a seal made anew is seen by the next one');
select is(pg_temp.seen_after(array['update app.seals s set id_to = overlay(id_to::text placing ''a0a0a0a0a0a0'' from 25)::uuid where seal_no = 2',
            'update app.seals s set root = app.seal_root(s) where seal_no = 2',
            'update app.seals s set previous_root = (select p.root from app.seals p where p.seal_no = 2) where seal_no = 3',
            'update app.seals s set root = app.seal_root(s) where seal_no = 3', 'update app.seal_state set last_root = (select root from app.seals where seal_no = 3)']),
          '3 app.seals seal_changed', 'ranges that overlap or leave a gap are seen though all roots are right');
select is(pg_temp.seen_after(array['update app.seals s set id_from = app.uuid_v7_floor(now()) where seal_no = 1',
            'update app.seals s set root = app.seal_root(s) where seal_no = 1']) like '%1 app.seals seal_changed%', true, 'the first seal begins with the first id');
select is(pg_temp.seen_after(array['update app.seals s set previous_root = sha256('''') where seal_no = 1',
            'update app.seals s set root = app.seal_root(s) where seal_no = 1']) like '%1 app.seals seal_changed%', true, 'and continues nothing');
select is(pg_temp.seen_after(array['delete from app.seals where seal_no = 2']), '2 app.seals seal_removed', 'a removed seal is named');
select is(pg_temp.seen_after(array['delete from app.seals where seal_no = 1']), '1 app.seals seal_removed', 'the first, too');
select is(pg_temp.seen_after(array['delete from app.seals where seal_no = 2', 'update app.seals s set sealed_at = now() where seal_no = 3']),
          '3 app.seals seal_changed, 2 app.seals seal_removed', 'the seal after a removed one still has its own root');
select is(pg_temp.seen_after(array['delete from app.seals where seal_no = 3']), '3 app.seals seal_removed', 'the last, too');
select is(pg_temp.seen_after(array['delete from app.seals where seal_no = 3', 'do $$ begin perform pg_temp.charge((select user_id from app.merchant_users),
            (select auth_user_id from app.member_profiles), ''k5''), pg_temp.seal(); end $$']),
          '3 app.seals seal_removed', 'sealing on does not hide that the last seal was dropped');
select is(pg_temp.seen_after(array['delete from app.seals', 'delete from app.seal_items']), '3 app.seals seal_removed', 'all seals gone is not all well');
select is(pg_temp.seen_after(array['update app.seal_state set last_root = sha256('''')']), '3 app.seals seal_changed', 'the remembered tip is the last seal');
select is(pg_temp.seen_after(array['update app.seal_state set last_id_to = app.uuid_v7_floor(now() + interval ''1 day'')']), '3 app.seals seal_changed',
          'and where it ends is where it ended');
select is(pg_temp.seen_after(array['delete from app.seal_state']), '0 app.seal_state removed', 'the remembered tip is there');

-- What only an anchor shows.
create temporary table forgery (statement text, n serial);
insert into forgery (statement) values
  ('update app.ledger_entries set delta = delta * 2 where tx_id = (select a from target where log = ''app.ledger_entries'')'),
  ('delete from app.seals'), ('delete from app.seal_items'), ('delete from app.seal_state'), ('insert into app.seal_state default values'),
  ('select pg_temp.seal()'), ('select pg_temp.seal()');
select is(pg_temp.seen_after((select array_agg(f.statement order by f.n) from forgery f)), 'nothing', 'a chain made anew looks well');
select is(pg_temp.seen_after((select array_agg(f.statement order by f.n) from forgery f),
            format('select string_agg(seal_no || '' '' || what, '','') from public.verify_seals(p_anchor_seal_no => %s, p_anchor_root => %L)', :'anchor_no', :'anchor_root')),
          '3 anchor_differs', 'but not to an anchor');
select is_empty(format('select * from public.verify_seals(p_anchor_seal_no => %s, p_anchor_root => %L)', :'anchor_no', :'anchor_root'),
  'the anchor of an honest chain holds');
select pg_temp.charge(:'cashier', :'payer', 'k6');
select pg_temp.seal();
select is_empty(format('select * from public.verify_seals(p_anchor_seal_no => %s, p_anchor_root => %L)', :'anchor_no', :'anchor_root'),
  'and still does when the chain has grown');
select is((select string_agg(what, ',') from public.verify_seals(p_anchor_seal_no => 2, p_anchor_root => :'anchor_root')), 'anchor_differs', 'it belongs to its number');

-- What must not raise a false alarm.
select is(pg_temp.seen_after(array['alter table app.transactions add column later text', 'alter table audit.event_log add column later int']),
          'nothing', 'a nullable column that is added later changes no hash');
select is(pg_temp.seen_after(array['set local timezone = ''America/New_York''', 'set local bytea_output = escape', 'set local datestyle = german']),
          'nothing', 'nor do the settings of a session');

-- In parts.
select is(pg_temp.seen_after(array[format('delete from audit.event_log where id = %L', i.row_ids[1])], 'select pg_temp.violations(3, 1)'), 'nothing', 'seals outside of the part are not looked at')
from item i where i.seal_no = 2 and i.log = 'audit.event_log';
select is(pg_temp.seen_after(array[format('delete from audit.event_log where id = %L', i.row_ids[1])], 'select pg_temp.violations(1, 1)'), 'nothing', 'neither later ones')
from item i where i.seal_no = 2 and i.log = 'audit.event_log';
select is(pg_temp.seen_after(array[format('delete from audit.event_log where id = %L', i.row_ids[1])], 'select pg_temp.violations(2, 1)'),
          format('2 audit.event_log %s removed', i.row_ids[1]), 'its own are')
from item i where i.seal_no = 2 and i.log = 'audit.event_log';
select is(pg_temp.seen_after(array['delete from app.seals where seal_no = 2'], 'select pg_temp.violations(3, 1)'), '2 app.seals seal_removed', 'a part begins after the seal before it');
select is(pg_temp.violations(5), 'nothing', 'past the end there is nothing');
select is(pg_temp.seen_after(array['insert into audit.event_log select app.uuid_v7(now() - n * interval ''1 s''), now(), null, ''x'', ''x'', ''x'', null, ''{}''
            from generate_series(1, 300) n'], 'select count(*)::text from public.verify_seals()'), '200', 'at most 200 violations are named');

-- The bound of a step.
select pg_temp.charge(:'cashier', :'payer', 'b' || n) from generate_series(1, 3) n;
select ok(pg_temp.seal(1) between 3 and 4, 'a small step seals one row of each log');
select is((select max(jsonb_path_query_first(s.parts, '$.*.rows')::int) from app.seals s where s.seal_no = 5), 1, 'and no more');
select pg_temp.seal(1) from generate_series(1, 9);
select is(pg_temp.seal(1), 0, 'the next steps seal the rest');
select is((select sum(cardinality(i.row_ids)) from app.seal_items i where i.log = 'app.transactions'), (select count(*) from app.transactions), 'no row is left out, none twice');
select is(pg_temp.violations(), 'nothing', 'and all is well');
-- Each log alone moves the seals on, in steps of its own rows.
create function pg_temp.seals_of(p_log text) returns text language plpgsql as $$
declare
  v_first bigint := (select max(s.seal_no) + 1 from app.seals s);
begin
  while pg_temp.seal(1) > 0 loop end loop;
  return (select string_agg(s.parts -> p_log ->> 'rows' || ' of ' || s.row_count, ', ' order by s.seal_no) from app.seals s where s.seal_no >= v_first);
end;
$$;
set local session_replication_role = replica;
insert into app.transactions (id, tx_no, tx_type, raw_amount, final_amount, created_at)
select app.uuid_v7(clock_timestamp() - n * interval '1 ms'), 'ADJ999999999' || n, 'adjustment', 1, 1, now() from generate_series(1, 2) n;
select is(pg_temp.seals_of('app.transactions'), '1 of 1, 1 of 1', 'transactions alone are sealed');
select app.change_points(c.id, 1, null, 'x', clock_timestamp()), pg_sleep(0.003) from app.cards c, generate_series(1, 2);
select is(pg_temp.seals_of('app.point_ledger'), '1 of 1, 1 of 1', 'so are points');
insert into app.ledger_entries (tx_id, entry_no, account, delta) values (app.uuid_v7(clock_timestamp() - interval '1 ms'), 1, 'adjustments', 1);
select is(pg_temp.seals_of('app.ledger_entries'), '1 of 1', 'so are entries, even of no transaction');
insert into app.purged_ranges (id, log, id_from, id_to, row_count, purged_at)
values (app.uuid_v7(clock_timestamp() - interval '1 ms'), 'audit.event_log', app.uuid_v7_floor('2001-01-01Z'), app.uuid_v7_floor('2001-02-01Z'), 0, now());
select is(pg_temp.seals_of('app.purged_ranges'), '1 of 1', 'so are records of a purge');
set local session_replication_role = origin;
select is(pg_temp.violations(), 'nothing', 'all of them well');
insert into audit.event_log (id, created_at, action, object_type, params) values
  (app.uuid_v7(date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' + interval '1 month'), now(), 'next month', 'x', '{}'),
  (app.uuid_v7(date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' + interval '1 month' - interval '1 ms'), now(), 'this month', 'x', '{}');
select app.seal_rows(app.uuid_v7_floor(now() + interval '2 months'), 4000), app.seal_rows(app.uuid_v7_floor(now() + interval '2 months'), 4000);
select results_eq(
  $$ select a.action from app.seals s join app.seal_items i using (seal_no) join audit.event_log a on a.id = any (i.row_ids)
     where s.row_count = 1 and a.action like '% month' order by s.seal_no $$, $$ values ('this month'), ('next month') $$,
  'no seal has rows of two months');
select is(pg_temp.violations(), 'nothing', 'and all is well at the turn of the month');

-- The fence.
create function pg_temp.note(p_seconds_ago numeric, p_action text) returns void language sql as $$
  insert into audit.event_log (id, created_at, action, object_type, params)
  values (app.uuid_v7(clock_timestamp() - p_seconds_ago * interval '1 s'), now(), p_action, 'x', '{}') $$;
create function pg_temp.is_sealed(p_action text) returns boolean language sql as $$
  select exists (select from app.seal_items i join audit.event_log a on a.id = any (i.row_ids) where a.action = p_action) $$;
create function pg_temp.cron_seal(p_running text) returns int language plpgsql as $$
begin
  perform set_config('test.running', p_running, true);
  return public.cron_seal();
end;
$$;
alter table app.seal_state disable trigger all;
update app.seal_state set last_id_to = app.uuid_v7_floor(now() - interval '1 hour');
select pg_temp.note(12, 'twelve seconds old');
select pg_temp.note(9, 'nine seconds old');
select ok(pg_temp.cron_seal('{}') > 0 and pg_temp.is_sealed('twelve seconds old'), 'what is older than ten seconds is sealed when nobody else is there');
select ok(not pg_temp.is_sealed('nine seconds old'), 'what is younger is not');

update app.seal_state set last_id_to = app.uuid_v7_floor(now() - interval '1 hour'), fenced_at = null, final_at = null;
select pg_temp.note(60, 'a minute old');
select is(pg_temp.cron_seal('{3/7,4/1}'), 0, 'while others run nothing is sealed');
select is((select running::text from app.seal_state), '{3/7,4/1}', 'but they are remembered');
select is(pg_temp.cron_seal('{3/7,5/5}'), 0, 'as long as one of those is left, nothing is');
select is((select running::text from app.seal_state), '{3/7,4/1}', 'and the fence stays');
select set_config('test.prepared', 'yes', true);
select is(pg_temp.cron_seal('{5/5}'), 0, 'nor is anything while one is prepared');
select is(pg_temp.cron_seal('{}'), 0, 'even when nobody runs');
select set_config('test.prepared', '', true);
select ok(pg_temp.cron_seal('{5/5}') > 0 and pg_temp.is_sealed('a minute old'), 'when all of those are gone, it is, whoever came later');
select is((select running::text from app.seal_state), '{5/5}', 'and the next fence waits for them');

update app.seal_state set last_id_to = app.uuid_v7_floor(now() - interval '1 hour'), fenced_at = null, final_at = null;
select set_config('test.prepared', 'yes', true);
select is(pg_temp.cron_seal('{}'), 0, 'one that is prepared is running, though nobody runs it');
select set_config('test.prepared', '', true);
update app.seal_state set last_id_to = app.uuid_v7_floor(now() - interval '1 hour'), fenced_at = now() - interval '30 s', running = '{3/7}', final_at = null;
select pg_temp.note(35, 'before the fence');
select pg_temp.note(25, 'behind the fence');
select ok(pg_temp.cron_seal('{5/5}') > 0 and not pg_temp.is_sealed('behind the fence'), 'only what is before the fence is sealed, less the margin');
update app.seal_state set last_id_to = app.uuid_v7_floor(now() - interval '1 hour'), fenced_at = now() + interval '1 hour', running = '{}', final_at = null;
select is(pg_temp.cron_seal('{5/5}'), 0, 'a fence from the future is thrown away, since the clock stepped back');
select ok((select fenced_at <= clock_timestamp() and running = '{5/5}' from app.seal_state), 'and a new one raised');
set local test.running = '';

select * from finish();
rollback;
