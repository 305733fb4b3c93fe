create function public.get_member_detail(p_member_id uuid default null)
returns table (
  member_id uuid, member_no text, name text, phone text, email text, status text, is_linked boolean, providers text[],
  card_id uuid, card_no text, cards int, created_at timestamptz, updated_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_member app.member_profiles := sec.own_or_any_member(coalesce(p_member_id, (sec.own_member()).id));
begin
  return query
    select
      v_member.id, v_member.member_no, v_member.name, v_member.phone, v_member.email, v_member.status,
      v_member.auth_user_id is not null,
      array(select i.provider from app.external_identities i where i.member_id = v_member.id order by i.provider),
      c.id, c.card_no,
      (select count(*)::int from app.card_bindings b where b.member_id = v_member.id),
      v_member.created_at, v_member.updated_at
    from app.cards c where c.personal_member_id = v_member.id and c.card_type = 'standard';
end;
$$;
comment on function public.get_member_detail(uuid) is
  'A member with the standard card, the number of cards he sees and the providers of his external identities. Own (NULL), or any for an '
  'admin. Errors: NOT_AUTHENTICATED, MEMBER_NOT_FOUND.';
revoke all on function public.get_member_detail(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_member_detail(uuid) to authenticated;
