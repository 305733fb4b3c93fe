create function public.add_admin_user(p_user_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform app.lock_admin_users();
  perform sec.require_known_user(p_user_id);
  insert into app.admin_users (user_id) values (p_user_id) on conflict do nothing;
  if not found then
    return false;
  end if;
  perform audit.log('admin', 'admin.added', 'user', p_user_id::text, '{}');
  return true;
end;
$$;
comment on function public.add_admin_user(uuid) is
  'Admin: a signed-up user runs the house too. false: he does already. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, USER_NOT_FOUND.';
revoke all on function public.add_admin_user(uuid) from public, anon, authenticated, service_role;
grant execute on function public.add_admin_user(uuid) to authenticated;
