-- Members' and admins' calls that wait: the right is read again after the lock, and an admin's is held.

create or replace function public.unbind_external_identity(p_member_id uuid, p_provider text)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_own app.member_profiles;
  v_member app.member_profiles;
begin
  if not sec.is_service() then
    v_own := sec.own_member();
  end if;
  perform sec.check_provider(p_provider);
  if not sec.is_service() and (p_member_id is null or p_member_id is distinct from v_own.id) then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  v_member := app.lock_member(p_member_id);
  if not sec.is_service() and p_member_id is distinct from (sec.own_member()).id then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  delete from app.external_identities i where i.member_id = p_member_id and i.provider = p_provider;
  if not found then
    perform rules.fail('EXTERNAL_ID_NOT_FOUND', jsonb_build_object('provider', p_provider));
  end if;
  perform audit.log(sec.acting_role(), 'member.identity_unbound', 'member', v_member.member_no, jsonb_build_object('provider', p_provider));
  return true;
end;
$$;
comment on function public.unbind_external_identity(uuid, text) is
  'Own, service: forgets a member''s identity of a provider (wechat, alipay, line). Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, '
  'MEMBER_NOT_FOUND, EXTERNAL_ID_NOT_FOUND.';
revoke all on function public.unbind_external_identity(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.unbind_external_identity(uuid, text) to authenticated, service_role;

create or replace function public.create_member_profile(
  p_name text, p_phone text default null, p_email text default null, p_binding_user_org text default null,
  p_binding_org_id text default null, p_default_card_type text default null)
returns uuid
language plpgsql security definer
set search_path = ''
as $$
declare
  v_name text;
  v_phone text;
  v_email text;
  v_member app.member_profiles;
  v_binds boolean := p_binding_user_org is not null or p_binding_org_id is not null;
begin
  perform sec.require_admin_or_service();
  v_name := sec.normal_name(p_name);
  v_phone := sec.normal_phone(p_phone);
  v_email := sec.normal_email(p_email);
  if p_default_card_type is distinct from 'standard' and p_default_card_type is not null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'default_card_type'));
  end if;
  if v_binds then
    perform sec.check_external_identity(p_binding_user_org, p_binding_org_id, null);
    -- Only our back end has seen the provider's proof.
    if not sec.is_service() then
      perform rules.fail('PERMISSION_DENIED');
    end if;
  end if;
  v_member := app.make_member(v_name, v_phone, v_email, null);
  perform sec.hold_admin_or_service();
  perform audit.log(sec.acting_role(), 'member.created', 'member', v_member.member_no, '{}');
  if v_binds then
    perform app.bind_identity(v_member, p_binding_user_org, p_binding_org_id, null);
  end if;
  return v_member.id;
end;
$$;
comment on function public.create_member_profile(text, text, text, text, text, text) is
  'Admin, service: a member with one standard card, linked to no user; answers the id. p_binding_user_org, p_binding_org_id: provider '
  '(wechat, alipay, line) and id of an external identity to bind, service only. p_default_card_type: NULL or standard. Errors: '
  'NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT, PHONE_ALREADY_REGISTERED, EMAIL_ALREADY_REGISTERED, '
  'EXTERNAL_ID_ALREADY_BOUND.';
revoke all on function public.create_member_profile(text, text, text, text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.create_member_profile(text, text, text, text, text, text) to authenticated, service_role;

create or replace function public.delete_member(p_member_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_is_admin boolean;
  v_member app.member_profiles;
begin
  perform sec.own_or_any_member(p_member_id);
  v_member := app.lock_member_and_all_cards(p_member_id);
  v_is_admin := sec.hold_if_admin();
  -- Again under the lock: the caller's other call may have been first.
  if not v_is_admin and v_member.auth_user_id is distinct from v_user_id then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  if v_member.status = 'deleted' then
    return false;
  end if;
  -- Whom the house suspended it may still have to deal with.
  if not v_is_admin and v_member.status <> 'active' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  perform app.check_member_may_go(p_member_id);
  perform app.erase_member(v_member);
  perform audit.log(sec.acting_role(), 'member.deleted', 'member', v_member.member_no, '{}');
  return true;
end;
$$;
comment on function public.delete_member(uuid) is
  'Own, admin: erases a member''s personal data and his link to a user, for ever; number and books are kept, points lapse with the '
  'closed cards. false: he was deleted. No payment of his commits after this returned. Errors: NOT_AUTHENTICATED, MEMBER_NOT_FOUND, '
  'MEMBER_NOT_ACTIVE (a suspended one cannot delete himself), CARD_BALANCE_NOT_ZERO (a card that is his alone), '
  'CANNOT_REMOVE_LAST_OWNER (a shared card).';
revoke all on function public.delete_member(uuid) from public, anon, authenticated, service_role;
grant execute on function public.delete_member(uuid) to authenticated;
