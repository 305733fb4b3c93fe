create function public.bind_external_identity(p_member_id uuid, p_provider text, p_external_id text, p_meta jsonb default null)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_member app.member_profiles;
begin
  perform sec.require_service();
  perform sec.check_external_identity(p_provider, p_external_id, p_meta);
  v_member := app.lock_member(p_member_id);
  if v_member.status <> 'active' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  return app.bind_identity(v_member, p_provider, p_external_id, p_meta);
end;
$$;
comment on function public.bind_external_identity(uuid, text, text, jsonb) is
  'Service, which has the provider''s proof: binds a WeChat, Alipay or Line identity to a member; false: he has it already. p_meta: a JSON '
  'object of at most 4096 bytes. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT, MEMBER_NOT_FOUND, MEMBER_NOT_ACTIVE, '
  'EXTERNAL_ID_ALREADY_BOUND (to another member, or the member has another one of this provider).';
revoke all on function public.bind_external_identity(uuid, text, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function public.bind_external_identity(uuid, text, text, jsonb) to service_role;
