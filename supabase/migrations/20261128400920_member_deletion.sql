-- Nobody is asked any more who is gone, nobody by them, and what they were told is forgotten.

create or replace function app.erase_member(p_member app.member_profiles)
returns void
language plpgsql
as $$
declare
  v_card app.cards;
begin
  perform app.end_member_codes(p_member.id);
  for v_card in select c.* from app.cards_of_his_alone(p_member.id) c loop
    if v_card.status <> 'closed' then
      perform app.move_card_status(v_card, 'closed', 'card.closed');
    end if;
    update app.cards c set name = null, binding_password_hash = null where c.id = v_card.id;
  end loop;
  -- The closed cards that were his alone keep him as their owner, so that their books are still found by his number.
  delete from app.card_bindings b
  where b.member_id = p_member.id
    and not exists (select from app.cards_of_his_alone(p_member.id) c where c.id = b.card_id);
  delete from app.card_invitations i where p_member.id in (i.member_id, i.invited_by);
  delete from app.member_notices n where n.member_id = p_member.id;
  delete from app.binding_attempts a where a.member_id = p_member.id;
  delete from app.external_identities i where i.member_id = p_member.id;
  update app.member_profiles m
  set status = 'deleted', name = m.member_no, phone = null, email = null, auth_user_id = null, updated_at = clock_timestamp()
  where m.id = p_member.id;
end;
$$;
comment on function app.erase_member(app.member_profiles) is
  'Ends a member''s codes, devices and shares, closes the cards that were his alone and forgets who he was: his name is now his '
  'number.';
