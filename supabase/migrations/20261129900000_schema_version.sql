create or replace function sec.schema_version()
returns text
language sql immutable
set search_path = ''
as $$ select '20261129900000' $$;
