create function public.cron_expire_recharge_orders()
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_expired int;
begin
  perform sec.require_service();
  -- Whoever is completing an order holds its row: it is left for the next call.
  with due as (
    select o.id from app.recharge_orders o
    where o.status = 'pending' and o.expires_at <= now()
    order by o.expires_at
    limit 5000
    for update skip locked)
  update app.recharge_orders o set status = 'expired' from due where o.id = due.id;
  get diagnostics v_expired = row_count;
  if v_expired > 0 then
    perform audit.log('service', 'recharge.expired', 'recharge_order', null, jsonb_build_object('orders', v_expired));
  end if;
  return v_expired;
end;
$$;
comment on function public.cron_expire_recharge_orders() is
  'Service: expires pending recharge orders whose time is over, at most 5000 a call; answers how many. A payment that still comes is '
  'credited and flagged. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_expire_recharge_orders() from public, anon, authenticated, service_role;
grant execute on function public.cron_expire_recharge_orders() to service_role;
