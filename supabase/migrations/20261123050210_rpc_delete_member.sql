create function public.delete_member(p_member_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_is_admin boolean := sec.is_admin();
  v_member app.member_profiles;
begin
  perform sec.own_or_any_member(p_member_id);
  v_member := app.lock_member_and_all_cards(p_member_id);
  -- Again under the lock: the caller's other call may have been first.
  if not v_is_admin and v_member.auth_user_id is distinct from v_user_id then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  if v_member.status = 'deleted' then
    return false;
  end if;
  -- Whom the house suspended it may still have to deal with.
  if not v_is_admin and v_member.status <> 'active' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  perform app.check_member_may_go(p_member_id);
  perform app.erase_member(v_member);
  perform audit.log(sec.acting_role(), 'member.deleted', 'member', v_member.member_no, '{}');
  return true;
end;
$$;
comment on function public.delete_member(uuid) is
  'Own, admin: erases a member''s personal data and his link to a user, for ever; number and books are kept, points lapse with the closed '
  'cards. false: he was deleted. No payment of his commits after this returned. Errors: NOT_AUTHENTICATED, MEMBER_NOT_FOUND, '
  'MEMBER_NOT_ACTIVE (a suspended one cannot delete himself), CARD_BALANCE_NOT_ZERO (a card that is his alone), '
  'CANNOT_REMOVE_LAST_OWNER (a shared card).';
revoke all on function public.delete_member(uuid) from public, anon, authenticated, service_role;
grant execute on function public.delete_member(uuid) to authenticated;
