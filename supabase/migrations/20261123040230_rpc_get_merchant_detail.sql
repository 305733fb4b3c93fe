create function public.get_merchant_detail(p_merchant_id uuid)
returns table (
  merchant_id uuid, code text, name text, contact text, status text, time_zone text, fee_bps int, settlement_mode text, day_max numeric,
  created_at timestamptz, own_role text, users jsonb, terminals jsonb)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_own_role text := sec.merchant_role(p_merchant_id);
begin
  if not exists (select from app.merchants m where m.id = p_merchant_id) or (v_own_role is null and not sec.is_admin()) then
    perform rules.fail('MERCHANT_NOT_FOUND');
  end if;
  return query
    select
      m.id, m.code, m.name, m.contact, m.status, m.time_zone, m.fee_bps, m.settlement_mode, m.day_max::numeric, m.created_at, v_own_role,
      coalesce((
        select jsonb_agg(jsonb_build_object('user_id', u.user_id, 'role', u.role, 'created_at', u.created_at)
          order by array_position(array['owner', 'manager', 'cashier'], u.role), u.created_at, u.user_id)
        from app.merchant_users u where u.merchant_id = m.id), '[]'),
      coalesce((
        select jsonb_agg(jsonb_build_object('code', t.code, 'label', t.label, 'status', t.status, 'created_at', t.created_at)
          order by t.created_at, t.code)
        from app.terminals t where t.merchant_id = m.id), '[]')
    from app.merchants m where m.id = p_merchant_id;
end;
$$;
comment on function public.get_merchant_detail(uuid) is
  'A merchant with its users and terminals, retired ones too, for admins and whoever works for it. own_role: the caller''s, NULL for an '
  'admin who does not. Errors: NOT_AUTHENTICATED, MERCHANT_NOT_FOUND.';
revoke all on function public.get_merchant_detail(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_merchant_detail(uuid) to authenticated;
