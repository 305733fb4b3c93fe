create or replace function public.resolve_recharge_order(
  p_order_no text, p_provider_tx_id text, p_resolution text, p_note text default null)
returns table (order_no text, order_status text, payment_status text, amount numeric, tx_no text)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_admin_id uuid := sec.require_admin();
  v_order app.recharge_orders;
  v_card app.cards;
  v_payment app.recharge_payments;
  v_note text := nullif(btrim(p_note), '');
begin
  if p_resolution is null or p_resolution not in ('credit', 'refunded_outside') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'resolution'));
  end if;
  if char_length(v_note) > 500 or v_note ~ '[[:cntrl:]]' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'note'));
  end if;
  select o.* into v_order from app.recharge_orders o where o.order_no = p_order_no;
  -- Providers number for themselves: of two payments with one number, the one that waits is meant.
  select p.* into v_payment from app.recharge_payments p where p.order_id = v_order.id and p.provider_tx_id = p_provider_tx_id
  order by p.status = 'needs_review' desc, p.provider limit 1;
  if v_payment.provider is null then
    perform rules.fail('RECHARGE_ORDER_NOT_FOUND');
  end if;
  select c.* into strict v_card from app.cards c where c.id = v_order.card_id for no key update;
  select o.* into strict v_order from app.recharge_orders o where o.id = v_order.id for update;
  select p.* into strict v_payment from app.recharge_payments p
  where p.provider = v_payment.provider and p.provider_tx_id = v_payment.provider_tx_id;
  perform sec.hold_admin();
  if v_payment.status <> 'needs_review' then
    perform rules.fail('RECHARGE_ORDER_STATUS_CONFLICT', jsonb_build_object('status', v_payment.status));
  end if;
  if p_resolution = 'credit' then
    -- Other money than ours has no amount on a card.
    if v_payment.currency is distinct from v_order.currency then
      perform rules.fail('RECHARGE_ORDER_STATUS_CONFLICT', jsonb_build_object('status', 'wrong_currency'));
    end if;
    if v_card.status = 'closed' then
      perform rules.fail('CARD_NOT_ACTIVE');
    end if;
    v_payment.tx_id := app.credit_recharge(v_order, v_payment.provider, v_payment.amount, v_payment.provider_tx_id);
  end if;
  update app.recharge_payments p
  set status = case p_resolution when 'credit' then 'credited' else 'refunded_outside' end, tx_id = v_payment.tx_id,
      resolved_at = clock_timestamp(), resolved_by = v_admin_id, resolution_note = v_note
  where p.provider = v_payment.provider and p.provider_tx_id = v_payment.provider_tx_id;
  perform app.follow_recharge_payments(v_order.id);
  perform audit.log('admin', 'recharge.resolved', 'recharge_order', v_order.order_no, jsonb_build_object(
    'provider', v_payment.provider, 'provider_tx_id', v_payment.provider_tx_id, 'resolution', p_resolution,
    'reason', v_payment.review_reason, 'amount', v_payment.amount::text));
  return query
    select o.order_no, o.status, p.status, p.amount::numeric, t.tx_no
    from app.recharge_payments p
    join app.recharge_orders o on o.id = p.order_id
    left join app.transactions t on t.id = p.tx_id
    where p.provider = v_payment.provider and p.provider_tx_id = v_payment.provider_tx_id;
end;
$$;
comment on function public.resolve_recharge_order(text, text, text, text) is
  'Admin: ends the review of one payment of an order: credit puts what was paid onto the card, refunded_outside says that the provider '
  'gave it back; p_note, at most 500 characters, is kept with it. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT, '
  'RECHARGE_ORDER_NOT_FOUND, CARD_NOT_ACTIVE, BALANCE_OVER_LIMIT, RECHARGE_ORDER_STATUS_CONFLICT (already ended, or paid in another '
  'currency).';
revoke all on function public.resolve_recharge_order(text, text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.resolve_recharge_order(text, text, text, text) to authenticated;
