-- Deleting a member: what he may leave behind, what ends, what is forgotten.

create function sec.refuse_binding_of_deleted()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_status text;
begin
  -- Locked by its id alone: waits for a deletion that is under way, then sees it.
  select m.status into v_status from app.member_profiles m where m.id = new.member_id for key share;
  if v_status = 'deleted' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  return new;
end;
$$;
comment on function sec.refuse_binding_of_deleted() is 'A deleted member is bound to no card any more, however it would come about.';
create trigger deleted_members_are_not_bound before insert on app.card_bindings
  for each row execute function sec.refuse_binding_of_deleted();

create function app.lock_member_and_all_cards(p_member_id uuid)
returns app.member_profiles
language plpgsql
set search_path = ''
as $$
declare
  v_card_ids uuid[];
  v_member app.member_profiles;
begin
  for v_attempt in 1 .. 10 loop
    begin
      v_card_ids := array(select b.card_id from app.card_bindings b where b.member_id = p_member_id order by b.card_id);
      perform from app.cards c where c.id = any (v_card_ids) order by c.id for update;
      select m.* into v_member from app.member_profiles m where m.id = p_member_id for update;
      if v_member.id is null then
        perform rules.fail('MEMBER_NOT_FOUND');
      end if;
      if v_card_ids = array(select b.card_id from app.card_bindings b where b.member_id = p_member_id order by b.card_id) then
        return v_member;
      end if;
      raise lock_not_available;
    exception when lock_not_available then
      -- He was bound to another card meanwhile. The locks are given back, so that cards are always locked by id and before the member.
      null;
    end;
  end loop;
  raise lock_not_available using message = 'the member''s cards keep changing';
end;
$$;
comment on function app.lock_member_and_all_cards(uuid) is
  'Locks all cards a member is bound to, then the member, so that he cannot be bound to another one meanwhile.';

create function app.cards_of_his_alone(p_member_id uuid)
returns setof app.cards
language plpgsql stable
set search_path = ''
as $$
begin
  return query
    select c.*
    from app.card_bindings b
    join app.cards c on c.id = b.card_id
    where b.member_id = p_member_id and b.role = 'owner'
      and not exists (select from app.card_bindings o where o.card_id = b.card_id and o.member_id <> p_member_id)
    order by c.id;
end;
$$;
comment on function app.cards_of_his_alone(uuid) is 'The cards a member owns and nobody else is bound to.';

create function app.check_member_may_go(p_member_id uuid)
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if exists (select from app.cards_of_his_alone(p_member_id) c where c.balance <> 0) then
    perform rules.fail('CARD_BALANCE_NOT_ZERO');
  end if;
  perform app.check_last_owner(b.card_id, p_member_id)
  from app.card_bindings b
  join app.cards c on c.id = b.card_id
  where b.member_id = p_member_id and c.status <> 'closed'
    and exists (select from app.card_bindings o where o.card_id = b.card_id and o.member_id <> p_member_id);
end;
$$;
comment on function app.check_member_may_go(uuid) is
  'Refuses a member with money on a card that is his alone, then the last owner of a card he shares. Under the cards'' locks.';

create function app.end_member_codes(p_member_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.revoke_open_code(b.card_id, p_member_id) from app.card_bindings b where b.member_id = p_member_id;
  perform app.erase_devices_of_member(p_member_id);
end;
$$;
comment on function app.end_member_codes(uuid) is 'Ends all codes and devices of a member, under the locks of his cards.';

create function app.erase_member(p_member app.member_profiles)
returns void
language plpgsql
set search_path = ''
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
  delete from app.binding_attempts a where a.member_id = p_member.id;
  delete from app.external_identities i where i.member_id = p_member.id;
  update app.member_profiles m
  set status = 'deleted', name = m.member_no, phone = null, email = null, auth_user_id = null, updated_at = clock_timestamp()
  where m.id = p_member.id;
end;
$$;
comment on function app.erase_member(app.member_profiles) is
  'Ends a member''s codes, devices and shares, closes the cards that were his alone and forgets who he was: his name is now his number.';
