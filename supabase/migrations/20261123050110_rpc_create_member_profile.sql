create function public.create_member_profile(
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
