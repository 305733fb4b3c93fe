-- Making somebody else owner is an invitation until they accept it.

create or replace function public.bind_member_to_card(
  p_card_id uuid, p_member_id uuid, p_role text default 'member', p_binding_password text default null)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_own app.member_profiles := sec.own_member();
  v_is_admin boolean := sec.is_admin();
  v_card app.cards;
  v_own_role text;
  v_is_invitation boolean;
begin
  if p_role is null or p_role not in ('owner', 'admin', 'member', 'viewer') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'role'));
  end if;
  if v_own.id is null and not v_is_admin then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  -- Looked at before locking: whom the card does not know waits for its lock only with a password to try.
  if not v_is_admin and app.card_role(p_card_id, v_own.id) is null then
    perform app.check_self_binding(p_card_id, v_own, p_member_id, p_role);
  end if;
  select c.* into v_card from app.cards c where c.id = p_card_id for update;
  if v_card.id is null then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  -- Again under the lock: roles are taken and members suspended under it.
  v_is_admin := sec.hold_if_admin();
  v_own := sec.own_member();
  v_own_role := app.card_role(p_card_id, v_own.id);
  if p_member_id is not distinct from v_own.id and v_own_role is null and not v_is_admin then
    perform app.check_self_binding(p_card_id, v_own, p_member_id, p_role);
    if not app.check_binding_password(v_card, v_own.id, p_binding_password) then
      return false;
    end if;
  else
    perform app.check_binding_of_another(v_card, v_own, v_own_role, p_member_id, p_role);
  end if;
  -- Who owns a card answers for it: only with their consent.
  v_is_invitation := p_role = 'owner' and p_member_id is distinct from v_own.id
    and app.card_role(p_card_id, p_member_id) is distinct from 'owner';
  if v_is_invitation then
    perform app.invite_owner(v_card, p_member_id, case when v_own_role is not distinct from 'owner' then v_own.id end);
  else
    perform app.end_invitation(p_card_id, p_member_id);
    perform app.set_binding(p_card_id, p_member_id, p_role);
  end if;
  perform audit.log(
    case when v_is_admin then 'admin' else 'member' end, case when v_is_invitation then 'card.owner_invited' else 'card.bound' end,
    'card', v_card.card_no, jsonb_build_object('member_id', p_member_id, 'role', p_role));
  return true;
end;
$$;
comment on function public.bind_member_to_card(uuid, uuid, text, text) is
  'Binds oneself by the card''s password (member or viewer), or others and changes roles as owner, admin of the card or admin of the '
  'system. Making another member owner invites them: they are one once they accept (accept_card_invitation); other roles act at once. '
  'false: the password is wrong, and that is counted. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, MEMBER_NOT_FOUND, CARD_NOT_FOUND, '
  'PERMISSION_DENIED, CARD_TYPE_NOT_SHAREABLE, CARD_NOT_ACTIVE, MEMBER_NOT_ACTIVE, BINDING_LOCKED, CANNOT_REMOVE_LAST_OWNER.';
revoke all on function public.bind_member_to_card(uuid, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function public.bind_member_to_card(uuid, uuid, text, text) to authenticated;
