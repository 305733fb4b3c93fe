-- The four private schemas. PostgREST exposes `public` only, and `public` holds nothing but functions that clients may call.
-- Needs no superuser: pgcrypto is a trusted extension, and the roles anon, authenticated, service_role are Supabase's own.

create schema if not exists extensions;
create extension if not exists pgcrypto with schema extensions;

create schema app;
comment on schema app is 'Tables: members, cards, merchants, money. No client reaches it.';

create schema rules;
comment on schema rules is 'Pure twins of the core''s rules: immutable, no tables, rates as arguments.';

create schema audit;
comment on schema audit is 'Who did what, when. Append-only.';

create schema sec;
comment on schema sec is 'Identity, secrets and what guards the other schemas.';

revoke all on schema app, rules, audit, sec from public, anon, authenticated, service_role;

-- An empty search_path still looks for types in pg_temp first. Whoever can make temporary objects could shadow `text` under a definer
-- function, so the API roles, which have no use for them, cannot. The owner of the database applies this; for others it only warns.
do $$
begin
  execute format('revoke temporary on database %I from public, anon, authenticated, service_role', current_database());
end;
$$;

-- Supabase grants new objects to its API roles by default; in these schemas nothing is granted to anyone.
alter default privileges in schema app revoke all on tables from public, anon, authenticated, service_role;
alter default privileges in schema app revoke all on sequences from public, anon, authenticated, service_role;
alter default privileges in schema audit revoke all on tables from public, anon, authenticated, service_role;
alter default privileges in schema sec revoke all on tables from public, anon, authenticated, service_role;
alter default privileges in schema app revoke all on functions from public, anon, authenticated, service_role;
alter default privileges in schema rules revoke all on functions from public, anon, authenticated, service_role;
alter default privileges in schema audit revoke all on functions from public, anon, authenticated, service_role;
alter default privileges in schema sec revoke all on functions from public, anon, authenticated, service_role;
