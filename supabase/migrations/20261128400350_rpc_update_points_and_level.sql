create or replace function public.update_points_and_level(
  p_card_id uuid, p_delta_points bigint, p_reason text, p_idempotency_key text default null)
returns table (
  point_ledger_id uuid, card_id uuid, delta_points bigint, level_before int, level_after int, reason text, created_at timestamptz,
  replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_admin_id uuid := sec.require_admin();
  v_ledger_id uuid := app.uuid_v7();
  v_known_id uuid;
  v_reason text;
  v_card app.cards;
begin
  perform sec.check_idempotency_key(p_idempotency_key);
  if p_delta_points is null or p_delta_points = 0
     or p_delta_points not between -rules.limit_int('points.delta_max') and rules.limit_int('points.delta_max')
  then
    perform rules.fail('INVALID_POINTS', jsonb_build_object('field', 'delta_points'));
  end if;
  v_reason := sec.bounded_text(p_reason, 200, 'reason');
  if v_reason is null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'reason'));
  end if;
  v_known_id := app.claim_idempotency_key(
    app.admin_scope(v_admin_id), p_idempotency_key,
    rules.request_fingerprint('update_points_and_level', p_card_id::text, p_delta_points::text, v_reason), v_ledger_id);
  if v_known_id is not null then
    perform sec.require_admin();
  else
    select c.* into v_card from app.cards c where c.id = p_card_id for no key update;
    perform sec.hold_admin();
    if v_card.id is null then
      perform rules.fail('CARD_NOT_FOUND');
    end if;
    if v_card.status = 'closed' then
      perform rules.fail('CARD_NOT_ACTIVE');
    end if;
    if not (select r.earns_points from app.card_type_rules r where r.card_type = v_card.card_type) then
      perform rules.fail('UNSUPPORTED_CARD_TYPE_FOR_POINTS');
    end if;
    if v_card.points + p_delta_points < 0 then
      perform rules.fail('INSUFFICIENT_POINTS');
    end if;
    perform app.give_points(v_ledger_id, v_card, p_delta_points, v_reason);
    perform audit.log('admin', 'points.changed', 'card', v_card.card_no,
      jsonb_build_object('delta_points', p_delta_points, 'reason', v_reason));
  end if;
  return query
    select l.id, l.card_id, l.delta, l.level_before, l.level_after, l.reason, l.created_at,
      v_known_id is not null and app.is_replay(app.admin_scope(v_admin_id), p_idempotency_key)
    from app.point_ledger l where l.id = coalesce(v_known_id, v_ledger_id);
end;
$$;
comment on function public.update_points_and_level(uuid, bigint, text, text) is
  'Admin: gives (positive) or takes (negative) up to 1 000 000 points; the level follows. The same key and request: the same change. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, IDEMPOTENCY_KEY_INVALID, INVALID_POINTS, MALFORMED_ARGUMENT, IDEMPOTENCY_KEY_REUSED, '
  'CARD_NOT_FOUND, CARD_NOT_ACTIVE (closed), UNSUPPORTED_CARD_TYPE_FOR_POINTS, INSUFFICIENT_POINTS.';
revoke all on function public.update_points_and_level(uuid, bigint, text, text) from public, anon, authenticated, service_role;
grant execute on function public.update_points_and_level(uuid, bigint, text, text) to authenticated;
