create function public.remove_admin_user(p_user_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform app.lock_admin_users();
  if not exists (select from app.admin_users a where a.user_id = p_user_id) then
    return false;
  end if;
  if not exists (select from app.admin_users a where a.user_id is distinct from p_user_id) then
    perform rules.fail('CANNOT_REMOVE_LAST_ADMIN');
  end if;
  delete from app.admin_users a where a.user_id = p_user_id;
  perform audit.log('admin', 'admin.removed', 'user', p_user_id::text, '{}');
  return true;
end;
$$;
comment on function public.remove_admin_user(uuid) is
  'Admin: an admin runs the house no more; the last one stays. false: he did not. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, CANNOT_REMOVE_LAST_ADMIN.';
revoke all on function public.remove_admin_user(uuid) from public, anon, authenticated, service_role;
grant execute on function public.remove_admin_user(uuid) to authenticated;
