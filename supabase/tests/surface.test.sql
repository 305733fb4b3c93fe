-- Who reaches what. A new function, table or column without a decision here is red.
begin;
set local search_path = public, extensions;
select plan(17);

create temporary view own_function as
  select p.oid, n.nspname, p.proname, p.prosecdef, p.proconfig, p.oid::regprocedure::text as signature
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('public', 'app', 'rules', 'audit', 'sec')
    and not exists (select from pg_catalog.pg_depend d where d.objid = p.oid and d.deptype = 'e');

-- Who else reaches which function is in surface.csv, which tests/db holds against the database.
select is(
  (select string_agg(f.proname, ' ') from own_function f
   where f.nspname = 'public' and has_function_privilege('anon', f.oid, 'execute')),
  'test_connection', 'anon reaches test_connection only');

select is_empty(
  $$ select f.signature from own_function f
     where has_function_privilege('public', f.oid, 'execute') and f.nspname = 'public' $$,
  'no public function is open to everybody');

select is_empty(
  $$ select f.signature, r.role
     from own_function f
     cross join (values ('public'), ('anon'), ('authenticated'), ('service_role')) as r (role)
     where f.nspname <> 'public' and has_function_privilege(r.role, f.oid, 'execute') $$,
  'no private function is executable by an API role, whatever schema privileges may become');

select is_empty(
  $$ select r.role from (values ('public'), ('anon'), ('authenticated'), ('service_role')) as r (role)
     where has_database_privilege(r.role, current_database(), 'temporary') $$,
  'no API role makes temporary objects, which could shadow types under a definer function');

select is_empty(
  $$ select n.nspname, r.role
     from (values ('app'), ('rules'), ('audit'), ('sec')) as n (nspname)
     cross join (values ('public'), ('anon'), ('authenticated'), ('service_role')) as r (role)
     where has_schema_privilege(r.role, n.nspname, 'usage') or has_schema_privilege(r.role, n.nspname, 'create') $$,
  'no API role enters a private schema');

select is_empty(
  $$ select c.oid::regclass, r.role, p.privilege
     from pg_catalog.pg_class c
     cross join (values ('anon'), ('authenticated'), ('service_role')) as r (role)
     cross join (values ('select'), ('insert'), ('update'), ('delete'), ('truncate'), ('references'), ('trigger')) as p (privilege)
     where c.relnamespace in ('app'::regnamespace, 'audit'::regnamespace, 'sec'::regnamespace)
       and c.relkind in ('r', 'p', 'v', 'm')
       and has_table_privilege(r.role, c.oid, p.privilege) $$,
  'no API role holds a privilege on any private table, partitions included');

select is_empty(
  $$ select c.oid::regclass, r.role
     from pg_catalog.pg_class c
     cross join (values ('anon'), ('authenticated'), ('service_role')) as r (role)
     where c.relnamespace in ('app'::regnamespace, 'audit'::regnamespace, 'sec'::regnamespace) and c.relkind = 'S'
       and (has_sequence_privilege(r.role, c.oid, 'usage') or has_sequence_privilege(r.role, c.oid, 'select')) $$,
  'no API role draws a number');

select is_empty(
  $$ select c.oid::regclass from pg_catalog.pg_class c
     where c.relnamespace in ('app'::regnamespace, 'audit'::regnamespace, 'sec'::regnamespace)
       and c.relkind in ('r', 'p') and not c.relrowsecurity $$,
  'row-level security is on for every table and partition');

select is_empty(
  $$ select c.oid::regclass from pg_catalog.pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
       and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid and d.deptype = 'e') $$,
  'public holds no table and no view');

select is_empty(
  $$ select f.signature from own_function f
     where f.prosecdef and (f.proconfig is null or not f.proconfig @> array['search_path=""']) $$,
  'every definer function has an empty search_path');

select is_empty(
  $$ select f.signature from own_function f where f.prosecdef and f.nspname <> 'public' $$,
  'only public functions change the role');

select is_empty(
  $$ select f.signature from own_function f where f.nspname = 'public' and not f.prosecdef $$,
  'every public function is a definer function');

select is_empty(
  $$ select f.proname from own_function f where f.nspname = 'public' group by f.proname having count(*) > 1 $$,
  'no RPC name is overloaded');

select is_empty(
  $$ select f.signature from own_function f where obj_description(f.oid, 'pg_proc') is null $$,
  'every function says what it does');

select is_empty(
  $$ select c.oid::regclass from pg_catalog.pg_class c
     where c.relnamespace in ('app'::regnamespace, 'audit'::regnamespace, 'sec'::regnamespace)
       and c.relkind in ('r', 'p') and not c.relispartition and obj_description(c.oid, 'pg_class') is null $$,
  'every table says what it holds');

select is_empty(
  $$ select f.signature from own_function f
     where f.nspname = 'public' and f.proname <> 'test_connection'
       and fx.refusal_as(case when has_function_privilege('authenticated', f.oid, 'execute') then 'authenticated' else 'none' end,
                         null, format('select public.%I(%s)', f.proname, (
         select coalesce(string_agg(format('null::%s', format_type(t.type_oid, null)), ', ' order by t.place), '')
         from unnest((select p.proargtypes from pg_catalog.pg_proc p where p.oid = f.oid)::oid[]) with ordinality as t (type_oid, place))))
         is distinct from 'PT401 NOT_AUTHENTICATED' $$,
  'every RPC refuses a caller without a user before it looks at anything else');

select is(
  fx.refusal_as('anon', null, 'select public.get_user_profile()'),
  '42501 permission denied for function get_user_profile',
  'anon is stopped by the grant already');

select * from finish();
rollback;
