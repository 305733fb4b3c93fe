-- Whom a shared card gets while his suspension waits for a lock is suspended with that card too.

create or replace function app.move_member_status(p_member_id uuid, p_from text, p_to text, p_action text) returns boolean
language plpgsql
as $$
declare
  v_member app.member_profiles := app.lock_member_and_all_cards(p_member_id);
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
drop function app.lock_member_and_cards(uuid);
