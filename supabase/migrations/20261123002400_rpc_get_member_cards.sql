create function public.get_member_cards(p_member_id uuid default null)
returns table (
  card_id uuid, card_no text, card_type text, name text, role text, status text, balance numeric, points bigint,
  level int, level_name text, discount numeric, discount_source text, next_level_points bigint,
  expires_at timestamptz, pays boolean)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_own app.member_profiles := sec.own_member();
  v_member_id uuid := coalesce(p_member_id, v_own.id);
begin
  if v_member_id is null
     or (v_member_id is distinct from v_own.id and not sec.is_admin())
     or not exists (select from app.member_profiles m where m.id = v_member_id)
  then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  return query
    select
      c.id, c.card_no, c.card_type, c.name, b.role, c.status, c.balance, c.points, c.level, l.name,
      t.discount, t.discount_source,
      case when r.earns_points then (
        select min(n.points_min) from app.membership_levels n where n.points_min > c.points) end,
      c.expires_at,
      r.pays <> 'no' and b.role in ('owner', 'admin', 'member')
    from app.card_bindings b
    join app.cards c on c.id = b.card_id
    join app.card_type_rules r on r.card_type = c.card_type
    join app.membership_levels l on l.level = c.level
    cross join lateral app.payment_terms_for(c, v_member_id, 1.00, now()) t
    where b.member_id = v_member_id
    order by array_position(array['standard', 'prepaid', 'corporate', 'voucher'], c.card_type), c.card_no;
end;
$$;
comment on function public.get_member_cards(uuid) is
  'The cards a member may see, his own and shared ones, with balance, points, level and the discount of this moment. '
  'Own, or any for an admin. Errors: NOT_AUTHENTICATED, MEMBER_NOT_FOUND.';
revoke all on function public.get_member_cards(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_member_cards(uuid) to authenticated;
