-- Running the house: admins, the audit log, refused calls, health, partitions.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_user('admin@fixture.example') as admin \gset
select fx.make_user('second@fixture.example') as second \gset
select fx.make_user('nobody@fixture.example') as plain \gset
insert into app.admin_users (user_id) values (:'admin');

create function pg_temp.call_as(p_user uuid, p_call text) returns text language plpgsql as $$
declare
  v_answer text;
begin
  perform fx.act_as(p_user);
  execute 'select ' || p_call into v_answer;
  return v_answer;
exception when others then
  return sqlstate || ' ' || sqlerrm;
end;
$$;
create function pg_temp.as_service(p_call text) returns text language plpgsql as $$
declare
  v_answer text;
  v_detail text;
begin
  perform fx.act_as_service();
  execute 'select ' || p_call into v_answer;
  return v_answer;
exception when others then
  get stacked diagnostics v_detail = pg_exception_detail;
  return sqlstate || ' ' || sqlerrm || case when v_detail in ('', '{}') then '' else ' ' || v_detail end;
end;
$$;

-- Who may.
select is(fx.refusal_as(r.role, r.id, c.call), r.expected, c.call || ' as ' || r.name)
from (values ('authenticated', 'a user', :'plain'::uuid, 'PT403 PERMISSION_DENIED'), ('authenticated', 'nobody', null, 'PT401 NOT_AUTHENTICATED')) as r (role, name, id, expected)
cross join (values
  (format('select public.add_admin_user(%L)', :'plain')), (format('select public.remove_admin_user(%L)', :'admin')),
  ('select public.query_audit_log(p_limit => 0)'), ('select public.system_health_check()')) as c (call);
select is(fx.refusal_as('authenticated', u.id, c.call), '42501 permission denied for function ' || c.name, c.name || ' is for the service alone')
from (values (:'admin'::uuid), (:'plain')) as u (id)
cross join (values ('report_refusal', $$ select public.report_refusal('x', 'INTERNAL') $$), ('cron_ensure_partitions', 'select public.cron_ensure_partitions()')) as c (name, call);
select is(pg_temp.call_as(:'admin', c.call), 'PT403 PERMISSION_DENIED', c.call || ' is not an admin''s, whatever was granted')
from (values ($$ public.report_refusal('x', 'INTERNAL') $$), ('public.cron_ensure_partitions()')) as c (call);
select is(pg_temp.call_as(null, c.call), 'PT401 NOT_AUTHENTICATED', c.call || ' is not nobody''s')
from (values ('public.report_refusal(null, null)'), ('public.cron_ensure_partitions()')) as c (call);
select is(fx.refusal_as('service_role', null, format('select public.%s', c.call)), '42501 permission denied for function ' || split_part(c.call, '(', 1), c.call || ' is not the service''s')
from (values ('add_admin_user(null)'), ('remove_admin_user(null)'), ('query_audit_log()')) as c (call);

-- Admins.
create temporary table before as select * from fx.state();
select is(pg_temp.call_as(:'admin', format('public.add_admin_user(%L)', gen_random_uuid())), 'PT404 USER_NOT_FOUND', 'an admin is somebody who signed up');
select is(pg_temp.call_as(:'admin', 'public.add_admin_user(null)'), 'PT404 USER_NOT_FOUND', 'not nobody');
select is(pg_temp.call_as(:'admin', format('public.remove_admin_user(%L)', :'admin')), 'PT409 CANNOT_REMOVE_LAST_ADMIN', 'the last admin stays');
select is(pg_temp.call_as(:'admin', format('public.remove_admin_user(%L)', :'plain')), 'false', 'who is no admin cannot be removed');
select is(pg_temp.call_as(:'admin', 'public.remove_admin_user(null)'), 'false', 'nor nobody');
select is(pg_temp.call_as(:'admin', format('public.add_admin_user(%L)', :'admin')), 'false', 'who is an admin cannot be added');
select results_eq('select * from fx.state()', 'select * from before', 'all that changed nothing');
select is(pg_temp.call_as(:'second', 'public.get_settings()'), 'PT403 PERMISSION_DENIED', 'a user runs nothing');
select is(pg_temp.call_as(:'admin', format('public.add_admin_user(%L)', :'second')), 'true', 'until an admin adds him');
select isnt(pg_temp.call_as(:'second', 'public.get_settings()'), 'PT403 PERMISSION_DENIED', 'then he does');
select is(pg_temp.call_as(:'second', format('public.remove_admin_user(%L)', :'admin')), 'true', 'and may remove the first');
select is(pg_temp.call_as(:'admin', format('public.add_admin_user(%L)', :'admin')), 'PT403 PERMISSION_DENIED', 'who cannot come back by himself');
select is(pg_temp.call_as(:'second', format('public.add_admin_user(%L)', :'admin')), 'true', 'but is let in again');
savepoint two;
delete from auth.users where id = :'admin';
select is(pg_temp.call_as(:'second', format('public.remove_admin_user(%L)', :'second')), 'PT409 CANNOT_REMOVE_LAST_ADMIN', 'whose account was deleted is no other admin');
rollback to savepoint two;
select is(pg_temp.call_as(:'second', format('public.remove_admin_user(%L)', :'second')), 'true', 'anybody may leave but the last');
select results_eq(
  $$ select e.actor_user_id, e.actor_role, e.action, e.object_type, e.object_id from audit.event_log e where e.action like 'admin.%' order by e.created_at $$,
  format($$ values (%1$L::uuid, 'admin', 'admin.added', 'user', %2$L), (%2$L, 'admin', 'admin.removed', 'user', %1$L),
                   (%2$L, 'admin', 'admin.added', 'user', %1$L), (%2$L, 'admin', 'admin.removed', 'user', %2$L) $$, :'admin', :'second'),
  'each is recorded');

-- Refused calls.
select is(pg_temp.as_service(format($$ public.report_refusal('merchant_charge_by_qr', 'AMOUNT_OVER_LIMIT', %L, 'SHOP1', '{"limit": "50000.00"}', 'req-1') $$, :'plain')), 'true', 'the service reports a refusal');
select results_eq(
  $$ select e.actor_user_id, e.actor_role, e.action, e.object_type, e.object_id, e.params, e.request_id, e.created_at between now() and clock_timestamp()
     from audit.event_log e where e.action = 'call.refused' $$,
  format($$ values (%L::uuid, 'service', 'call.refused', 'rpc', 'merchant_charge_by_qr',
    '{"code": "AMOUNT_OVER_LIMIT", "params": {"limit": "50000.00"}, "merchant_code": "SHOP1"}'::jsonb, 'req-1', true) $$, :'plain'),
  'who was refused what, by which code, at which merchant');
select set_config('request.headers', '{"x-request-id": "head-2"}', true);
select is(pg_temp.as_service($$ public.report_refusal('merchant_refund_tx', 'NOT_AUTHENTICATED') $$), 'true', 'code and call are enough');
select is((select (e.actor_user_id, e.params, e.request_id)::text from audit.event_log e where e.object_id = 'merchant_refund_tx'),
  '(,"{""code"": ""NOT_AUTHENTICATED""}",head-2)', 'the request id is else the header''s');
select is(pg_temp.as_service(format($$ public.report_refusal('quote_payment', 'NOT_MERCHANT_USER', p_merchant_code => %L) $$, c.sent)), 'true', format('from merchant %L', c.sent))
from (values ('A B'), (repeat('A', 65)), ('701234567890123456789012')) as c (sent);
select is((select count(*)::int from audit.event_log e where e.object_id = 'quote_payment' and e.params = '{"code": "NOT_MERCHANT_USER"}'), 3,
  'what cannot be a merchant''s code, or could be a payment code, is not kept');
create temporary table before_reports as select * from fx.state();
select is(pg_temp.as_service('public.report_refusal(' || c.arguments || ')'), format('PT400 MALFORMED_ARGUMENT {"field": "%s"}', c.field), 'report ' || left(c.arguments, 60))
from (values
  ($$ null, 'INTERNAL' $$, 'rpc'), ($$ '', 'INTERNAL' $$, 'rpc'), ($$ 'Drop table', 'INTERNAL' $$, 'rpc'), ($$ repeat('a', 64), 'INTERNAL' $$, 'rpc'),
  ($$ 'a', null $$, 'code'), ($$ 'a', 'NO_SUCH_CODE' $$, 'code'), ($$ 'a', 'internal' $$, 'code'),
  ($$ 'a', 'INTERNAL', p_params => '[]' $$, 'params'), ($$ 'a', 'INTERNAL', p_params => '"x"' $$, 'params'), ($$ 'a', 'INTERNAL', p_params => 'null' $$, 'params'),
  ($$ 'a', 'INTERNAL', p_params => jsonb_build_object('x', repeat('x', 1016)) $$, 'params'),
  ($$ 'a', 'INTERNAL', p_params => '{"x": "701234567890123456789012"}' $$, 'params'),
  ($$ 'a', 'INTERNAL', p_request_id => '' $$, 'request_id'), ($$ 'a', 'INTERNAL', p_request_id => repeat('x', 129) $$, 'request_id'),
  ($$ 'a', 'INTERNAL', p_request_id => 'a b' $$, 'request_id')) as c (arguments, field);
select results_eq('select * from fx.state()', 'select * from before_reports', 'a malformed report writes nothing');
select is(pg_temp.as_service($$ public.report_refusal(repeat('a', 63), 'INTERNAL', p_params => jsonb_build_object('x', repeat('x', 1015)), p_request_id => repeat('x', 128)) $$), 'true', 'at the bounds it does');

-- Reading the audit log: 20 000 rows, one a second, in next month's partition, so that they never spill into the default one.
select (date_trunc('month', now() at time zone 'UTC') + interval '1 month 10 days') at time zone 'UTC' as newest \gset
insert into audit.event_log (id, created_at, actor_user_id, actor_role, action, object_type, object_id, params)
select app.uuid_v7(x.at), x.at, case when n % 1000 = 0 then '11111111-0000-4000-8000-000000000000'::uuid else '22222222-0000-4000-8000-000000000000' end,
       'x', case when n % 5000 = 0 then 'rare.thing' else 'common.thing' end, case when n % 2 = 0 then 'even' else 'odd' end, (n % 4000)::text, jsonb_build_object('n', n)
from generate_series(1, 20000) n cross join lateral (select :'newest'::timestamptz - (20000 - n) * interval '1 second' as at) x;
analyze audit.event_log;

create function pg_temp.numbers(p_arguments text) returns text language plpgsql as $$
declare
  v_numbers text;
begin
  execute format('select string_agg(q.params ->> %L, %L) from public.query_audit_log(%s) q', 'n', ' ', p_arguments) into v_numbers;
  return v_numbers;
end;
$$;
select fx.act_as(:'admin');
select is(pg_temp.numbers(c.arguments), c.expected, 'audit rows of ' || c.arguments)
from (values
  ($$ p_action => 'rare.thing' $$, '20000 15000 10000 5000'),
  ($$ p_action => 'rare.thing', p_actor_user_id => '11111111-0000-4000-8000-000000000000', p_object_type => 'even', p_object_id => '1000' $$, '5000'),
  ($$ p_actor_user_id => '11111111-0000-4000-8000-000000000000', p_limit => 3 $$, '20000 19000 18000'),
  ($$ 'even', '42' $$, '16042 12042 8042 4042 42'), ($$ 'odd', '42' $$, null), ($$ p_object_type => 'odd', p_limit => 2 $$, '19999 19997'),
  (format('p_actor_user_id => %L, p_start_date => %L', '22222222-0000-4000-8000-000000000000', :'newest'::timestamptz - interval '2 s'), '19999 19998'),
  (format('p_actor_user_id => %L, p_start_date => %L', '22222222-0000-4000-8000-000000000000', :'newest'::timestamptz - interval '2 s' + interval '1 microsecond'), '19999'),
  (format('p_start_date => %L, p_end_date => %L', :'newest'::timestamptz - interval '4 s', :'newest'::timestamptz - interval '2 s'), '19997 19996'),
  (format('p_start_date => %L, p_end_date => %L', :'newest'::timestamptz - interval '4 s', :'newest'::timestamptz - interval '2 s' + interval '1 microsecond'), '19998 19997 19996'),
  (format('p_object_type => %L, p_limit => 2, p_before_id => %L', 'even', (select e.id from audit.event_log e where e.params = '{"n": 19998}')), '19996 19994'),
  (format('p_limit => 1, p_before_id => %L, p_end_date => %L', (select e.id from audit.event_log e where e.params = '{"n": 19998}'), :'newest'), '19997'),
  (format('p_limit => 1, p_before_id => %L, p_end_date => %L', (select e.id from audit.event_log e where e.params = '{"n": 19998}'), :'newest'::timestamptz - interval '1 hour'), '16399')) as c (arguments, expected);
select is((select count(*)::int from public.query_audit_log()), 50, 'a page has 50 rows unless asked otherwise');
select is((select count(*)::int from public.query_audit_log(p_limit => 200)), 200, 'and 200 at most');
select results_eq(format('select id, created_at, actor_user_id, actor_role, action, object_type, object_id, params, request_id from public.query_audit_log(%L, %L)', 'user', :'second'),
  format('select id, created_at, actor_user_id, actor_role, action, object_type, object_id, params, request_id from audit.event_log where object_id = %L order by id desc', :'second'), 'rows as they were written');
-- Page after page there is every row once.
create temporary table paged as
  with recursive page as (
    select 1 as number, array(select q.id from public.query_audit_log('even', '42', p_limit => 2) q) as ids
    union all
    select p.number + 1, array(select q.id from public.query_audit_log('even', '42', p_limit => 2, p_before_id => p.ids[cardinality(p.ids)]) q)
    from page p where cardinality(p.ids) > 0 and p.number < 9)
  select p.number, u.id from page p cross join unnest(p.ids) as u (id);
select results_eq('select number, count(*) from paged group by number order by number', 'values (1, 2::bigint), (2, 2), (3, 1)', 'five rows in pages of two');
select is((select count(distinct id)::int from paged), 5, 'each once');
create function pg_temp.field_of(p_call text) returns text language plpgsql as $$
declare
  v_detail text;
begin
  execute 'select ' || p_call;
  return 'no refusal';
exception when others then
  get stacked diagnostics v_detail = pg_exception_detail;
  return sqlstate || ' ' || sqlerrm || ' ' || v_detail;
end;
$$;
select is(pg_temp.field_of('public.query_audit_log(' || c.arguments || ')'), c.expected, 'audit rows of ' || c.arguments)
from (values
  ('p_limit => 0', 'PT400 MALFORMED_ARGUMENT {"field": "limit"}'), ('p_limit => 201', 'PT400 MALFORMED_ARGUMENT {"field": "limit"}'),
  ($$ p_object_id => '42' $$, 'PT400 MALFORMED_ARGUMENT {"field": "object_type"}'),
  ($$ p_start_date => '-infinity' $$, 'PT400 MALFORMED_ARGUMENT {"field": "start_date"}'), ($$ p_end_date => 'infinity' $$, 'PT400 MALFORMED_ARGUMENT {"field": "end_date"}'),
  ($$ p_start_date => '1969-12-31' $$, 'PT400 MALFORMED_ARGUMENT {"field": "start_date"}'), ($$ p_end_date => '20000-01-01' $$, 'PT400 MALFORMED_ARGUMENT {"field": "end_date"}'),
  ($$ p_start_date => '2026-01-02', p_end_date => '2026-01-02' $$, 'PT422 INVALID_PERIOD {"field": "end_date"}'),
  ($$ p_start_date => '2026-01-03', p_end_date => '2026-01-02' $$, 'PT422 INVALID_PERIOD {"field": "end_date"}'),
  ($$ p_start_date => '1970-01-01', p_end_date => '9999-12-31' $$, 'no refusal')) as c (arguments, expected);
-- How many rows a call reads, from the statistics of this transaction: the pages' own, not the log's.
create function pg_temp.rows_read(p_arguments text) returns table (by_scan bigint, by_index bigint) language plpgsql as $$
declare
  v_scanned bigint;
  v_fetched bigint;
begin
  select sum(s.seq_tup_read), sum(s.idx_tup_fetch) into v_scanned, v_fetched from pg_catalog.pg_stat_xact_all_tables s where s.relname like 'event_log%';
  execute format('select count(*) from public.query_audit_log(%s)', p_arguments);
  return query select sum(s.seq_tup_read)::bigint - v_scanned, sum(s.idx_tup_fetch)::bigint - v_fetched
    from pg_catalog.pg_stat_xact_all_tables s where s.relname like 'event_log%';
end;
$$;
-- Fifteen times each: a plan for all filters at once, made after some calls, would show.
select ok(max(r.by_scan) < 1000 and max(r.by_index) < 1000, format('%s reads few rows: %s by scan, %s by index', c.arguments, max(r.by_scan), max(r.by_index)))
from (values
  ('p_limit => 20'), ($$ p_action => 'rare.thing' $$), ($$ p_actor_user_id => '11111111-0000-4000-8000-000000000000' $$), ($$ 'even', '42' $$),
  ($$ p_object_type => 'odd', p_limit => 200 $$), (format('p_end_date => %L', :'newest'::timestamptz - interval '4 hours')),
  (format('p_start_date => %L', :'newest'::timestamptz - interval '1 s'))) as c (arguments)
cross join generate_series(1, 15) as again (n)
cross join lateral pg_temp.rows_read(c.arguments || left('', again.n)) r
group by c.arguments;

-- Health.
create function pg_temp.unhealthy() returns text language sql as $$
  select coalesce(string_agg(h."check" || ': ' || h.detail, '; ' order by h."check"), 'all is well') from public.system_health_check() h where h.ok is not true $$;
select sec.draw_master_key();
select is(pg_temp.unhealthy(), 'ledger_verified: never; sealed_until: never; seals_verified: never; settlements_generated: never', 'a house whose cron never ran');
select format('%s UTC', to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')) as now_text \gset
insert into app.check_runs (what, ran_at, violations) values ('verify_ledger', now() - interval '35 hours', 0), ('verify_seals', now() - interval '59 minutes', 0),
  ('generate_settlements', now() - interval '179 minutes', 0);
update app.seal_state set final_at = now() - interval '59 minutes';
select is(pg_temp.unhealthy(), 'all is well', 'all is well, as an admin sees it');
update app.check_runs set ran_at = now(), violations = 2 where what = 'verify_ledger';
select is(pg_temp.unhealthy(), format('ledger_verified: %s, 2 violations', :'now_text'), 'violations of the books');
update app.check_runs set violations = 3, ran_at = now();
select is(pg_temp.unhealthy(), format('ledger_verified: %1$s, 3 violations; seals_verified: %1$s, 3 violations; settlements_generated: %1$s, 3 violations', :'now_text'),
  'and of the seals, and merchants that could not be settled');
update app.check_runs set violations = 0, ran_at = now() - interval '37 hours';
update app.seal_state set final_at = now() - interval '61 minutes';
select is(regexp_replace(pg_temp.unhealthy(), '[0-9][0-9: -]+UTC', 'then', 'g'), 'ledger_verified: then, 0 violations; sealed_until: then; seals_verified: then, 0 violations; settlements_generated: then, 0 violations', 'work that is overdue');
update app.check_runs set ran_at = now() + interval '1 s';
update app.seal_state set final_at = now();
select bag_eq('select h."check" from public.system_health_check() h', $$ values ('admin_users'), ('clock'), ('default_partitions_empty'), ('master_key'), ('partitions_ahead'),
  ('ledger_verified'), ('seals_verified'), ('sealed_until'), ('settlements_generated') $$, 'this is looked at');
select is(fx.refusal_as('service_role', null, 'select public.system_health_check()'), 'no refusal', 'the service may ask too');
select fx.act_as_service();
insert into audit.event_log (id, created_at, action, object_type, object_id, params) values (app.uuid_v7('2099-01-01 00:00:00+00'), '2099-01-01 00:00:00+00', 'x', 'x', 'x', '{}');
select is(pg_temp.unhealthy(), 'default_partitions_empty: rows in the default partition of audit.event_log', 'a row that no month''s partition was there for');
create function pg_temp.partition(p_months int) returns text language sql as $$
  select 'app.transactions_' || to_char((now() at time zone 'UTC') + make_interval(months => p_months), 'YYYYMM') $$;
savepoint whole;
select format('alter table app.transactions detach partition %s', pg_temp.partition(1)) \gexec
select format('drop table %s cascade', pg_temp.partition(1)) \gexec
select matches(pg_temp.unhealthy(), '^default_partitions_empty: .*; partitions_ahead: missing: [0-9]{6} of app.transactions$', 'a partition that is missing next month');
select is(pg_temp.as_service('public.cron_ensure_partitions()'), '1', 'cron makes it');
select is((select (e.actor_role, e.action, e.params - 'month')::text from audit.event_log e where e.action = 'partitions.made'), '(service,partitions.made,"{""log"": ""app.transactions""}")', 'which is recorded');
select is(pg_temp.as_service('public.cron_ensure_partitions()'), '1', 'then it moves the row to its month');
select is(pg_temp.as_service('public.cron_ensure_partitions()'), '0', 'once');
select is((select count(*)::int from audit.event_log e where e.action = 'partitions.made'), 2, 'and nothing to do is not recorded');
select is(pg_temp.unhealthy(), 'all is well', 'then all is well again');
select format('alter table app.transactions detach partition %s', pg_temp.partition(0)) \gexec
select matches(pg_temp.unhealthy(), 'partitions_ahead: missing: [0-9]{6} of app.transactions$', 'one that is there but no part of its log is missing');
rollback to savepoint whole;
savepoint whole;
select format('alter table app.transactions detach partition %s', pg_temp.partition(3)) \gexec
select format('drop table %s cascade', pg_temp.partition(3)) \gexec
select is(pg_temp.as_service('public.cron_ensure_partitions()'), '1', 'cron works three months ahead');
rollback to savepoint whole;
delete from auth.users u using app.admin_users a where a.user_id = u.id;
select matches(pg_temp.unhealthy(), '^admin_users: 0; ', 'nobody with an account runs the house');
delete from app.admin_users;
select matches(pg_temp.unhealthy(), '^admin_users: 0; ', 'nobody runs the house');
update sec.secrets set value = '\x00';
select matches(pg_temp.unhealthy(), 'master_key: key 1 is current$', 'a key of another length');
delete from sec.secrets;
select matches(pg_temp.unhealthy(), 'master_key: key 1 is current$', 'a key whose secret is gone');
update sec.master_keys set is_current = false;
select matches(pg_temp.unhealthy(), 'master_key: no current key: set-up draws one$', 'no key');

select * from finish();
rollback;
