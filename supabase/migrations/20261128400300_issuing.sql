-- Admins' money calls: the right is read again under the locks, and held.

-- What they answer says whether it was answered before, so they are made anew.
drop function public.create_prepaid_card(uuid, text, numeric, numeric, text);
drop function public.create_corporate_card(uuid, text, numeric, numeric, text);
drop function public.create_voucher_card(uuid, text, numeric, timestamptz, text);
drop function app.issue_card(text, text, uuid, text, numeric, numeric, timestamptz, text);

create function app.issue_card(
  p_rpc text, p_card_type text, p_owner_member_id uuid, p_name text, p_initial_balance numeric, p_fixed_discount numeric,
  p_expires_at timestamptz, p_idempotency_key text)
returns table (card_id uuid, replayed boolean)
language plpgsql
as $$
declare
  v_admin_id uuid := sec.require_admin();
  v_card_id uuid := app.uuid_v7();
  v_known_id uuid;
  v_card app.cards;
  v_status text;
begin
  perform sec.check_idempotency_key(p_idempotency_key);
  perform sec.check_initial_balance(p_initial_balance);
  perform sec.check_discount(p_fixed_discount);
  if not isfinite(p_expires_at) then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'expires_at'));
  end if;
  v_known_id := app.claim_idempotency_key(
    app.admin_scope(v_admin_id), p_idempotency_key,
    rules.request_fingerprint(p_rpc, p_owner_member_id::text, p_name, round(p_initial_balance, 2)::text,
      round(p_fixed_discount, 3)::text, (extract(epoch from p_expires_at))::text),
    v_card_id);
  if v_known_id is not null then
    perform sec.require_admin();
    return query select v_known_id, app.is_replay(app.admin_scope(v_admin_id), p_idempotency_key);
    return;
  end if;
  -- After the replay: a card that was issued stays the answer when its time is over.
  if p_expires_at <= clock_timestamp() then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'expires_at'));
  end if;
  select m.status into v_status from app.member_profiles m where m.id = p_owner_member_id for share;
  perform sec.hold_admin();
  if v_status is null then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  if v_status <> 'active' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  insert into app.cards (id, card_no, card_type, name, personal_member_id, fixed_discount, expires_at)
  values (
    v_card_id, app.next_card_no(p_card_type), p_card_type, case when p_name is not null then sec.normal_name(p_name) end,
    case when p_card_type = 'voucher' then p_owner_member_id end, p_fixed_discount, p_expires_at)
  returning * into v_card;
  insert into app.card_bindings (card_id, member_id, role) values (v_card_id, p_owner_member_id, 'owner');
  if p_initial_balance > 0 then
    perform app.post_adjustment(v_card_id, p_initial_balance, 'initial balance');
  end if;
  perform audit.log('admin', 'card.issued', 'card', v_card.card_no, jsonb_build_object(
    'card_type', p_card_type, 'owner_member_id', p_owner_member_id, 'initial_balance', p_initial_balance::text,
    'fixed_discount', p_fixed_discount::text, 'expires_at', p_expires_at));
  return query select v_card_id, false;
end;
$$;
comment on function app.issue_card(text, text, uuid, text, numeric, numeric, timestamptz, text) is
  'A new card with its owner and, booked as an adjustment, its initial balance. The same key and request: the same card.';
