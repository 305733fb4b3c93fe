create function public.resolve_recharge_event(p_recharge_event_id uuid, p_note text)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_admin_id uuid := sec.require_admin();
  v_event app.recharge_events;
  v_note text := nullif(btrim(p_note), '');
begin
  if v_note is null or char_length(v_note) > 500 or v_note ~ '[[:cntrl:]]' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'note'));
  end if;
  select e.* into v_event from app.recharge_events e where e.id = p_recharge_event_id for update;
  if v_event.id is null then
    perform rules.fail('RECHARGE_ORDER_NOT_FOUND');
  end if;
  if v_event.resolved_at is not null then
    return false;
  end if;
  update app.recharge_events e
  set resolved_at = clock_timestamp(), resolved_by = v_admin_id, resolution_note = v_note
  where e.id = v_event.id;
  perform audit.log('admin', 'recharge.contradiction_resolved', 'recharge_order', (
    select o.order_no from app.recharge_orders o where o.id = v_event.order_id),
    jsonb_build_object('recharge_event_id', v_event.id, 'kind', v_event.kind, 'amount', v_event.amount::text));
  return true;
end;
$$;
comment on function public.resolve_recharge_event(uuid, text) is
  'Admin: ends the review of what a provider reported against a payment; p_note, 1 to 500 characters, says what was done (the card is set right by '
  'adjust_card_balance). false: it had ended already. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT, '
  'RECHARGE_ORDER_NOT_FOUND (no such event).';
revoke all on function public.resolve_recharge_event(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.resolve_recharge_event(uuid, text) to authenticated;
