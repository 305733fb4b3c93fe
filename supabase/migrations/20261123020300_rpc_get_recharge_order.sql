create function public.get_recharge_order(p_order_no text)
returns table (
  order_no text, card_id uuid, amount numeric, currency text, provider text, status text, is_late boolean, tx_no text,
  expires_at timestamptz, created_at timestamptz, payments jsonb)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_sees_all boolean := sec.is_service();
  v_own app.member_profiles;
  v_order app.recharge_orders;
begin
  if not v_sees_all then
    v_own := sec.own_member();
    v_sees_all := sec.is_admin();
  end if;
  select o.* into v_order from app.recharge_orders o where o.order_no = p_order_no;
  if v_order.id is null or not (
     v_sees_all or v_order.member_id is not distinct from v_own.id
     or coalesce(app.card_role(v_order.card_id, v_own.id) in ('owner', 'admin'), false))
  then
    perform rules.fail('RECHARGE_ORDER_NOT_FOUND');
  end if;
  return query select v.* from app.view_recharge_orders(array[v_order.id], v_sees_all) v;
end;
$$;
comment on function public.get_recharge_order(text) is
  'A recharge order: one''s own or of a card one owns or administers; any for admins and the service, who also see the payments reported. '
  'Errors: NOT_AUTHENTICATED, RECHARGE_ORDER_NOT_FOUND.';
revoke all on function public.get_recharge_order(text) from public, anon, authenticated, service_role;
grant execute on function public.get_recharge_order(text) to authenticated, service_role;
