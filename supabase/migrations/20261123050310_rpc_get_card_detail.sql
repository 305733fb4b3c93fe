create function public.get_card_detail(p_card_id uuid)
returns table (
  card_id uuid, card_no text, card_type text, name text, role text, status text, balance numeric, points bigint, level int,
  level_name text, discount numeric, discount_source text, fixed_discount numeric, next_level_points bigint, expires_at timestamptz,
  pays boolean, is_rechargeable boolean, is_shareable boolean, has_binding_password boolean, members int, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_own app.member_profiles := sec.own_member();
  v_role text := app.card_role(p_card_id, v_own.id);
begin
  if not exists (select from app.cards c where c.id = p_card_id) or (v_role is null and not sec.is_admin()) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  return query
    select
      c.id, c.card_no, c.card_type, c.name, v_role, c.status, c.balance::numeric, c.points, c.level, l.name,
      t.discount::numeric, t.discount_source, c.fixed_discount::numeric,
      case when r.earns_points then (select min(n.points_min) from app.membership_levels n where n.points_min > c.points) end,
      c.expires_at,
      r.pays <> 'no' and v_role is not null and v_role in ('owner', 'admin', 'member'),
      r.is_rechargeable, r.is_shareable, c.binding_password_hash is not null,
      (select count(*)::int from app.card_bindings b where b.card_id = c.id),
      c.created_at
    from app.cards c
    join app.card_type_rules r on r.card_type = c.card_type
    cross join lateral app.level_of(c.points) l
    cross join lateral app.payment_terms_for(c, v_own.id, 1.00, now()) t
    where c.id = p_card_id;
end;
$$;
comment on function public.get_card_detail(uuid) is
  'One card, for whoever is bound to it and admins: role, discount and pays are the caller''s, role NULL for an admin who is not bound. '
  'Errors: NOT_AUTHENTICATED, CARD_NOT_FOUND.';
revoke all on function public.get_card_detail(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_card_detail(uuid) to authenticated;
