-- When a local day begins.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select is(rules.local_day_start(d::date, z), at::timestamptz, format('%s begins in %s %s', d, z, why))
from (values
  ('2026-11-28', 'Asia/Taipei', '2026-11-27 16:00Z', 'at its only midnight'),
  ('2027-11-07', 'America/Havana', '2027-11-07 04:00Z', 'at the first of two midnights'),
  ('2027-11-08', 'America/Havana', '2027-11-08 05:00Z', 'at midnight again'),
  ('2027-03-14', 'America/Havana', '2027-03-14 05:00Z', 'at one o''clock, since midnight is left out'),
  ('2026-10-25', 'Asia/Beirut', '2026-10-24 22:00Z', 'after the hour that comes twice'),
  ('2026-11-01', 'America/New_York', '2026-11-01 04:00Z', 'long before the hour that comes twice'),
  ('2011-12-31', 'Pacific/Apia', '2011-12-30 10:00Z', 'after the day that was left out')) as c (d, z, at, why);
select is_empty(
  $$ select n.name, g.at::date
     from pg_catalog.pg_timezone_names n cross join generate_series(date '2026-01-01', date '2027-12-31', interval '1 day') as g (at)
     cross join lateral (select rules.local_day_start(g.at::date, n.name) as start) s
     where n.name !~ '^(posix|right)/'
       and (rules.local_day(s.start, n.name) <> g.at::date or rules.local_day(s.start - interval '1 microsecond', n.name) >= g.at::date) $$,
  'in every zone every day begins when its date is first shown');

-- A charge in the first hour of a day whose midnight comes twice: statistics, settlement and trends name the same day.
select fx.make_merchant('HAVANA') as merchant \gset
update app.merchants set time_zone = 'America/Havana', settlement_mode = 't_plus_1' where id = :'merchant';
select app.settlement_unit_start(m, '2027-11-07 04:30Z', 0) as day_start, app.settlement_unit_start(m, '2027-11-07 04:30Z', 1) as day_end
from app.merchants m where m.id = :'merchant' \gset
select is(:'day_start'::timestamptz, '2027-11-07 04:00Z'::timestamptz, 'the settlement''s day begins at the first midnight');
select is(:'day_end'::timestamptz, '2027-11-08 05:00Z'::timestamptz, 'and has 25 hours');
select is((select app.settlement_unit_start(m, '2027-11-07 06:30Z', 0) from app.merchants m where m.id = :'merchant'), :'day_start'::timestamptz,
  'in the second pass it is the same day');
select matches(pg_get_functiondef(f::regprocedure), 'rules\.local_day_start', f || ' asks when the day begins')
from unnest(array['public.get_today_transaction_stats(uuid)', 'public.get_system_statistics()', 'app.count_binding_try(uuid)',
  'app.settlement_unit_start(app.merchants, timestamptz, int)']) f;
select is_empty(
  $$ select p.oid::regprocedure from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where n.nspname in ('app', 'sec', 'audit', 'public') and p.prosrc ~* '::timestamp\)* at time zone (?!''UTC'')' $$,
  'nobody else turns a date into a moment');
select * from finish();
rollback;
