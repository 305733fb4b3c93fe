create function public.accept_card_invitation(p_card_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_own app.member_profiles := sec.own_member();
  v_card app.cards := app.lock_card_of_invitation(p_card_id, v_own.id);
begin
  -- Under the lock: members are suspended and cards closed under it.
  perform app.check_bindable(v_card, sec.own_member());
  perform app.end_invitation(p_card_id, v_own.id);
  perform app.set_binding(p_card_id, v_own.id, 'owner');
  perform audit.log('member', 'card.bound', 'card', v_card.card_no, jsonb_build_object('member_id', v_own.id, 'role', 'owner'));
  return true;
end;
$$;
comment on function public.accept_card_invitation(uuid) is
  'The caller becomes an owner of the card that they were asked to own (bind_member_to_card), within seven days and while who asked may still '
  'ask. Errors: NOT_AUTHENTICATED, INVITATION_NOT_FOUND, CARD_NOT_ACTIVE, MEMBER_NOT_ACTIVE, CARD_TYPE_NOT_SHAREABLE.';
revoke all on function public.accept_card_invitation(uuid) from public, anon, authenticated, service_role;
grant execute on function public.accept_card_invitation(uuid) to authenticated;
