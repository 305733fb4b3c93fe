-- Whom a card does not know never waits for its lock: neither does he hold up its payers, nor does the wait tell him that it exists.

create or replace function app.lock_card_for_admin_or_owner(p_card_id uuid, p_own_roles text[])
returns app.cards
language plpgsql
as $$
declare
  v_user_id uuid := sec.require_user();
  v_is_admin boolean := sec.is_admin();
  v_member app.member_profiles := sec.own_member();
  v_role text;
  v_card app.cards;
begin
  if v_is_admin or app.card_role(p_card_id, v_member.id) is not null then
    select c.* into v_card from app.cards c where c.id = p_card_id for update;
    -- Again under the lock: roles change.
    v_role := app.card_role(p_card_id, v_member.id);
  end if;
  if v_card.id is null or (v_role is null and not v_is_admin) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  if not v_is_admin and not v_role = any (p_own_roles) then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  return v_card;
end;
$$;
