-- Who may seal and verify, what is remembered of a check, and that seals are written once.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_member('payer@fixture.example', 100) as payer \gset
select audit.log('service', 'one', 'x', null, '{}'), pg_sleep(0.002);
select app.seal_rows(app.uuid_v7_floor(clock_timestamp()), 4000);
select audit.log('service', 'two', 'x', null, '{}'), pg_sleep(0.002);
select app.seal_rows(app.uuid_v7_floor(clock_timestamp()), 4000);

-- Who.
create temporary table state as select * from fx.state();
select is(fx.refusal_as(c.role, case c.who when 'admin' then :'admin' when 'member' then :'payer' end::uuid, 'select * from public.' || c.call), c.refusal,
          format('%s: %s as %s', c.call, c.refusal, coalesce(c.who, c.role)))
from (
  select f.call, w.role, w.who, case
    when w.role = 'anon' then '42501 permission denied for function ' || split_part(f.call, '(', 1)
    when f.is_for_admins then w.refusal else '42501 permission denied for function ' || split_part(f.call, '(', 1) end as refusal
  from (values ('cron_seal()', false), ('cron_verify_seals()', false), ('cron_verify_ledger()', false), ('cron_purge()', false),
               ('verify_seals()', true), ('get_latest_seal()', true)) as f (call, is_for_admins)
  cross join (values ('anon', null, ''), ('authenticated', null, 'PT401 NOT_AUTHENTICATED'), ('authenticated', 'member', 'PT403 PERMISSION_DENIED'),
                     ('authenticated', 'admin', 'no refusal')) as w (role, who, refusal)
) c;
-- Were the cron RPCs granted to more, they would still refuse.
select fx.act_as(:'admin');
select is(fx.refusal(format('select public.%s()', f)), 'PT403 PERMISSION_DENIED', f || ' is for the service, whoever is granted it')
from unnest(array['cron_seal', 'cron_verify_seals', 'cron_verify_ledger', 'cron_purge']) f;
select fx.act_as(null);
select is(fx.refusal(format('select public.%s()', f)), 'PT401 NOT_AUTHENTICATED', f || ' is not for nobody')
from unnest(array['cron_seal', 'cron_verify_seals', 'cron_verify_ledger', 'cron_purge']) f;
select is(fx.refusal_as('service_role', null, 'select * from public.' || f), 'no refusal', f || ' is for the service')
from unnest(array['verify_seals()', 'get_latest_seal()']) f;
select is(fx.refusal_as('authenticated', :'admin', 'select * from public.verify_seals(' || a || ')'), 'PT400 MALFORMED_ARGUMENT', a || ' is malformed')
from unnest(array['null', '0', '-1', '1, 0', '1, -1', '1, 1, 1', '1, 1, 0, repeat(''a'', 64)', '1, 1, null, repeat(''a'', 64)',
  '1, 1, 1, ''''', '1, 1, 1, repeat(''A'', 64)', '1, 1, 1, repeat(''a'', 63)', '1, 1, 1, repeat(''a'', 64) || e''\n''']) a;
select fx.act_as(:'admin');
create function pg_temp.field(p_arguments text) returns text language plpgsql as $$
declare
  v_detail text;
begin
  execute 'select * from public.verify_seals(' || p_arguments || ')';
exception when others then
  get stacked diagnostics v_detail = pg_exception_detail;
  return v_detail::jsonb ->> 'field';
end;
$$;
select is(pg_temp.field(c.a), c.field, format('the field of %s is %s', c.a, c.field))
from (values ('null', 'seal_first'), ('1, 0', 'seals_max'), ('1, 1, 1', 'anchor_seal_no'), ('1, 1, 1, ''x''', 'anchor_root')) as c (a, field);
select set_eq('select * from fx.state()', 'select * from state', 'no refusal and no question changed anything');

-- Seals are written once.
select is(substring(fx.refusal(format(c.command, t.name)) from '^55000 [A-Z]+ of [a-z_]+'), format('55000 %s of %s', c.word, split_part(t.name, '.', 2)),
          format('%s of %s is refused', c.word, t.name))
from (values ('app.seals', 'seal_no'), ('app.seal_items', 'seal_no')) as t (name, col)
cross join (values ('update %s set seal_no = seal_no', 'UPDATE'), ('delete from %s', 'DELETE'), ('truncate %s', 'TRUNCATE')) as c (command, word);
select is((select count(*)::int from pg_catalog.pg_trigger t
           where t.tgrelid in ('app.seals'::regclass, 'app.seal_items'::regclass, 'app.purged_ranges'::regclass)
             and t.tgname in ('rows_are_never_changed', 'table_is_never_truncated') and t.tgenabled = 'A'), 6,
          'and so it is of purged ranges, and in replication sessions');

-- The runs.
select fx.act_as_service();
select is(public.cron_verify_ledger(), 0, 'the books are right');
select is((select violations from app.check_runs where what = 'verify_ledger'), 0, 'which is remembered');
select is((select count(*)::int from audit.event_log where action = 'ledger.violated'), 0, 'and not worth a line');
update app.cards set points = points + 1, level = level;
select is(public.cron_verify_ledger(), (select count(*)::int from public.verify_ledger()), 'violations are counted');
select is((select violations from app.check_runs where what = 'verify_ledger'), (select count(*)::int from public.verify_ledger()), 'and remembered');
select is((select params ->> 'violations' from audit.event_log where action = 'ledger.violated'), (select count(*)::text from public.verify_ledger()), 'and written down');
select ok((select ran_at between now() and clock_timestamp() from app.check_runs where what = 'verify_ledger'), 'with the time');
update app.cards set points = points - 1;
select is(public.cron_verify_ledger(), 0, 'and again none');

create function pg_temp.run() returns text language sql as $$
  select format('%s: %s, next %s', public.cron_verify_seals(), (select r.violations_so_far from app.check_runs r where r.what = 'verify_seals'),
                (select r.seal_next from app.check_runs r where r.what = 'verify_seals')) $$;
select is(app.seal_step_last(1, 1000), 2::bigint, 'a step takes as many seals as have its rows together');
select is(app.seal_step_last(1, (select row_count from app.seals where seal_no = 1)), 1::bigint, 'and no more');
select is(app.seal_step_last(1, 1), 1::bigint, 'but at least one');
select is(app.seal_step_last(2, 1), 2::bigint, 'from where it is');
select is(app.seal_step_last(3, 1), null, 'until the end');
select is(public.cron_verify_seals(), 0, 'the seals are right');
select results_eq($$ select violations, seal_next from app.check_runs where what = 'verify_seals' $$, $$ values (0, 1::bigint) $$, 'and the round over');
select matches(pg_get_functiondef('public.cron_verify_seals()'::regprocedure), 'seal_step_last\(v_run.seal_next, 20000\)', 'a step is 20 000 rows');
create or replace function app.seal_step_last(p_seal_first bigint, p_rows_max int) returns bigint language sql stable as $$
  select s.seal_no from app.seals s where s.seal_no = p_seal_first $$;
alter table audit.event_log disable trigger user;
update audit.event_log set actor_role = 'nobody' where action = 'one';
create temporary table ran (n int, seen text);
insert into ran values (1, public.cron_verify_seals() || '');
select results_eq($$ select violations, violations_so_far, seal_next from app.check_runs where what = 'verify_seals' $$, $$ values (1, 1, 2::bigint) $$,
  'the first step finds what is in the first seal');
update audit.event_log set actor_role = 'service' where action = 'one';
select is(public.cron_verify_seals(), 1, 'the second finds no more, and the round had one');
select results_eq($$ select violations, violations_so_far, seal_next from app.check_runs where what = 'verify_seals' $$, $$ values (1, 0, 1::bigint) $$,
  'the round is over, and the next begins');
select is(public.cron_verify_seals(), 1, 'in its first step the next round still says what the last one found');
select is(public.cron_verify_seals(), 0, 'until it is over, too');
select is((select count(*)::int from audit.event_log where action = 'seals.violated'), 1, 'a find is written down when it is made');
alter table app.seals disable trigger user;
delete from app.seals where seal_no = 2;
select is(public.cron_verify_seals(), 1, 'the tip is looked at when the round is over');
delete from app.seals;
select is(public.cron_verify_seals(), 1, 'and when there is nothing left at all');

select * from finish();
rollback;
