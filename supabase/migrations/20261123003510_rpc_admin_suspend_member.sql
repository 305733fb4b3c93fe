create function public.admin_suspend_member(p_member_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform sec.require_admin();
  return app.move_member_status(p_member_id, 'active', 'suspended', 'member.suspended');
end;
$$;
comment on function public.admin_suspend_member(uuid) is
  'Admin: a suspended member neither pays, orders a recharge, binds nor issues codes; no charge of his commits after this returned. '
  'false: he was suspended. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MEMBER_NOT_FOUND, MEMBER_NOT_ACTIVE (deleted).';
revoke all on function public.admin_suspend_member(uuid) from public, anon, authenticated, service_role;
grant execute on function public.admin_suspend_member(uuid) to authenticated;
