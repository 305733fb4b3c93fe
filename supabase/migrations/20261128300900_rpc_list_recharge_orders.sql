create or replace function public.list_recharge_orders(
  p_card_id uuid default null, p_status text default null, p_limit int default null, p_offset int default 0)
returns table (
  order_no text, card_id uuid, amount numeric, currency text, provider text, status text, is_late boolean, tx_no text, expires_at timestamptz,
  created_at timestamptz, payments jsonb)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_own app.member_profiles := sec.own_member();
  v_is_admin boolean := sec.is_admin();
  v_rows int := sec.page_rows(p_limit, p_offset);
  v_offset int := coalesce(p_offset, 0);
  v_ids uuid[];
begin
  if p_status is not null and p_status not in ('pending', 'expired', 'completed', 'needs_review', 'refunded_outside') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'status'));
  end if;
  if p_card_id is not null and not v_is_admin
     and not coalesce(app.card_role(p_card_id, v_own.id) in ('owner', 'admin'), false)
  then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  if p_card_id is not null then
    v_ids := array(
      select o.id from app.recharge_orders o
      where o.card_id = p_card_id and (p_status is null or o.status = p_status or (v_is_admin and p_status = 'needs_review' and exists (
        select from app.recharge_payments p where p.order_id = o.id and p.status = 'needs_review')))
      order by o.id desc limit v_rows offset v_offset);
  elsif v_is_admin and p_status is not distinct from 'needs_review' then
    -- Few rows, found by their own index: what an admin has to do.
    v_ids := array(
      select distinct p.order_id from app.recharge_payments p where p.status = 'needs_review'
      order by p.order_id desc limit v_rows offset v_offset);
  elsif v_is_admin then
    v_ids := array(
      select o.id from app.recharge_orders o where p_status is null or o.status = p_status
      order by o.id desc limit v_rows offset v_offset);
  else
    v_ids := array(
      select o.id from app.recharge_orders o
      where o.member_id = v_own.id and (p_status is null or o.status = p_status)
      order by o.id desc limit v_rows offset v_offset);
  end if;
  return query select v.* from app.view_recharge_orders(v_ids, v_is_admin) v;
end;
$$;
revoke all on function public.list_recharge_orders(uuid, text, int, int) from public, anon, authenticated, service_role;
grant execute on function public.list_recharge_orders(uuid, text, int, int) to authenticated;
