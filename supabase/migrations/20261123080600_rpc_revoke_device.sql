create function app.may_end_device(p_device app.payment_devices, p_member_id uuid)
returns boolean
language plpgsql stable
set search_path = ''
as $$
begin
  return sec.is_admin()
    or p_device.member_id is not distinct from p_member_id
    or coalesce(app.card_role(p_device.card_id, p_member_id) in ('owner', 'admin'), false);
end;
$$;
comment on function app.may_end_device(app.payment_devices, uuid) is
  'Whether the caller, who is this member, may end a device: its own member, the card''s owner and admin, an admin of the house.';

create function public.revoke_device(p_handle text)
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
  if not app.may_end_device(v_device, v_member.id) then
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
  'Ends a device: its own member, the card''s owner or admin, or an admin of the house. No charge of its codes commits after '
  'this returned. false: it was over. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, DEVICE_NOT_FOUND.';
revoke all on function public.revoke_device(text) from public, anon, authenticated, service_role;
grant execute on function public.revoke_device(text) to authenticated;
