-- Who works for a merchant: changes follow each other under the merchant's row, so that the last owner is counted right.

create function app.lock_merchant_users(p_merchant_id uuid)
returns text
language plpgsql
set search_path = ''
as $$
begin
  perform sec.require_merchant_owner(p_merchant_id);
  perform from app.merchants m where m.id = p_merchant_id for no key update;
  -- Again under the lock: somebody may have taken the caller's role meanwhile.
  return sec.require_merchant_owner(p_merchant_id);
end;
$$;
comment on function app.lock_merchant_users(uuid) is
  'Holds other changes of a merchant''s users back; as whom the caller acts, else MERCHANT_NOT_FOUND or PERMISSION_DENIED.';

create function app.check_owner_remains(p_merchant_id uuid, p_user_id uuid)
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if not exists (
    select from app.merchant_users u
    where u.merchant_id = p_merchant_id and u.role = 'owner' and u.user_id is distinct from p_user_id)
  then
    perform rules.fail('CANNOT_REMOVE_LAST_OWNER');
  end if;
end;
$$;
comment on function app.check_owner_remains(uuid, uuid) is 'Refuses when a merchant would have no owner without this one.';

create function sec.require_known_user(p_user_id uuid)
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if not exists (select from auth.users u where u.id = p_user_id) then
    perform rules.fail('USER_NOT_FOUND');
  end if;
end;
$$;
comment on function sec.require_known_user(uuid) is 'Refuses a user id with which nobody has signed up.';
