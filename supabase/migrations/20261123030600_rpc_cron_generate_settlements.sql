create function app.settlement_unit_start(p_merchant app.merchants, p_at timestamptz, p_units_later int)
returns timestamptz
language sql stable
as $$
  select case p_merchant.settlement_mode
    when 'realtime' then date_trunc('minute', p_at) + make_interval(mins => p_units_later)
    when 't_plus_1' then
      (date_trunc('day', p_at at time zone p_merchant.time_zone) + make_interval(days => p_units_later)) at time zone p_merchant.time_zone
    when 'monthly' then
      (date_trunc('month', p_at at time zone p_merchant.time_zone) + make_interval(months => p_units_later))
        at time zone p_merchant.time_zone
  end
$$;
comment on function app.settlement_unit_start(app.merchants, timestamptz, int) is
  'When the minute, day or month of a moment began for a merchant, by its settlement mode and time zone, or one so many units later.';

create function app.next_settlement_period(p_merchant app.merchants, p_now timestamptz)
returns tstzrange
language plpgsql stable
set search_path = ''
as $$
declare
  v_settled_end timestamptz := coalesce((select max(s.period_end) from app.settlements s where s.merchant_id = p_merchant.id), '-infinity');
  v_over timestamptz := app.settlement_unit_start(p_merchant, p_now, 0);
  v_first timestamptz;
  v_end timestamptz;
begin
  if v_settled_end >= v_over then
    return null;
  end if;
  -- The first by id; by created_at another of its time may come before it, since ids are drawn earlier.
  select t.created_at into v_first from app.unsettled_transactions(p_merchant.id, v_over) t order by t.id limit 1;
  if v_first is null then
    return null;
  end if;
  v_first := least(v_first, (select min(t.created_at) from app.unsettled_transactions(p_merchant.id, v_first) t));
  v_first := greatest(v_first, v_settled_end);
  v_end := case when p_merchant.settlement_mode = 'realtime' then v_over else app.settlement_unit_start(p_merchant, v_first, 1) end;
  -- Where clocks are set back over midnight, the hour before it counts as the new day's, which is not over yet.
  return case when v_end <= v_over then
    tstzrange(greatest(app.settlement_unit_start(p_merchant, v_first, 0), v_settled_end), v_end) end;
end;
$$;
comment on function app.next_settlement_period(app.merchants, timestamptz) is
  'The first finished period with something to settle, by the merchant''s mode and time zone, or NULL: a day, a month, or in realtime what '
  'there is up to the last whole minute. It begins where the last settlement ended when that is later, as after a change of mode.';

create function app.settle_next_period(p_merchant app.merchants)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_period tstzrange := app.next_settlement_period(p_merchant, clock_timestamp());
begin
  if v_period is null then
    return false;
  end if;
  perform app.make_settlement(p_merchant.id, p_merchant.settlement_mode, lower(v_period), upper(v_period), 'service');
  return true;
exception when others then
  -- Its own trouble: the other merchants are settled all the same, and this one is tried again by the next call.
  raise warning 'merchant % was not settled: % %', p_merchant.code, sqlstate, sqlerrm;
  return false;
end;
$$;
comment on function app.settle_next_period(app.merchants) is
  'Settles a merchant''s next finished period; false when there is none or it failed.';

create function public.cron_generate_settlements()
returns int
language plpgsql security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
declare
  v_stop_at timestamptz := clock_timestamp() + interval '2 seconds';
  v_made_max constant int := 100;
  v_made int := 0;
  v_merchant app.merchants;
begin
  perform sec.require_service();
  -- One at a time: two that hold each other's merchants would wait for each other.
  if not pg_try_advisory_xact_lock(hashtextextended('mps/cron_generate_settlements', 0)) then
    return 0;
  end if;
  -- In no fixed order, so that merchants that fail or are busy do not keep those after them from their turn.
  for v_merchant in select m.* from app.merchants m order by random() loop
    while v_made < v_made_max and clock_timestamp() < v_stop_at and app.settle_next_period(v_merchant) loop
      v_made := v_made + 1;
    end loop;
    exit when v_made >= v_made_max or clock_timestamp() >= v_stop_at;
  end loop;
  return v_made;
end;
$$;
comment on function public.cron_generate_settlements() is
  'Service: settles finished periods, each merchant''s by its own mode and time zone, oldest first; answers how many. It stops after 100 '
  'settlements or about two seconds, since its merchants wait with their charges until it commits; call it again until it answers 0. '
  'A merchant that fails is left out with a warning in the server''s log. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_generate_settlements() from public, anon, authenticated, service_role;
grant execute on function public.cron_generate_settlements() to service_role;
