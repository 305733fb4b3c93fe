create function public.list_devices(p_card_id uuid)
returns table (handle text, label text, member_id uuid, enrolled_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_member app.member_profiles := sec.own_member();
  v_is_admin boolean := sec.is_admin();
  v_role text := app.card_role(p_card_id, v_member.id);
begin
  if not exists (select from app.cards c where c.id = p_card_id) or (v_role is null and not v_is_admin) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  return query
    select d.handle, d.label, d.member_id, d.enrolled_at
    from app.payment_devices d
    where d.card_id = p_card_id and d.revoked_at is null
      and (v_is_admin or v_role in ('owner', 'admin') or d.member_id = v_member.id)
    order by d.enrolled_at, d.handle;
end;
$$;
comment on function public.list_devices(uuid) is
  'The live devices of a card, at most 5, oldest first: all for the card''s owner and admin and for admins of the house, one''s own for '
  'others. Errors: NOT_AUTHENTICATED, CARD_NOT_FOUND.';
revoke all on function public.list_devices(uuid) from public, anon, authenticated, service_role;
grant execute on function public.list_devices(uuid) to authenticated;
