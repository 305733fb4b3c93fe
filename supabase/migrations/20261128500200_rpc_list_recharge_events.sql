create function public.list_recharge_events(
  p_with_resolved boolean default false, p_limit int default null, p_before_id uuid default null)
returns table (
  recharge_event_id uuid, order_no text, card_id uuid, provider text, provider_tx_id text, kind text, amount numeric, facts jsonb,
  recorded_at timestamptz, resolved_at timestamptz, resolution_note text)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_rows int;
begin
  perform sec.require_admin();
  v_rows := sec.page_rows(p_limit, 0);
  return query
    select
      e.id, o.order_no, o.card_id, e.provider, e.provider_tx_id, e.kind, e.amount::numeric, e.facts, e.recorded_at, e.resolved_at,
      e.resolution_note
    from app.recharge_events e
    join app.recharge_orders o on o.id = e.order_id
    where (p_with_resolved is true or e.resolved_at is null) and (p_before_id is null or e.id < p_before_id)
    order by e.id desc
    limit v_rows;
end;
$$;
comment on function public.list_recharge_events(boolean, int, uuid) is
  'Admin: what providers reported against payments of recharge orders, newest first: those that wait, with p_with_resolved all. The next page: '
  'p_before_id = the last row''s id. Pages of 1 to 200, default 50. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.list_recharge_events(boolean, int, uuid) from public, anon, authenticated, service_role;
grant execute on function public.list_recharge_events(boolean, int, uuid) to authenticated;
