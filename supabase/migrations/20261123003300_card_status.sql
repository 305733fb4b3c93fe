-- Moves of a card's status: one table of what is allowed, one function that moves.

create function rules.can_card_status_move(p_from text, p_to text)
returns boolean
language sql immutable parallel safe
as $$
  select (p_from, p_to) in (
    ('active', 'frozen'), ('frozen', 'active'),
    ('active', 'lost'), ('frozen', 'lost'), ('lost', 'active'),
    ('active', 'expired'), ('frozen', 'expired'), ('lost', 'expired'), ('expired', 'active'),
    ('active', 'closed'), ('frozen', 'closed'), ('lost', 'closed'), ('expired', 'closed'))
$$;
comment on function rules.can_card_status_move(text, text) is 'Whether a card may go from one status to another. Closed is for ever.';

create function app.lock_card_for_admin_or_owner(p_card_id uuid, p_own_roles text[])
returns app.cards
language plpgsql
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_is_admin boolean := sec.is_admin();
  v_member app.member_profiles := sec.own_member();
  v_role text;
  v_card app.cards;
begin
  select c.* into v_card from app.cards c where c.id = p_card_id for update;
  select b.role into v_role from app.card_bindings b where b.card_id = p_card_id and b.member_id = v_member.id;
  if v_card.id is null or (v_role is null and not v_is_admin) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  if not v_is_admin and not v_role = any (p_own_roles) then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  return v_card;
end;
$$;
comment on function app.lock_card_for_admin_or_owner(uuid, text[]) is
  'Locks a card for an admin, or for a member bound to it in one of the roles. A card he is not bound to is not found.';

create function app.move_card_status(p_card app.cards, p_to text, p_action text)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if not rules.can_card_status_move(p_card.status, p_to) then
    perform rules.fail('CARD_STATUS_CONFLICT', jsonb_build_object('status', p_card.status));
  end if;
  if p_to = 'closed' and p_card.balance <> 0 then
    perform rules.fail('CARD_BALANCE_NOT_ZERO');
  end if;
  update app.cards c set status = p_to where c.id = p_card.id;
  perform audit.log(
    case when sec.is_admin() then 'admin' else 'member' end, p_action, 'card', p_card.card_no,
    jsonb_build_object('from', p_card.status, 'to', p_to));
  return true;
end;
$$;
comment on function app.move_card_status(app.cards, text, text) is
  'Moves a locked card, audited. A wrong move is CARD_STATUS_CONFLICT, never a silent true.';

create function sec.require_admin()
returns uuid
language plpgsql stable
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
begin
  if not sec.is_admin() then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  return v_user_id;
end;
$$;
comment on function sec.require_admin() is 'The signed-in admin, else NOT_AUTHENTICATED or PERMISSION_DENIED.';
