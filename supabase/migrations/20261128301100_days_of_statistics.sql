-- Statistics and the wait for a locked card go by the same days as everything else.

create or replace function public.get_today_transaction_stats(p_merchant_id uuid)
returns table (
  day date, time_zone text, payment_count bigint, gross_amount numeric, refund_count bigint, refund_amount numeric, net_amount numeric,
  recharge_count bigint, recharge_amount numeric, points_earned bigint, points_taken bigint)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_merchant app.merchants := sec.visible_merchant(p_merchant_id);
  v_day date := rules.local_day(clock_timestamp(), v_merchant.time_zone);
begin
  return query
    select
      v_day, v_merchant.time_zone, t.payment_count, t.gross_amount, t.refund_count, t.refund_amount, t.net_amount,
      t.recharge_count, t.recharge_amount, t.points_earned, t.points_taken
    from app.transaction_totals(
      v_merchant.id, rules.local_day_start(v_day, v_merchant.time_zone), rules.local_day_start(v_day + 1, v_merchant.time_zone), 'day',
      v_merchant.time_zone) t
    where t.bucket_start = v_day;
end;
$$;
revoke all on function public.get_today_transaction_stats(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_today_transaction_stats(uuid) to authenticated;

create or replace function app.check_trend(p_start timestamptz, p_end timestamptz, p_group_by text)
returns void
language plpgsql immutable
as $$
begin
  -- Within what calendars can be reckoned with; infinite ones are not.
  if p_start is null or p_start not between '0001-01-01 00:00:00+00' and '9000-01-01 00:00:00+00' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'start_date'));
  end if;
  if p_end is null or p_end not between '0001-01-01 00:00:00+00' and '9000-01-01 00:00:00+00' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'end_date'));
  end if;
  if p_group_by is null or p_group_by not in ('day', 'week', 'month') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'group_by'));
  end if;
  if p_start >= p_end or p_end at time zone 'UTC' > p_start at time zone 'UTC' + ('400 ' || p_group_by)::interval then
    perform rules.fail('INVALID_PERIOD', jsonb_build_object('field', 'end_date'));
  end if;
end;
$$;

create or replace function public.get_system_statistics()
returns table (topic text, kind text, status text, count bigint, amount numeric)
language plpgsql stable security definer
set search_path = ''
set jit = off
as $$
declare
  v_user_id uuid := sec.require_user();
  v_day_start timestamptz := rules.local_day_start(app.card_day(clock_timestamp()), app.setting('time_zone'));
begin
  if not sec.is_admin() then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  return query
    select s.topic, s.kind, s.status, s.count, s.amount
    from (
      select 'members' as topic, null::text as kind, m.status, count(*) as count, null::numeric as amount
      from app.member_profiles m group by m.status
      union all
      select 'merchants', null, m.status, count(*), null from app.merchants m group by m.status
      union all
      select 'cards', c.card_type, c.status, count(*), sum(c.balance) from app.cards c group by c.card_type, c.status
      union all
      select 'accounts', e.account, null, count(*), sum(e.delta) from app.ledger_entries e group by e.account
      union all
      select 'today', t.tx_type, null, count(*), sum(t.final_amount)
      from app.transactions t
      where t.id >= app.first_tx_id(v_day_start) and t.created_at >= v_day_start
      group by t.tx_type
    ) s
    order by s.topic, s.kind, s.status;
end;
$$;
revoke all on function public.get_system_statistics() from public, anon, authenticated, service_role;
grant execute on function public.get_system_statistics() to authenticated;

create or replace function app.count_binding_try(p_card_id uuid)
returns void
language plpgsql
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_today date := app.card_day(v_now);
  v_tries regclass := to_regclass(app.binding_tries_of(p_card_id));
  -- The day is a part of the number: a guess of another day begins anew.
  v_before bigint := (v_today - date '2000-01-01') * 1000000000::bigint;
  v_try bigint := nextval(v_tries);
begin
  if v_try <= v_before or v_try > v_before + 999999999 then
    v_try := setval(v_tries, v_before + 1);
  end if;
  if v_try > v_before + 200 then
    perform rules.fail('BINDING_LOCKED', jsonb_build_object('retry_after_seconds',
      ceil(extract(epoch from rules.local_day_start(v_today + 1, app.setting('time_zone')) - v_now))::int));
  end if;
end;
$$;
