-- Calls about bindings and devices that wait: roles and admins are looked at again under the lock. Unbinding withdraws an invitation too.

create or replace function public.unbind_member_from_card(p_card_id uuid, p_member_id uuid) returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_own app.member_profiles := sec.own_member();
  v_is_admin boolean := sec.is_admin();
  v_card app.cards;
  v_own_role text;
  v_role text;
  v_is_invited boolean;
begin
  -- Whom the card does not know never waits for its lock.
  if v_is_admin or app.card_role(p_card_id, v_own.id) is not null then
    select c.* into v_card from app.cards c where c.id = p_card_id for update;
    -- Again under the lock: roles are taken, and admins go.
    v_is_admin := sec.hold_if_admin();
    v_own := sec.own_member();
    v_own_role := app.card_role(p_card_id, v_own.id);
    v_role := app.card_role(p_card_id, p_member_id);
  end if;
  if v_card.id is null or (v_own_role is null and not v_is_admin) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  v_is_invited := app.has_invitation(p_card_id, p_member_id);
  if v_role is null and not v_is_invited then
    return false;
  end if;
  if not v_is_admin and p_member_id is distinct from v_own.id
     and not app.may_bind_others(v_own_role, case when v_is_invited then 'owner' else v_role end)
  then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  -- Again under the lock: members are suspended under it.
  if not v_is_admin and p_member_id is distinct from v_own.id and (sec.own_member()).status is distinct from 'active' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  perform app.check_last_owner(p_card_id, p_member_id);
  perform app.end_invitation(p_card_id, p_member_id);
  perform app.end_payer(p_card_id, p_member_id);
  delete from app.card_bindings b where b.card_id = p_card_id and b.member_id = p_member_id;
  perform audit.log(
    case when v_is_admin then 'admin' else 'member' end, 'card.unbound', 'card', v_card.card_no,
    jsonb_build_object('member_id', p_member_id, 'role', v_role));
  return true;
end;
$$;
comment on function public.unbind_member_from_card(uuid, uuid) is
  'Ends a binding with its open code and devices: one''s own, or others'' as bind_member_to_card allows. An invitation ends with it. '
  'false: there was none. Errors: NOT_AUTHENTICATED, CARD_NOT_FOUND, PERMISSION_DENIED, MEMBER_NOT_ACTIVE (a suspended member '
  'unbinding another), CANNOT_REMOVE_LAST_OWNER.';
revoke all on function public.unbind_member_from_card(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.unbind_member_from_card(uuid, uuid) to authenticated;

create or replace function public.revoke_device(p_handle text)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_member app.member_profiles := sec.own_member();
  v_device app.payment_devices;
  v_role text;
begin
  if p_handle is null or p_handle !~ '^[0-9]{10}$' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'handle'));
  end if;
  select d.* into v_device from app.payment_devices d where d.handle = p_handle;
  -- Looked at before locking, so that a stranger cannot queue up on somebody's card, and again, since roles change.
  if v_device.handle is null or not app.may_end_device(v_device, v_member.id) then
    perform rules.fail('DEVICE_NOT_FOUND');
  end if;
  perform from app.cards c where c.id = v_device.card_id for no key update;
  perform sec.hold_if_admin();
  if not app.may_end_device(v_device, (sec.own_member()).id) then
    perform rules.fail('DEVICE_NOT_FOUND');
  end if;
  update app.payment_devices d set revoked_at = clock_timestamp() where d.handle = p_handle and d.revoked_at is null;
  if not found then
    return false;
  end if;
  v_role := case when sec.is_admin() then 'admin' else 'member' end;
  perform audit.log(v_role, 'device.revoked', 'device', p_handle, '{}');
  return true;
end;
$$;
comment on function public.revoke_device(text) is
  'Ends a device: its own member, the card''s owner or admin, or an admin of the house. No charge of its codes commits after this '
  'returned. false: it was over. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, DEVICE_NOT_FOUND.';
revoke all on function public.revoke_device(text) from public, anon, authenticated, service_role;
grant execute on function public.revoke_device(text) to authenticated;
