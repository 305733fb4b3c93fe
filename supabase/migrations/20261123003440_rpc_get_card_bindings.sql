create function public.get_card_bindings(p_card_id uuid)
returns table (member_id uuid, member_no text, name text, role text, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_own app.member_profiles := sec.own_member();
begin
  if not exists (select from app.cards c where c.id = p_card_id)
     or (app.card_role(p_card_id, v_own.id) is null and not sec.is_admin())
  then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  return query
    select m.id, m.member_no, m.name, b.role, b.created_at
    from app.card_bindings b
    join app.member_profiles m on m.id = b.member_id
    where b.card_id = p_card_id
    order by array_position(array['owner', 'admin', 'member', 'viewer'], b.role), m.member_no;
end;
$$;
comment on function public.get_card_bindings(uuid) is
  'Who is bound to a card, for those who see it and admins. Errors: NOT_AUTHENTICATED, CARD_NOT_FOUND.';
revoke all on function public.get_card_bindings(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_card_bindings(uuid) to authenticated;
