-- Secrets: Supabase Vault where the extension exists, else a table that no role of the API can read.

create table sec.secrets (
  name text primary key,
  value bytea not null
);
comment on table sec.secrets is 'Secrets where there is no Vault. Readable by its owner only.';
alter table sec.secrets enable row level security;

create table sec.master_keys (
  key_id smallint primary key,
  secret_name text not null unique,
  is_current boolean not null,
  retired_at timestamptz,
  constraint master_keys_current_is_not_retired check (not (is_current and retired_at is not null))
);
comment on table sec.master_keys is 'Which master keys there are. New codes use the current one; all that are not retired still verify.';
create unique index master_keys_only_one_current on sec.master_keys (is_current) where is_current;
alter table sec.master_keys enable row level security;

create function sec.has_vault()
returns boolean
language plpgsql stable
set search_path = ''
as $$
begin
  return exists (
    select from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'vault' and c.relname = 'decrypted_secrets' and has_schema_privilege(n.oid, 'usage'));
end;
$$;
comment on function sec.has_vault() is 'Whether Supabase Vault is there for us.';

create function sec.secret(p_name text)
returns bytea
language plpgsql stable
set search_path = ''
as $$
declare
  v_value bytea := (select s.value from sec.secrets s where s.name = p_name);
begin
  if v_value is null and sec.has_vault() then
    execute 'select decode(decrypted_secret, ''hex'') from vault.decrypted_secrets where name = $1'
      into v_value using p_name;
  end if;
  if v_value is null then
    perform rules.fail('NOT_CONFIGURED', jsonb_build_object('what', p_name));
  end if;
  return v_value;
end;
$$;
comment on function sec.secret(text) is 'A secret''s bytes, else NOT_CONFIGURED. Secrets in the Vault are kept as hex.';

create function sec.draw_master_key()
returns smallint
language plpgsql
set search_path = ''
as $$
declare
  v_key_id smallint;
  v_name text;
  v_value bytea := extensions.gen_random_bytes(32);
begin
  lock table sec.master_keys in exclusive mode;
  select (coalesce(max(k.key_id), 0) + 1)::smallint into v_key_id from sec.master_keys k;
  v_name := 'mps_master_key_' || v_key_id;
  if sec.has_vault() then
    execute 'select vault.create_secret($1, $2)' using encode(v_value, 'hex'), v_name;
  else
    insert into sec.secrets (name, value) values (v_name, v_value);
  end if;
  update sec.master_keys set is_current = false where is_current;
  insert into sec.master_keys (key_id, secret_name, is_current) values (v_key_id, v_name, true);
  return v_key_id;
end;
$$;
comment on function sec.draw_master_key() is
  'Draws 32 random bytes inside the database and makes them the current master key; older keys go on verifying. For set-up.';

create function sec.current_key_id()
returns smallint
language plpgsql stable
set search_path = ''
as $$
declare
  v_key_id smallint := (select k.key_id from sec.master_keys k where k.is_current);
begin
  if v_key_id is null then
    perform rules.fail('NOT_CONFIGURED', jsonb_build_object('what', 'master_key'));
  end if;
  return v_key_id;
end;
$$;
comment on function sec.current_key_id() is 'The key that new codes use. Refuses with NOT_CONFIGURED before set-up drew one.';

create function sec.code_hashes(p_code text)
returns bytea[]
language plpgsql stable
set search_path = ''
as $$
begin
  return (select coalesce(array_agg(rules.code_hash(sec.secret(k.secret_name), p_code)), '{}')
  from sec.master_keys k
  where k.retired_at is null);
end;
$$;
comment on function sec.code_hashes(text) is 'The hashes under which a code may be stored: one for each key that still verifies.';
