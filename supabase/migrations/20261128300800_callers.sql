-- Claims and headers that are not what they should be name nobody; they are no reason for an error that repeats them.

create or replace function sec.caller()
returns sec.identity
language plpgsql stable
as $$
declare
  v_claims jsonb;
  v_sub text;
  v_caller sec.identity;
begin
  begin
    v_claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
  exception when data_exception then
    return v_caller;
  end;
  -- What auth.uid() reads, but user and role from one text: no older claim setting can mix in.
  v_sub := v_claims ->> 'sub';
  if v_sub ~ '^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$' then
    v_caller.user_id := v_sub::uuid;
  end if;
  v_caller.role := v_claims ->> 'role';
  return v_caller;
end;
$$;

create or replace function sec.request_id()
returns text
language plpgsql stable
as $$
declare
  v_id text;
begin
  begin
    v_id := nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-request-id';
  exception when data_exception then
    return null;
  end;
  return case when octet_length(v_id) <= 128 and v_id ~ '^[A-Za-z0-9._-]+$' then v_id end;
end;
$$;
