-- When an order's provider is to be asked whether it was paid: its notice may never have come.

create function app.next_recharge_query_at(p_expires_at timestamptz, p_now timestamptz)
returns timestamptz
language sql stable
as $$
  select min(p_expires_at + t.after_expiry)
  from (values (interval '-3 minutes'), (interval '1 minute'), (interval '10 minutes'), (interval '6 hours')) as t (after_expiry)
  where p_expires_at + t.after_expiry > p_now
$$;
comment on function app.next_recharge_query_at(timestamptz, timestamptz) is
  'The next time to ask an order''s provider: three minutes before the order expires, one and ten minutes and six hours after it; NULL when all '
  'are past. A query that failed waits for the next of them.';
revoke execute on function app.next_recharge_query_at(timestamptz, timestamptz) from public, anon, authenticated, service_role;

alter table app.recharge_orders add column query_at timestamptz;
comment on column app.recharge_orders.query_at is 'When its provider is to be asked whether it was paid; NULL when it has been asked often enough.';
update app.recharge_orders o set query_at = app.next_recharge_query_at(o.expires_at, now()) where o.status in ('pending', 'expired');
alter table app.recharge_orders alter column query_at set default app.next_recharge_query_at(
  clock_timestamp() + make_interval(secs => rules.limit_int('recharge.order_lifetime_seconds')), clock_timestamp());
create index recharge_orders_to_query on app.recharge_orders (query_at) where status in ('pending', 'expired') and query_at is not null;
