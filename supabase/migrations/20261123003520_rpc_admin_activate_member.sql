create function public.admin_activate_member(p_member_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform sec.require_admin();
  return app.move_member_status(p_member_id, 'suspended', 'active', 'member.activated');
end;
$$;
comment on function public.admin_activate_member(uuid) is
  'Admin: ends a suspension; false when there was none. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MEMBER_NOT_FOUND, MEMBER_NOT_ACTIVE (deleted).';
revoke all on function public.admin_activate_member(uuid) from public, anon, authenticated, service_role;
grant execute on function public.admin_activate_member(uuid) to authenticated;
