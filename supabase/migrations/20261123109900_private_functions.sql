-- Every function is born executable by everybody; the private ones are for the definer functions in public alone.
revoke execute on all functions in schema app, rules, audit, sec from public, anon, authenticated, service_role;

-- The newest migration of this landing.
create or replace function sec.schema_version()
returns text
language sql immutable
set search_path = ''
as $$ select '20261123109900' $$;
