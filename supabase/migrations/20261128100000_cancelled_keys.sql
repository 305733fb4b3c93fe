-- A key that was cancelled before anything was done with it: what is still on its way with it can never move money.

alter table app.idempotency_keys
  alter column fingerprint drop not null,
  alter column result_id drop not null,
  add column request_id text,
  add constraint idempotency_keys_committed_or_cancelled check ((fingerprint is null) = (result_id is null));
comment on table app.idempotency_keys is
  'Requests that were committed, and keys that were cancelled (fingerprint and result_id are NULL), kept for ever. The answer of a '
  'committed one is read again from result_id, a row that never changes. request_id is that of the request that made it.';

create or replace function app.claim_idempotency_key(p_scope text, p_key text, p_fingerprint bytea, p_result_id uuid)
returns uuid
language plpgsql
as $$
declare
  v_known app.idempotency_keys;
begin
  if p_key is null then
    return null;
  end if;
  -- Waits for another transaction that is claiming the same key; if that one rolls back, the claim is ours.
  insert into app.idempotency_keys (scope, key, fingerprint, result_id, request_id)
  values (p_scope, p_key, p_fingerprint, p_result_id, sec.request_id())
  on conflict do nothing;
  if found then
    return null;
  end if;
  select k.* into strict v_known from app.idempotency_keys k where k.scope = p_scope and k.key = p_key;
  if v_known.result_id is null then
    perform rules.fail('REQUEST_CANCELLED');
  end if;
  if v_known.fingerprint is distinct from p_fingerprint then
    perform rules.fail('IDEMPOTENCY_KEY_REUSED');
  end if;
  return v_known.result_id;
end;
$$;

create function app.is_replay(p_scope text, p_key text)
returns boolean
language sql stable
as $$
  select k.request_id is null or k.request_id is distinct from sec.request_id()
  from app.idempotency_keys k where k.scope = p_scope and k.key = p_key
$$;
comment on function app.is_replay(text, text) is
  'Of a key that is known: whether its first request was another one than this. One that an edge sends again has the same request id.';

create function app.cancel_idempotency_key(p_scope text, p_key text)
returns uuid
language plpgsql
as $$
declare
  v_result_id uuid;
begin
  -- Waits, as a claim does, for a request that is running with this key.
  insert into app.idempotency_keys (scope, key) values (p_scope, p_key) on conflict do nothing;
  if found then
    return null;
  end if;
  select k.result_id into strict v_result_id from app.idempotency_keys k where k.scope = p_scope and k.key = p_key;
  return v_result_id;
end;
$$;
comment on function app.cancel_idempotency_key(text, text) is
  'NULL: the key is cancelled, now or since an earlier call. Else the id of what its request has made, which stays as it is.';

create function sec.scopes_of_caller(p_merchant_code text)
returns setof text
language plpgsql stable
as $$
declare
  v_user_id uuid := sec.require_user();
begin
  if p_merchant_code is not null then
    return next 'merchant:' || (sec.merchant_of_caller(p_merchant_code)).id;
    return;
  end if;
  if sec.is_admin() then
    return next app.admin_scope(v_user_id);
  end if;
  if (sec.own_member()).id is not null then
    return next 'member:' || (sec.own_member()).id;
  end if;
end;
$$;
comment on function sec.scopes_of_caller(text) is
  'The idempotency scopes in which the caller''s keys are: the merchant''s, if they work for it, else their own as admin and as member.';

create or replace function app.idempotency_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  select 'key_names_its_result', k.scope, k.result_id::text
  from app.idempotency_keys k
  where k.result_id is not null
    and not exists (select from app.transactions t where t.id = k.result_id)
    and not exists (select from app.cards c where c.id = k.result_id and k.scope like 'admin:%')
    and not exists (select from app.point_ledger p where p.id = k.result_id and k.scope like 'admin:%')
    and not exists (select from app.recharge_orders o where o.id = k.result_id and k.scope like 'member:%')
$$;
