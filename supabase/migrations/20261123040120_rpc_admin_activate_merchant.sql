create function public.admin_activate_merchant(p_merchant_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform sec.require_admin();
  return app.move_merchant_status(p_merchant_id, 'active', 'merchant.activated');
end;
$$;
comment on function public.admin_activate_merchant(uuid) is
  'Admin: a suspended merchant charges again. false: it was active. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MERCHANT_NOT_FOUND.';
revoke all on function public.admin_activate_merchant(uuid) from public, anon, authenticated, service_role;
grant execute on function public.admin_activate_merchant(uuid) to authenticated;
