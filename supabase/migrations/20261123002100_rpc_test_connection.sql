create function sec.schema_version()
returns text
language sql immutable
set search_path = ''
as $$ select '20261123009100' $$;
comment on function sec.schema_version() is 'The newest migration, by hand: every landing that adds one replaces this function.';

create function public.test_connection()
returns table (ok boolean, server_time timestamptz, schema_version text)
language sql stable security definer
set search_path = ''
as $$ select true, now(), sec.schema_version() $$;
comment on function public.test_connection() is
  'Anyone: whether the database answers, its clock, and the version of its schema. No errors of its own.';
revoke all on function public.test_connection() from public, anon, authenticated, service_role;
grant execute on function public.test_connection() to anon, authenticated, service_role;
