create or replace function public.create_recharge_order(
  p_card_id uuid, p_amount numeric, p_provider text, p_idempotency_key text default null)
returns table (
  order_no text, card_id uuid, amount numeric, currency text, provider text, status text, expires_at timestamptz, created_at timestamptz,
  replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_member app.member_profiles;
  v_card app.cards;
  v_role text;
  v_id uuid := app.uuid_v7();
  v_known_id uuid;
  v_now timestamptz;
begin
  perform sec.check_idempotency_key(p_idempotency_key);
  perform sec.check_recharge_amount(p_amount);
  perform sec.check_recharge_provider(p_provider);
  v_member := sec.own_member();
  if v_member.id is null then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  v_known_id := app.claim_idempotency_key(
    'member:' || v_member.id, p_idempotency_key,
    rules.request_fingerprint('create_recharge_order', p_card_id::text, round(p_amount, 2)::text, p_provider), v_id);
  if (sec.own_member()).id is distinct from v_member.id then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  if v_known_id is null then
    -- Whoever freezes the card, takes the role or suspends the member locks the card first: what is read after this lock holds. Whom the
    -- card does not know gets no lock.
    select c.* into v_card from app.cards c
    where c.id = p_card_id and app.card_role(c.id, v_member.id) is not null for no key update;
    v_role := app.card_role(p_card_id, v_member.id);
    if v_role is null then
      perform rules.fail('CARD_NOT_FOUND');
    end if;
    if v_role not in ('owner', 'admin') then
      perform rules.fail('PERMISSION_DENIED');
    end if;
    perform app.check_rechargeable(v_card, v_member.id);
    perform app.check_balance_max(v_card, p_amount);
    v_now := clock_timestamp();
    insert into app.recharge_orders (id, card_id, member_id, amount, currency, provider, expires_at, created_at)
    values (
      v_id, p_card_id, v_member.id, p_amount, app.setting('recharge_currency'), p_provider,
      v_now + make_interval(secs => rules.limit_int('recharge.order_lifetime_seconds')), v_now);
    perform audit.log('member', 'recharge.ordered', 'card', v_card.card_no,
      jsonb_build_object('amount', p_amount::text, 'provider', p_provider));
  end if;
  return query
    select o.order_no, o.card_id, o.amount::numeric, o.currency, o.provider, 'pending', o.expires_at, o.created_at,
      v_known_id is not null and app.is_replay('member:' || v_member.id, p_idempotency_key)
    from app.recharge_orders o where o.id = coalesce(v_known_id, v_id);
end;
$$;
comment on function public.create_recharge_order(uuid, numeric, text, text) is
  'A member who owns a card or is its admin orders a recharge of 1.00 to 50000.00 through wechat or alipay, to be paid within 15 '
  'minutes. Nothing is credited until the provider''s payment is verified. The same key and request: the same answer, whatever became '
  'of the order since (get_recharge_order tells). Errors: NOT_AUTHENTICATED, IDEMPOTENCY_KEY_INVALID, INVALID_RECHARGE_AMOUNT, '
  'MALFORMED_ARGUMENT, MEMBER_NOT_FOUND, IDEMPOTENCY_KEY_REUSED, CARD_NOT_FOUND, PERMISSION_DENIED, CARD_EXPIRED, CARD_NOT_ACTIVE, '
  'MEMBER_NOT_ACTIVE, UNSUPPORTED_CARD_TYPE_FOR_RECHARGE, BALANCE_OVER_LIMIT.';
revoke all on function public.create_recharge_order(uuid, numeric, text, text) from public, anon, authenticated, service_role;
grant execute on function public.create_recharge_order(uuid, numeric, text, text) to authenticated;
