create function public.link_member_auth_user(p_member_id uuid, p_auth_user_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_member app.member_profiles;
begin
  perform sec.require_admin_or_service();
  -- The lock of register_member: a user who registers meanwhile finds this member, or this call finds his.
  perform pg_advisory_xact_lock(hashtextextended('mps/user/' || p_auth_user_id::text, 0));
  if not exists (select from auth.users u where u.id = p_auth_user_id) then
    perform rules.fail('USER_NOT_FOUND');
  end if;
  v_member := app.lock_member(p_member_id);
  if v_member.status = 'deleted' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  if v_member.auth_user_id = p_auth_user_id then
    return false;
  end if;
  if v_member.auth_user_id is not null
     or exists (select from app.member_profiles m where m.auth_user_id = p_auth_user_id)
  then
    perform rules.fail('MEMBER_ALREADY_LINKED');
  end if;
  update app.member_profiles m set auth_user_id = p_auth_user_id, updated_at = clock_timestamp() where m.id = p_member_id;
  perform audit.log(sec.acting_role(), 'member.linked', 'member', v_member.member_no, jsonb_build_object('user_id', p_auth_user_id));
  return true;
end;
$$;
comment on function public.link_member_auth_user(uuid, uuid) is
  'Admin, service: links a member to a Supabase Auth user; false: he was linked to this one. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, '
  'USER_NOT_FOUND, MEMBER_NOT_FOUND, MEMBER_NOT_ACTIVE (deleted), MEMBER_ALREADY_LINKED (the member or the user, to another).';
revoke all on function public.link_member_auth_user(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.link_member_auth_user(uuid, uuid) to authenticated, service_role;
