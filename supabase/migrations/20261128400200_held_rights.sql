-- A right that was looked at before a lock is looked at again after it: whoever lost it meanwhile does nothing more with it. And it is held
-- until the transaction ends: what takes it away comes back only when nothing that it allowed can still commit.

create function sec.hold_admin()
returns uuid
language plpgsql
as $$
declare
  v_user_id uuid := sec.require_user();
begin
  -- Waits for a removal that is under way; a removal waits for us. Not before the locks of the call: nobody waits for a removed admin.
  perform from app.admin_users a where a.user_id = v_user_id for key share;
  if not found then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  return v_user_id;
end;
$$;
comment on function sec.hold_admin() is
  'The signed-in admin as sec.require_admin() has it, who stays one until the transaction ends. After the locks that a call waits for.';

create function sec.hold_admin_or_service()
returns void
language plpgsql
as $$
begin
  if not sec.is_service() then
    perform sec.hold_admin();
  end if;
end;
$$;
comment on function sec.hold_admin_or_service() is 'As sec.hold_admin(), for calls of the service too, whose right nobody takes away.';

create function sec.hold_if_admin()
returns boolean
language plpgsql
as $$
begin
  perform from app.admin_users a
  where a.user_id = (sec.caller()).user_id and (sec.caller()).role is not distinct from 'authenticated'
  for key share;
  return found;
end;
$$;
comment on function sec.hold_if_admin() is
  'Whether the caller is an admin, who then stays one until the transaction ends: for calls that others may make too. After the locks.';

create or replace function app.lock_merchant_users(p_merchant_id uuid)
returns text
language plpgsql
as $$
begin
  perform sec.require_merchant_owner(p_merchant_id);
  -- What its users are doing commits first, as before a suspension: nothing of theirs commits after the right to it was taken.
  perform app.lock_merchant_against_posting(p_merchant_id);
  perform from app.merchants m where m.id = p_merchant_id for no key update;
  -- Again under the lock: somebody may have taken the caller's role meanwhile.
  perform sec.hold_if_admin();
  return sec.require_merchant_owner(p_merchant_id);
end;
$$;
comment on function app.lock_merchant_users(uuid) is
  'Waits for what is being posted for a merchant, and holds further postings and other changes of its users back; as whom the caller acts, '
  'else MERCHANT_NOT_FOUND or PERMISSION_DENIED.';

create or replace function app.lock_card_for_admin_or_owner(p_card_id uuid, p_own_roles text[])
returns app.cards
language plpgsql
as $$
declare
  v_user_id uuid := sec.require_user();
  v_is_admin boolean := sec.is_admin();
  v_role text;
  v_card app.cards;
begin
  if v_is_admin or app.card_role(p_card_id, (sec.own_member()).id) is not null then
    select c.* into v_card from app.cards c where c.id = p_card_id for update;
    -- Again under the lock: roles change, and admins go.
    v_is_admin := sec.hold_if_admin();
    v_role := app.card_role(p_card_id, (sec.own_member()).id);
  end if;
  if v_card.id is null or (v_role is null and not v_is_admin) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  if not v_is_admin and not v_role = any (p_own_roles) then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  return v_card;
end;
$$;
comment on function app.lock_card_for_admin_or_owner(uuid, text[]) is
  'Locks a card for an admin, or for a member bound to it in one of the roles. A card they are not bound to is not found.';

create or replace function app.lock_own_card_for_codes(p_card_id uuid, p_member_id uuid)
returns app.cards
language plpgsql
as $$
declare
  v_card app.cards;
begin
  -- Looked at before locking, so that a stranger cannot queue up on somebody's card.
  if not exists (select from app.card_bindings b where b.card_id = p_card_id and b.member_id = p_member_id) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  -- Shared with the same lock of others; a charge, a freeze or an unbinding of this card waits, and is waited for.
  select c.* into v_card from app.cards c where c.id = p_card_id for share;
  -- One member's calls for one card follow each other; they may have been unbound meanwhile, or the member become somebody else's.
  perform from app.card_bindings b where b.card_id = p_card_id and b.member_id = p_member_id for update;
  if not found or (sec.own_member()).id is distinct from p_member_id then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  return v_card;
end;
$$;
comment on function app.lock_own_card_for_codes(uuid, uuid) is
  'Locks a card and the member''s binding to it; an unknown card and one they are not bound to get the same answer.';

create or replace function app.lock_own_card_for_devices(p_card_id uuid, p_member_id uuid)
returns app.cards
language plpgsql
as $$
declare
  v_card app.cards;
begin
  -- Looked at before locking, so that a stranger cannot queue up on somebody's card.
  if app.card_role(p_card_id, p_member_id) is null then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  select c.* into v_card from app.cards c where c.id = p_card_id for no key update;
  -- They may have been unbound meanwhile, or the member become somebody else's.
  if app.card_role(p_card_id, p_member_id) is null or (sec.own_member()).id is distinct from p_member_id then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  return v_card;
end;
$$;
comment on function app.lock_own_card_for_devices(uuid, uuid) is
  'Locks a card the member is bound to, as a charge does; an unknown card and one they are not bound to get the same answer.';

create or replace function app.move_member_status(p_member_id uuid, p_from text, p_to text, p_action text)
returns boolean
language plpgsql
as $$
declare
  v_member app.member_profiles := app.lock_member_and_all_cards(p_member_id);
begin
  perform sec.hold_admin();
  if v_member.status = 'deleted' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  if v_member.status <> p_from then
    return false;
  end if;
  update app.member_profiles m set status = p_to, updated_at = now() where m.id = p_member_id;
  perform audit.log('admin', p_action, 'member', v_member.member_no, '{}');
  return true;
end;
$$;
comment on function app.move_member_status(uuid, text, text, text) is
  'An admin suspends or activates a member; false when they were so already.';

create or replace function app.move_merchant_status(p_merchant_id uuid, p_to text, p_action text)
returns boolean
language plpgsql
as $$
declare
  v_merchant app.merchants;
begin
  perform app.lock_merchant_against_posting(p_merchant_id);
  select m.* into v_merchant from app.merchants m where m.id = p_merchant_id for no key update;
  perform sec.hold_admin();
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
comment on function app.move_merchant_status(uuid, text, text) is
  'An admin suspends or activates a merchant; false when it was so already.';
