-- What is deleted for good, and that it leaves the seals whole.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_merchant('S1');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 100) as payer \gset

-- Codes.
create function pg_temp.age(p_code text, p_ended interval) returns uuid language sql as $$
  update app.payment_codes c
  set id = app.uuid_v7(now() - p_ended - interval '1 hour'), issued_at = now() - p_ended - interval '1 hour', expires_at = now() - p_ended,
      consumed_at = case when c.consumed_at is not null then now() - p_ended end, revoked_at = case when c.revoked_at is not null then now() - p_ended end
  where c.code_hash = any (sec.code_hashes(p_code)) returning c.id $$;
select fx.code(:'payer') as consumed \gset
select fx.act_as(:'cashier');
create temporary table paid as select * from public.merchant_charge_by_qr('S1', :'consumed', 10, 'k1');
select fx.code(:'payer') as revoked \gset
select fx.code(:'payer') as expired \gset
select is((select count(*)::int from app.payment_codes), 3, 'three codes: consumed, revoked, open');
select pg_temp.age(c, interval '89 days 23 hours') from unnest(array[:'consumed', :'revoked', :'expired']) c;
select fx.act_as_service();
create temporary table state as select * from fx.state();
select is(public.cron_purge(), 0, 'what ended less than 90 days ago stays');
select set_eq($$ select s::text from fx.state() s where s::text not like '(app.clock_state,%' $$, $$ select s::text from state s where s::text not like '(app.clock_state,%' $$, 'and nothing but what the clock showed is written');
select pg_temp.age(:'revoked', interval '90 days 1 second');
select is(public.cron_purge(), 1, 'a code that was revoked 90 days ago goes');
select is((select count(*)::int from app.payment_codes where revoked_at is not null), 0, 'that one');
select pg_temp.age(:'consumed', interval '90 days 1 second');
update app.payment_codes set expires_at = consumed_at + interval '1 day' where consumed_at is not null;
select is(public.cron_purge(), 1, 'so does one that was consumed then, though it could have lived longer');
select is((select count(*)::int from app.payment_codes where consumed_at is not null), 0, 'that one');
update app.payment_codes set expires_at = now() + interval '1 day', id = app.uuid_v7(now() - interval '91 days');
select is(public.cron_purge(), 0, 'an old one that is still open stays');
select pg_temp.age(:'expired', interval '90 days 1 second');
select is(public.cron_purge(), 1, 'until it expired 90 days ago');
select results_eq($$ select a.actor_role, a.params from audit.event_log a where a.action = 'database.purged' $$,
  $$ select 'service', '{"codes": 1, "audit_rows": 0}'::jsonb from generate_series(1, 3) $$, 'each is written down');
select fx.act_as(:'cashier');
select results_eq($$ select tx_no, final_amount, replayed from public.merchant_charge_by_qr('S1', '$$ || :'consumed' || $$', 10, 'k1') $$,
  'select tx_no, final_amount, true from paid', 'a payment is replayed when its code is gone');
select is(fx.refusal(format('select public.merchant_charge_by_qr(%L, %L, 10, %L)', 'S1', :'consumed', 'k2')), 'PT409 QR_EXPIRED_OR_INVALID', 'and not paid again');
select fx.act_as_service();
select is_empty('select * from public.verify_ledger()', 'the books need no old codes');
insert into app.payment_codes (id, code_hash, key_id, card_id, member_id, issued_at, expires_at, revoked_at)
select app.uuid_v7(now() - interval '100 days' + n * interval '1 s'), sha256(n::text::bytea), (select min(key_id) from sec.master_keys),
       fx.standard_card(:'payer'), fx.member_id(:'payer'), now() - interval '100 days', now() - interval '99 days', now() - interval '99 days'
from generate_series(1, 7001) n;
select results_eq('select public.cron_purge() from generate_series(1, 3)', 'values (5000), (2001), (0)', 'codes go 5000 at a time');

-- The audit log.
select (now() - interval '2555 days') as cut, date_trunc('month', now() - interval '2555 days', 'UTC') as young \gset
select to_char(:'young'::timestamptz at time zone 'UTC', 'YYYYMM') as young_month,
       to_char(:'young'::timestamptz at time zone 'UTC' - interval '1 day', 'YYYYMM') as old_month \gset
select app.ensure_partition('audit.event_log', m, true) from unnest(array['2015-01-01Z', '2015-02-01Z', '2015-03-01Z', :'young']::timestamptz[]) m;
select app.ensure_partition('audit.event_log', date_trunc('month', :'young'::timestamptz - interval '1 day', 'UTC'), true);
create function pg_temp.note(p_at timestamptz, p_action text) returns void language sql as $$
  insert into audit.event_log (id, created_at, action, object_type, params) values (app.uuid_v7(p_at), p_at, p_action, 'x', '{}') $$;
create function pg_temp.seal() returns void language plpgsql as $$
begin
  perform pg_sleep(0.002);
  while app.seal_rows(app.uuid_v7_floor(clock_timestamp()), 2) > 0 loop end loop;
end;
$$;
create function pg_temp.partition(p_month text) returns boolean language sql as $$ select to_regclass('audit.event_log_' || p_month) is not null $$;
create function pg_temp.violations() returns text language sql as $$
  select coalesce(string_agg(concat_ws(' ', v.table_name, v.what), ', ' order by v.table_name, v.what), 'nothing') from public.verify_seals() v $$;
create function pg_temp.seen_after(p_tampers text[]) returns text language plpgsql as $$
declare
  v_statement text;
begin
  for v_statement in
    select format('alter table %s disable trigger all', c.oid::regclass)
    from pg_catalog.pg_class c where c.relkind in ('r', 'p') and c.relnamespace in ('app'::regnamespace, 'audit'::regnamespace)
    union all select unnest(p_tampers)
  loop
    execute v_statement;
  end loop;
  raise exception using message = pg_temp.violations(), errcode = 'XX999';
exception when sqlstate 'XX999' then
  return sqlerrm;
end;
$$;
select pg_temp.note('2015-01-05Z', 'jan ' || n) from generate_series(1, 5) n;
insert into app.transactions (id, tx_no, tx_type, raw_amount, final_amount, created_at)
values (app.uuid_v7('2015-01-05 00:00:01Z'), 'ADJ9999999999', 'adjustment', 1, 1, '2015-01-05 00:00:01Z');
select pg_temp.note('2015-02-05Z', 'feb');
select pg_temp.note(:'young'::timestamptz - interval '1 ms', 'old');
select pg_temp.note(:'young', 'young');
select is(public.cron_purge(), 0, 'what is not sealed is not purged');
select app.seal_rows(app.uuid_v7_floor('2015-01-20Z'), 4000);
select is(public.cron_purge(), 0, 'nor what is sealed in part');
select pg_temp.seal();
insert into app.check_runs (what, ran_at, violations) values ('verify_seals', now(), 1);
select is(public.cron_purge(), 0, 'nor anything while seals are violated: it may be evidence');
update app.check_runs set violations = 0;
update app.seal_state set last_id_to = (select s.id_to from app.seals s where s.seal_no = 1);
select is(public.cron_purge(), 0, 'sealed is what the chain''s tip says');
update app.seal_state set last_id_to = (select s.id_to from app.seals s order by s.seal_no desc limit 1);
select is(pg_temp.violations(), 'nothing', 'all is well before');
create temporary table january as select s.* from app.seals s where s.id_to <= app.uuid_v7_floor('2015-02-01Z');
create temporary table others as select i.* from app.seal_items i where i.log <> 'audit.event_log' or i.seal_no not in (select j.seal_no from january j);
select is(fx.refusal(format('select public.cron_purge(%s)', d)), 'PT400 MALFORMED_ARGUMENT', 'the audit log is not kept for ' || d || ' days')
from unnest(array['2554', '36501', '-1', 'null']) d;
select is(public.cron_purge(36500), 0, 'who keeps it for a century purges no month of 2015');
select ok(pg_temp.partition('201501'), 'it is there');
select is(public.cron_purge(2555), 5, 'the oldest sealed month is purged, with its five rows');
select ok(not pg_temp.partition('201501') and pg_temp.partition('201502'), 'one month at a time');
select results_eq($$ select log, id_from, id_to, row_count, seal_first, seal_last, last_root, purged_at between now() and clock_timestamp() from app.purged_ranges $$,
  $$ select 'audit.event_log', app.uuid_v7_floor('2015-01-01Z'), app.uuid_v7_floor('2015-02-01Z'), 5::bigint, min(seal_no), max(seal_no),
            (select root from january order by seal_no desc limit 1), true from january $$, 'the record keeps which seals, and the root of the last');
select bag_eq('select seal_no, log, row_ids from app.seal_items', 'select seal_no, log, row_ids from others', 'its items are gone, all others stay');
select is((select count(*)::int from app.transactions where tx_no = 'ADJ9999999999'), 1, 'the books of that month stay');
select is((select params from audit.event_log where action = 'database.purged' order by id desc limit 1), '{"codes": 0, "audit_rows": 5}', 'it is written down');
select is(pg_temp.violations(), 'nothing', 'the chain still verifies');
select is(fx.refusal('delete from app.seal_items'), '55000 DELETE of seal_items is refused: rows of this table are written once', 'other items are still held');
select is(fx.refusal(format('delete from app.%s', t)), format('55000 DELETE of %s is refused: rows of this table are written once', t), t || ' is held')
from unnest(array['purged_ranges', 'seals']) t;
select is(public.cron_purge(), 1, 'then the next');
select ok(not pg_temp.partition('201502'), 'it is gone');
select ok(pg_temp.partition('201503') and public.cron_purge() = 0 and not pg_temp.partition('201503'), 'an empty one goes without a word');
select is((select row_count from app.purged_ranges order by id_to desc limit 1), 0::bigint, 'but with a record');
select is(public.cron_purge(), 1, 'so does the last month that ended 2555 days ago');
select ok(not pg_temp.partition(:'old_month'), 'that one');
select is(public.cron_purge(), 0, 'and then none');
select ok(pg_temp.partition(:'young_month'), 'a month of which a part is younger than 2555 days stays');
select is((select count(*)::int from audit.event_log where action = 'young'), 1, 'with its rows');
select pg_temp.seal();
select is(pg_temp.violations(), 'nothing', 'all is well when the records are sealed, too');
select is(pg_temp.seen_after(array['set local bytea_output = escape', 'set local timezone = ''America/New_York''']), 'nothing', 'in every session');

-- What a superuser cannot hide behind a purge.
select is(pg_temp.seen_after(array[format('insert into audit.event_log (id, created_at, action, object_type, params) values (%L, now(), ''x'', ''x'', ''{}'')',
  app.uuid_v7('2015-01-05Z'))]), 'audit.event_log added', 'a row in a purged month was added');
select is(pg_temp.seen_after(array['delete from app.purged_ranges where id_from = app.uuid_v7_floor(''2015-02-01Z'')']), 'app.purged_ranges removed, audit.event_log changed, audit.event_log items_removed',
  'a removed record of a purge is seen twice');
select is(pg_temp.seen_after(array['update app.purged_ranges set purged_at = purged_at - interval ''1 day'' where id_from = app.uuid_v7_floor(''2015-02-01Z'')']),
  'app.purged_ranges changed', 'a changed one is seen');
select is(pg_temp.seen_after(array[format('drop table audit.event_log_%s', :'young_month')]), 'audit.event_log removed', 'a month dropped without a record is seen');
select is(pg_temp.seen_after(array[format('drop table audit.event_log_%s', :'young_month'), 'delete from app.seal_items where log = ''audit.event_log''',
  format('insert into app.purged_ranges select app.uuid_v7(), ''audit.event_log'', %L, app.uuid_v7_floor(now() + interval ''2 months''), 0, null, null, null, %s',
         app.uuid_v7_floor(:'young'), t)]) like '%app.purged_ranges purged_too_early%', true, 'a record of a purge before its time is seen')
from unnest(array['now()', 'now() + interval ''100 years''']) t;

select * from finish();
rollback;
