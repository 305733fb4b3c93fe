-- What the admin RPCs about members share.

create function app.lock_member_and_cards(p_member_id uuid)
returns app.member_profiles
language plpgsql
set search_path = ''
as $$
declare
  v_member app.member_profiles;
begin
  -- The cards first, by id: a charge that holds one of them commits before this goes on, a later one sees the new status.
  perform from app.cards c
  where c.id in (select b.card_id from app.card_bindings b where b.member_id = p_member_id)
  order by c.id
  for update;
  select m.* into v_member from app.member_profiles m where m.id = p_member_id for update;
  if v_member.id is null then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  return v_member;
end;
$$;
comment on function app.lock_member_and_cards(uuid) is 'Locks all cards a member is bound to, then the member.';

create function app.move_member_status(p_member_id uuid, p_from text, p_to text, p_action text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_member app.member_profiles := app.lock_member_and_cards(p_member_id);
begin
  if v_member.status = 'deleted' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  if v_member.status <> p_from then
    return false;
  end if;
  update app.member_profiles m set status = p_to, updated_at = now() where m.id = p_member_id;
  perform audit.log('admin', p_action, 'member', v_member.member_no, '{}');
  return true;
end;
$$;
comment on function app.move_member_status(uuid, text, text, text) is 'Suspends or activates a member; false when he was already so.';
