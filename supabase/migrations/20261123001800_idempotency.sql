create function sec.check_idempotency_key(p_key text)
returns void
language plpgsql immutable
set search_path = ''
as $$
begin
  if p_key is not null and not rules.is_idempotency_key(p_key) then
    perform rules.fail('IDEMPOTENCY_KEY_INVALID');
  end if;
end;
$$;
comment on function sec.check_idempotency_key(text) is 'Refuses a malformed key. NULL is allowed and means no replay protection.';

create function app.claim_idempotency_key(p_scope text, p_key text, p_fingerprint bytea, p_result_id uuid)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_known app.idempotency_keys;
begin
  if p_key is null then
    return null;
  end if;
  -- Waits for another transaction that is claiming the same key; if that one rolls back, the claim is ours.
  insert into app.idempotency_keys (scope, key, fingerprint, result_id)
  values (p_scope, p_key, p_fingerprint, p_result_id)
  on conflict do nothing;
  if found then
    return null;
  end if;
  select k.* into strict v_known from app.idempotency_keys k where k.scope = p_scope and k.key = p_key;
  if v_known.fingerprint is distinct from p_fingerprint then
    perform rules.fail('IDEMPOTENCY_KEY_REUSED');
  end if;
  return v_known.result_id;
end;
$$;
comment on function app.claim_idempotency_key(text, text, bytea, uuid) is
  'NULL when this request is the first with its key, else the id of what the first one made. A rollback forgets the claim.';
