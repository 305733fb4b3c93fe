-- Suspending a merchant at once: charges hold the merchant's posting lock shared and read its status under it, suspension takes that lock
-- exclusively. What a charge committed was allowed when it posted; after the suspension returned, none commits.

create function app.lock_active_merchant_for_posting(p_merchant_id uuid)
returns timestamptz
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := app.lock_merchant_for_posting(p_merchant_id);
begin
  -- A statement of its own, so that it sees what was committed while the lock was waited for.
  if not exists (select from app.merchants m where m.id = p_merchant_id and m.status = 'active') then
    perform rules.fail('MERCHANT_NOT_FOUND_OR_INACTIVE');
  end if;
  return v_now;
end;
$$;
comment on function app.lock_active_merchant_for_posting(uuid) is
  'As lock_merchant_for_posting, for what a suspended merchant may not do: charging and taking cash. Refunds go on with the plain lock.';

create function app.move_merchant_status(p_merchant_id uuid, p_to text, p_action text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_merchant app.merchants;
begin
  perform app.lock_merchant_against_posting(p_merchant_id);
  select m.* into v_merchant from app.merchants m where m.id = p_merchant_id for no key update;
  if v_merchant.id is null then
    perform rules.fail('MERCHANT_NOT_FOUND');
  end if;
  if v_merchant.status = p_to then
    return false;
  end if;
  update app.merchants m set status = p_to where m.id = p_merchant_id;
  perform audit.log('admin', p_action, 'merchant', v_merchant.code, '{}');
  return true;
end;
$$;
comment on function app.move_merchant_status(uuid, text, text) is 'Suspends or activates a merchant; false when it was so already.';
