create function public.revoke_card_qr(p_card_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_member app.member_profiles := sec.own_member();
  v_card app.cards;
  v_was_live boolean;
begin
  v_card := app.lock_own_card_for_codes(p_card_id, v_member.id);
  v_was_live := app.revoke_open_code(p_card_id, v_member.id);
  if v_was_live then
    perform audit.log('member', 'code.revoked', 'card', v_card.card_no, '{}');
  end if;
  return v_was_live;
end;
$$;
comment on function public.revoke_card_qr(uuid) is
  'Ends the caller''s own live code of a card; false when there was none. Errors: NOT_AUTHENTICATED, CARD_NOT_FOUND.';
revoke all on function public.revoke_card_qr(uuid) from public, anon, authenticated, service_role;
grant execute on function public.revoke_card_qr(uuid) to authenticated;
