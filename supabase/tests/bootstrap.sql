-- What Supabase brings and plain PostgreSQL lacks: the API roles, the parts of `auth` that the migrations read, and Supabase's default
-- privileges. For tests and for PostgreSQL without Supabase; needs a superuser once. Not a migration.

do $$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_catalog.pg_roles r where r.rolname = v_role) then
      execute format('create role %I nologin noinherit', v_role);
    end if;
  end loop;
  alter role service_role bypassrls;
end;
$$;

create schema if not exists extensions;
create extension if not exists pgcrypto with schema extensions;
grant usage on schema public, extensions to anon, authenticated, service_role;

create schema if not exists auth;
create table if not exists auth.users (
  id uuid primary key,
  email varchar(255) unique,
  email_confirmed_at timestamptz,
  phone text unique,
  phone_confirmed_at timestamptz,
  is_sso_user boolean not null default false,
  encrypted_password varchar(255),
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);

create or replace function auth.uid()
returns uuid
language sql stable
as $$
  select nullif(coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'), '')::uuid
$$;
grant usage on schema auth to anon, authenticated, service_role;
grant execute on function auth.uid() to anon, authenticated, service_role;

-- As on a hosted project: what appears in public is granted to the API roles unless a migration revokes it.
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;

-- Whoever owns the database applies the migrations and need not be a superuser; on a hosted project that is `postgres`.
do $$
declare
  v_owner text := (select d.datdba::regrole::text from pg_catalog.pg_database d where d.datname = current_database());
begin
  execute format('grant usage on schema auth, extensions to %s', v_owner);
  execute format('grant select on auth.users to %s', v_owner);
  execute format('grant create, usage on schema public to %s', v_owner);
  execute format('alter default privileges for role %s in schema public grant all on functions to anon, authenticated, service_role', v_owner);
  execute format('alter default privileges for role %s in schema public grant all on tables to anon, authenticated, service_role', v_owner);
end;
$$;
