create function public.take_recharge_orders_to_query(p_limit int default null)
returns table (
  order_no text, provider text, amount numeric, currency text, status text, expires_at timestamptz, created_at timestamptz)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_rows int;
  v_now timestamptz := clock_timestamp();
  v_taken int;
begin
  perform sec.require_service();
  v_rows := sec.page_rows(p_limit, null);
  -- Whoever is completing an order holds its row: it needs no question.
  return query
    with due as (
      select o.id from app.recharge_orders o
      where o.query_at <= v_now and o.status in ('pending', 'expired')
      order by o.query_at
      limit v_rows
      for update skip locked),
    taken as (
      update app.recharge_orders o set query_at = app.next_recharge_query_at(o.expires_at, v_now)
      from due where o.id = due.id
      returning o.order_no, o.provider, o.amount, o.currency, o.status, o.expires_at, o.created_at)
    select t.order_no, t.provider, t.amount::numeric, t.currency, t.status, t.expires_at, t.created_at
    from taken t order by t.expires_at, t.order_no;
  get diagnostics v_taken = row_count;
  if v_taken > 0 then
    perform audit.log('service', 'recharge.queried', 'recharge_order', null, jsonb_build_object('orders', v_taken));
  end if;
end;
$$;
comment on function public.take_recharge_orders_to_query(int) is
  'Service: hands out the orders whose provider is to be asked now whether they were paid, 50 a call and at most 200: each three minutes before '
  'it expires, and one minute, ten minutes and six hours after it, until a payment is reported. Each is handed out once a time, to one caller: '
  'what its query answers goes to complete_recharge_order when it was paid, and nowhere when it was not. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.take_recharge_orders_to_query(int) from public, anon, authenticated, service_role;
grant execute on function public.take_recharge_orders_to_query(int) to service_role;

-- The newest migration of this landing.
create or replace function sec.schema_version()
returns text
language sql immutable
set search_path = ''
as $$ select '20261123110100' $$;
