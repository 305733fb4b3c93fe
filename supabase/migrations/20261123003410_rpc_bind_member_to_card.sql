create function public.bind_member_to_card(
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
begin
  if p_role is null or p_role not in ('owner', 'admin', 'member', 'viewer') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'role'));
  end if;
  if v_own.id is null and not v_is_admin then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  select c.* into v_card from app.cards c where c.id = p_card_id for update;
  v_own_role := app.card_role(p_card_id, v_own.id);
  -- Binding oneself needs the password: without one, an unknown card and a card that cannot be bound answer alike.
  if v_card.id is null then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  if p_member_id is not distinct from v_own.id and v_own_role is null and not v_is_admin then
    if p_role not in ('member', 'viewer') then
      perform rules.fail('PERMISSION_DENIED');
    end if;
    perform app.check_bindable(v_card, v_own);
    if not app.check_binding_password(v_card, v_own.id, p_binding_password) then
      return false;
    end if;
  else
    if v_own_role is null and not v_is_admin then
      perform rules.fail('CARD_NOT_FOUND');
    end if;
    if not v_is_admin and not (app.may_bind_others(v_own_role, p_role)
       and app.may_bind_others(v_own_role, coalesce(app.card_role(p_card_id, p_member_id), p_role)))
    then
      perform rules.fail('PERMISSION_DENIED');
    end if;
    perform app.check_bindable(v_card, (select m from app.member_profiles m where m.id = p_member_id and m.status <> 'deleted'));
  end if;
  perform app.set_binding(p_card_id, p_member_id, p_role);
  perform audit.log(
    case when v_is_admin then 'admin' else 'member' end, 'card.bound', 'card', v_card.card_no,
    jsonb_build_object('member_id', p_member_id, 'role', p_role));
  return true;
end;
$$;
comment on function public.bind_member_to_card(uuid, uuid, text, text) is
  'Binds oneself by the card''s password (member or viewer), or others and changes roles as owner, admin of the card or admin of the '
  'house. false: the password is wrong, and that is counted. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, MEMBER_NOT_FOUND, '
  'CARD_NOT_FOUND, PERMISSION_DENIED, CARD_TYPE_NOT_SHAREABLE, CARD_NOT_ACTIVE, MEMBER_NOT_ACTIVE, BINDING_LOCKED, CANNOT_REMOVE_LAST_OWNER.';
revoke all on function public.bind_member_to_card(uuid, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function public.bind_member_to_card(uuid, uuid, text, text) to authenticated;
