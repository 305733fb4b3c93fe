create function sec.check_recharge_event(
  p_provider_event_id text, p_kind text, p_provider_tx_id text, p_amount numeric, p_facts jsonb)
returns void
language plpgsql immutable
as $$
declare
  v_field text := case
    when p_provider_event_id is null or char_length(p_provider_event_id) not between 1 and 200
      or p_provider_event_id ~ '[[:cntrl:]]' then 'provider_event_id'
    when p_kind is null or p_kind not in ('refunded', 'closed') then 'kind'
    when char_length(p_provider_tx_id) not between 1 and 128 or p_provider_tx_id ~ '[[:cntrl:]]' then 'provider_tx_id'
    when p_facts is null or jsonb_typeof(p_facts) <> 'object'
      or octet_length(p_facts::text) > rules.limit_int('tag.bytes_max') then 'facts'
  end;
begin
  if p_amount is not null and not rules.is_amount(p_amount) then
    perform rules.fail('INVALID_RECHARGE_AMOUNT');
  end if;
  if v_field is not null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', v_field));
  end if;
end;
$$;
comment on function sec.check_recharge_event(text, text, text, numeric, jsonb) is
  'An id of at most 200 characters, a known kind, an amount above zero where there is one, facts as an object of at most 4096 bytes.';

revoke execute on function sec.check_recharge_event(text, text, text, numeric, jsonb) from public, anon, authenticated, service_role;

create function public.report_recharge_event(
  p_order_no text, p_provider text, p_provider_event_id text, p_kind text, p_facts jsonb, p_provider_tx_id text default null,
  p_amount numeric default null)
returns table (order_no text, status text, replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_order app.recharge_orders;
  -- Supabase Lite passes an object as its text.
  v_facts jsonb := case when jsonb_typeof(p_facts) = 'string' then (p_facts #>> '{}')::jsonb else p_facts end;
begin
  perform sec.require_service();
  perform sec.check_recharge_provider(p_provider);
  perform sec.check_recharge_event(p_provider_event_id, p_kind, p_provider_tx_id, p_amount, v_facts);
  -- Whoever completes the order holds it: what is credited is known when its lock is there.
  select o.* into v_order from app.recharge_orders o where o.order_no = p_order_no for update;
  if v_order.id is null then
    perform rules.fail('RECHARGE_ORDER_NOT_FOUND');
  end if;
  -- An order that nobody paid is closed in the end: that contradicts nothing.
  if p_kind = 'closed' and p_amount is null
     and not exists (select from app.recharge_payments p where p.order_id = v_order.id)
  then
    return query select v_order.order_no, 'ignored'::text, false;
    return;
  end if;
  insert into app.recharge_events (id, order_id, provider, provider_event_id, provider_tx_id, kind, amount, facts, recorded_at)
  values (
    app.uuid_v7(), v_order.id, p_provider, p_provider_event_id, p_provider_tx_id, p_kind, p_amount, v_facts, clock_timestamp())
  on conflict on constraint recharge_events_event_taken do nothing;
  if not found then
    return query select v_order.order_no, 'needs_review'::text, true;
    return;
  end if;
  perform audit.log('service', 'recharge.contradicted', 'recharge_order', v_order.order_no, jsonb_build_object(
    'provider', p_provider, 'provider_tx_id', p_provider_tx_id, 'kind', p_kind, 'amount', p_amount::text));
  return query select v_order.order_no, 'needs_review'::text, false;
end;
$$;
comment on function public.report_recharge_event(text, text, text, text, jsonb, text, numeric) is
  'Service: what the provider''s verified notice says against a payment of an order: refunded (p_amount, in whole or in part) or closed. It is '
  'recorded once for each provider_event_id with the provider''s own p_facts, and waits for an admin; the card keeps its money until then. '
  'ignored: an order closed that nobody paid. The same event again: replayed = true. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, '
  'INVALID_RECHARGE_AMOUNT, MALFORMED_ARGUMENT, RECHARGE_ORDER_NOT_FOUND.';
revoke all on function public.report_recharge_event(text, text, text, text, jsonb, text, numeric)
  from public, anon, authenticated, service_role;
grant execute on function public.report_recharge_event(text, text, text, text, jsonb, text, numeric) to service_role;
