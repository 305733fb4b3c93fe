-- Who loses the right to pay, or the card, loses the devices too.

create or replace function app.set_binding(p_card_id uuid, p_member_id uuid, p_role text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_role is distinct from 'owner' then
    perform app.check_last_owner(p_card_id, p_member_id);
  end if;
  insert into app.card_bindings as b (card_id, member_id, role) values (p_card_id, p_member_id, p_role)
  on conflict (card_id, member_id) do update set role = excluded.role;
  if p_role = 'viewer' then
    perform app.end_payer(p_card_id, p_member_id);
  end if;
end;
$$;
comment on function app.set_binding(uuid, uuid, text) is
  'Binds or changes a role, under the card''s lock; who only sees loses his open code and his devices.';

create or replace function app.move_card_status(p_card app.cards, p_to text, p_action text)
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
  -- Who finds a lost phone finds its codes and devices: they stay over when the card comes back.
  if p_to in ('lost', 'closed') then
    perform app.end_payers_of_card(p_card.id);
  end if;
  perform audit.log(
    case when sec.is_admin() then 'admin' else 'member' end, p_action, 'card', p_card.card_no,
    jsonb_build_object('from', p_card.status, 'to', p_to));
  return true;
end;
$$;
comment on function app.move_card_status(app.cards, text, text) is
  'Moves a locked card, audited; a lost or closed one loses its open codes and devices. A wrong move is '
  'CARD_STATUS_CONFLICT, never a silent true.';

comment on function public.report_card_lost(uuid) is
  'Admin, or the card''s owner or admin. Ends everybody''s open codes and devices of the card, for good. Only an admin undoes the loss. '
  'Errors: NOT_AUTHENTICATED, CARD_NOT_FOUND, PERMISSION_DENIED, CARD_STATUS_CONFLICT.';

create or replace function public.unbind_member_from_card(p_card_id uuid, p_member_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_own app.member_profiles := sec.own_member();
  v_is_admin boolean := sec.is_admin();
  v_card app.cards;
  v_own_role text;
  v_role text;
begin
  -- Whom the card does not know never waits for its lock.
  if v_is_admin or app.card_role(p_card_id, v_own.id) is not null then
    select c.* into v_card from app.cards c where c.id = p_card_id for update;
    v_own_role := app.card_role(p_card_id, v_own.id);
    v_role := app.card_role(p_card_id, p_member_id);
  end if;
  if v_card.id is null or (v_own_role is null and not v_is_admin) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  if v_role is null then
    return false;
  end if;
  if not v_is_admin and p_member_id is distinct from v_own.id and not app.may_bind_others(v_own_role, v_role) then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  perform app.check_last_owner(p_card_id, p_member_id);
  perform app.end_payer(p_card_id, p_member_id);
  delete from app.card_bindings b where b.card_id = p_card_id and b.member_id = p_member_id;
  perform audit.log(
    case when v_is_admin then 'admin' else 'member' end, 'card.unbound', 'card', v_card.card_no,
    jsonb_build_object('member_id', p_member_id, 'role', v_role));
  return true;
end;
$$;
comment on function public.unbind_member_from_card(uuid, uuid) is
  'Ends a binding with its open code and devices: one''s own, or others'' as bind_member_to_card allows. false: there was none. '
  'Errors: NOT_AUTHENTICATED, CARD_NOT_FOUND, PERMISSION_DENIED, CANNOT_REMOVE_LAST_OWNER.';
revoke all on function public.unbind_member_from_card(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.unbind_member_from_card(uuid, uuid) to authenticated;
