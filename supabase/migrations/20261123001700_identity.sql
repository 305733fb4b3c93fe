-- Who is calling: only ever from the transaction-local JWT claims that PostgREST set, never from an argument.

create type sec.identity as (user_id uuid, role text);

create function sec.caller()
returns sec.identity
language plpgsql stable
set search_path = ''
as $$
declare
  v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
  v_caller sec.identity;
begin
  -- What auth.uid() reads, but user and role from one text: no older claim setting can mix in.
  v_caller.user_id := nullif(v_claims ->> 'sub', '')::uuid;
  v_caller.role := v_claims ->> 'role';
  return v_caller;
end;
$$;
comment on function sec.caller() is 'The caller''s Supabase Auth user and API role, from the verified claims of this transaction.';

create function sec.require_user()
returns uuid
language plpgsql stable
set search_path = ''
as $$
declare
  v_caller sec.identity := sec.caller();
begin
  if v_caller.user_id is null or v_caller.role is distinct from 'authenticated' then
    perform rules.fail('NOT_AUTHENTICATED');
  end if;
  return v_caller.user_id;
end;
$$;
comment on function sec.require_user() is 'The signed-in user, else NOT_AUTHENTICATED.';

create function sec.is_service()
returns boolean
language plpgsql stable
set search_path = ''
as $$
begin
  return (select (sec.caller()).role is not distinct from 'service_role');
end;
$$;
comment on function sec.is_service() is 'Whether the caller is our own back end with the secret key.';

create function sec.is_admin()
returns boolean
language plpgsql stable
set search_path = ''
as $$
begin
  return (select exists (
    select from app.admin_users a
    where a.user_id = (sec.caller()).user_id and (sec.caller()).role is not distinct from 'authenticated'));
end;
$$;
comment on function sec.is_admin() is 'Whether the caller runs the house.';

create function sec.require_admin_or_service()
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if sec.is_service() or sec.is_admin() then
    return;
  end if;
  perform sec.require_user();
  perform rules.fail('PERMISSION_DENIED');
end;
$$;
comment on function sec.require_admin_or_service() is 'Refuses everybody but admins and the service.';

create function sec.own_member()
returns app.member_profiles
language plpgsql stable
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_member app.member_profiles;
begin
  select m.* into v_member from app.member_profiles m where m.auth_user_id = v_user_id and m.status <> 'deleted';
  return v_member;
end;
$$;
comment on function sec.own_member() is 'The caller''s own member, or NULL when he is none.';

create function sec.merchant_of_caller(p_merchant_code text)
returns app.merchants
language plpgsql stable
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_merchant app.merchants;
begin
  select m.* into v_merchant
  from app.merchants m
  join app.merchant_users u on u.merchant_id = m.id and u.user_id = v_user_id
  where m.code = p_merchant_code;
  if v_merchant.id is null then
    perform rules.fail('NOT_MERCHANT_USER');
  end if;
  return v_merchant;
end;
$$;
comment on function sec.merchant_of_caller(text) is
  'The merchant, if the caller works for it. An unknown merchant and somebody else''s get the same answer.';

create function sec.request_id()
returns text
language plpgsql stable
set search_path = ''
as $$
begin
  return (select r.id
  from (select nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-request-id' as id) r
  where r.id ~ '^[A-Za-z0-9._-]{1,128}$');
end;
$$;
comment on function sec.request_id() is 'The request id that the edge passed on, if well-formed.';

create function audit.log(p_actor_role text, p_action text, p_object_type text, p_object_id text, p_params jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  insert into audit.event_log (id, created_at, actor_user_id, actor_role, action, object_type, object_id, params, request_id)
  values (app.uuid_v7(v_now), v_now, (sec.caller()).user_id, p_actor_role, p_action, p_object_type, p_object_id,
          p_params, sec.request_id());
end;
$$;
comment on function audit.log(text, text, text, text, jsonb) is 'Writes one audit row in the caller''s transaction.';
