create function public.decline_card_invitation(p_card_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_own app.member_profiles := sec.own_member();
  v_card app.cards := app.lock_card_of_invitation(p_card_id, v_own.id);
begin
  perform app.end_invitation(p_card_id, v_own.id);
  perform audit.log('member', 'card.invitation_declined', 'card', v_card.card_no, jsonb_build_object('member_id', v_own.id));
  return true;
end;
$$;
comment on function public.decline_card_invitation(uuid) is
  'The caller does not become an owner of the card that they were asked to own; a role that they have stays. Errors: NOT_AUTHENTICATED, '
  'INVITATION_NOT_FOUND.';
revoke all on function public.decline_card_invitation(uuid) from public, anon, authenticated, service_role;
grant execute on function public.decline_card_invitation(uuid) to authenticated;
