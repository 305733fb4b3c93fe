create or replace function public.adjust_card_balance(
  p_card_id uuid, p_amount numeric, p_reason text, p_idempotency_key text default null)
returns table (tx_id uuid, tx_no text, amount numeric, replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_admin_id uuid := sec.require_admin();
  v_tx_id uuid := app.uuid_v7();
  v_known_tx_id uuid;
  v_card app.cards;
begin
  perform sec.check_idempotency_key(p_idempotency_key);
  if not rules.is_amount(abs(p_amount)) then
    perform rules.fail('INVALID_PRICE', jsonb_build_object('field', 'amount'));
  end if;
  if coalesce(btrim(p_reason), '') = '' or char_length(p_reason) > 200 then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'reason'));
  end if;
  v_known_tx_id := app.claim_idempotency_key(
    app.admin_scope(v_admin_id), p_idempotency_key,
    rules.request_fingerprint('adjust_card_balance', p_card_id::text, round(p_amount, 2)::text, p_reason), v_tx_id);
  if v_known_tx_id is not null then
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
    if v_card.balance + p_amount < 0 then
      perform rules.fail('INSUFFICIENT_BALANCE');
    end if;
    perform app.post_adjustment(p_card_id, p_amount, p_reason, v_tx_id);
    perform audit.log('admin', 'card.adjusted', 'card', v_card.card_no,
      jsonb_build_object('amount', p_amount::text, 'reason', p_reason));
  end if;
  return query
    select t.id, t.tx_no, e.delta::numeric,
      v_known_tx_id is not null and app.is_replay(app.admin_scope(v_admin_id), p_idempotency_key)
    from app.transactions t
    join app.ledger_entries e on e.tx_id = t.id and e.account = 'card'
    where t.id = coalesce(v_known_tx_id, v_tx_id);
end;
$$;
comment on function public.adjust_card_balance(uuid, numeric, text, text) is
  'Admin: credits (positive) or debits (negative) a card against the adjustments account. Errors: NOT_AUTHENTICATED, '
  'PERMISSION_DENIED, IDEMPOTENCY_KEY_INVALID, INVALID_PRICE, MALFORMED_ARGUMENT, IDEMPOTENCY_KEY_REUSED, CARD_NOT_FOUND, '
  'CARD_NOT_ACTIVE, INSUFFICIENT_BALANCE, BALANCE_OVER_LIMIT.';
revoke all on function public.adjust_card_balance(uuid, numeric, text, text) from public, anon, authenticated, service_role;
grant execute on function public.adjust_card_balance(uuid, numeric, text, text) to authenticated;
