create function public.admin_suspend_merchant(p_merchant_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform sec.require_admin();
  return app.move_merchant_status(p_merchant_id, 'suspended', 'merchant.suspended');
end;
$$;
comment on function public.admin_suspend_merchant(uuid) is
  'Admin: a suspended merchant neither charges nor takes cash, and no charge of its commits after this returned; refunds go on. '
  'false: it was suspended. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MERCHANT_NOT_FOUND.';
revoke all on function public.admin_suspend_merchant(uuid) from public, anon, authenticated, service_role;
grant execute on function public.admin_suspend_merchant(uuid) to authenticated;
