-- Who is suspended takes a shared card from nobody but himself.

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
begin
  -- Whom the card does not know never waits for its lock.
  if v_is_admin or app.card_role(p_card_id, v_own.id) is not null then
    select c.* into v_card from app.cards c where c.id = p_card_id for update;
    v_own_role := app.card_role(p_card_id, v_own.id);
    v_role := app.card_role(p_card_id, p_member_id);
  end if;
  if v_card.id is null or (v_own_role is null and not v_is_admin) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  if v_role is null then
    return false;
  end if;
  if not v_is_admin and p_member_id is distinct from v_own.id and not app.may_bind_others(v_own_role, v_role) then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  -- Again under the lock: members are suspended under it.
  if not v_is_admin and p_member_id is distinct from v_own.id and (sec.own_member()).status is distinct from 'active' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  perform app.check_last_owner(p_card_id, p_member_id);
  perform app.end_payer(p_card_id, p_member_id);
  delete from app.card_bindings b where b.card_id = p_card_id and b.member_id = p_member_id;
  perform audit.log(
    case when v_is_admin then 'admin' else 'member' end, 'card.unbound', 'card', v_card.card_no,
    jsonb_build_object('member_id', p_member_id, 'role', v_role));
  return true;
end;
$$;
comment on function public.unbind_member_from_card(uuid, uuid) is
  'Ends a binding with its open code and devices: one''s own, or others'' as bind_member_to_card allows. false: there was none. Errors: '
  'NOT_AUTHENTICATED, CARD_NOT_FOUND, PERMISSION_DENIED, MEMBER_NOT_ACTIVE (a suspended member unbinding another), CANNOT_REMOVE_LAST_OWNER.';
revoke all on function public.unbind_member_from_card(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.unbind_member_from_card(uuid, uuid) to authenticated;
