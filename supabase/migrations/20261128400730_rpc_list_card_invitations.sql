create function public.list_card_invitations()
returns table (
  card_id uuid, card_no text, card_type text, name text, invited_by_no text, invited_by_name text, invited_at timestamptz,
  expires_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_own app.member_profiles := sec.own_member();
begin
  return query
    select c.id, c.card_no, c.card_type, c.name, m.member_no, m.name, i.invited_at, i.expires_at
    from app.card_invitations i
    join app.cards c on c.id = i.card_id
    left join app.member_profiles m on m.id = i.invited_by
    where i.member_id = v_own.id and app.has_invitation(i.card_id, i.member_id)
    order by i.expires_at, c.card_no;
end;
$$;
comment on function public.list_card_invitations() is
  'The cards that the caller was asked to own and may still accept or decline, the one that ends first on top; invited_by is NULL for an admin '
  'of the system. Errors: NOT_AUTHENTICATED.';
revoke all on function public.list_card_invitations() from public, anon, authenticated, service_role;
grant execute on function public.list_card_invitations() to authenticated;
