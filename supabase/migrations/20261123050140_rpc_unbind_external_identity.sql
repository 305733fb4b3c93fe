create function public.unbind_external_identity(p_member_id uuid, p_provider text)
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
  delete from app.external_identities i where i.member_id = p_member_id and i.provider = p_provider;
  if not found then
    perform rules.fail('EXTERNAL_ID_NOT_FOUND', jsonb_build_object('provider', p_provider));
  end if;
  perform audit.log(sec.acting_role(), 'member.identity_unbound', 'member', v_member.member_no, jsonb_build_object('provider', p_provider));
  return true;
end;
$$;
comment on function public.unbind_external_identity(uuid, text) is
  'Own, service: forgets a member''s identity of a provider (wechat, alipay, line). '
  'Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, MEMBER_NOT_FOUND, EXTERNAL_ID_NOT_FOUND.';
revoke all on function public.unbind_external_identity(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.unbind_external_identity(uuid, text) to authenticated, service_role;
