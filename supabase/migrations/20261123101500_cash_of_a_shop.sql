-- What a shop takes in cash it owes until it is settled, so a bound on its day bounds what a dishonest one can put onto cards.

insert into app.settings (key, value, kind, comment, min_value, max_value) values
  ('cash_recharge_merchant_day_max', '200000.00', 'amount', 'Most cash that one merchant takes for recharges a day, whoever of it', 0, 100000000);

create table app.merchant_cash_days (
  merchant_id uuid not null references app.merchants (id),
  day date not null,
  total numeric(14, 2) not null constraint merchant_cash_days_total_no_number check (total > 0 and total <> 'NaN'),
  primary key (merchant_id, day)
);
comment on table app.merchant_cash_days is 'Cash that a merchant took for recharges on a day of its time zone.';
alter table app.merchant_cash_days enable row level security;

create function app.count_merchant_cash(p_merchant app.merchants, p_amount numeric, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_max text := app.setting('cash_recharge_merchant_day_max');
  v_total numeric;
begin
  -- The row's lock makes the day exact; a refusal rolls the count back.
  insert into app.merchant_cash_days as d (merchant_id, day, total)
  values (p_merchant.id, (p_now at time zone p_merchant.time_zone)::date, p_amount)
  on conflict (merchant_id, day) do update set total = d.total + excluded.total
  returning d.total into v_total;
  if v_total > v_max::numeric then
    perform rules.fail('MERCHANT_DAILY_LIMIT_EXCEEDED', jsonb_build_object('limit', v_max));
  end if;
end;
$$;
comment on function app.count_merchant_cash(app.merchants, numeric, timestamptz) is
  'Adds to a merchant''s cash of the day in its time zone, up to the cap of the house.';

create or replace function app.lock_shop_for_cash(p_merchant app.merchants, p_user_id uuid, p_amount numeric)
returns timestamptz
language plpgsql
as $$
declare
  v_now timestamptz := app.lock_active_merchant_for_posting(p_merchant.id);
  v_role text := sec.merchant_role(p_merchant.id);
begin
  -- Read again after the locks: who was dismissed while he waited takes no cash.
  if v_role is null then
    perform rules.fail('NOT_MERCHANT_USER');
  end if;
  if v_role = 'cashier' then
    perform app.count_cashier_cash(p_merchant, p_user_id, p_amount, v_now);
  end if;
  perform app.count_merchant_cash(p_merchant, p_amount, v_now);
  return v_now;
end;
$$;
comment on function app.lock_shop_for_cash(app.merchants, uuid, numeric) is
  'Lets a merchant''s user take cash, and counts a cashier''s and the merchant''s; answers the moment to post at.';
