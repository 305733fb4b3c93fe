-- A merchant who could not be settled is an alarm, not only a line in the database's log.

alter table app.check_runs drop constraint check_runs_what_known;
alter table app.check_runs add constraint check_runs_what_known
check (what in ('verify_ledger', 'verify_seals', 'generate_settlements'));

create or replace function app.settle_next_period(p_merchant app.merchants) returns boolean
language plpgsql
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
  if sqlstate not in ('40001', '40P01', '55P03') then
    update app.check_runs r set violations = r.violations + 1 where r.what = 'generate_settlements';
  end if;
  raise warning 'merchant % was not settled: % %', p_merchant.code, sqlstate, sqlerrm;
  return false;
end;
$$;

create or replace function public.cron_generate_settlements() returns integer
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
  insert into app.check_runs (what, ran_at, violations) values ('generate_settlements', clock_timestamp(), 0)
  on conflict (what) do update set ran_at = excluded.ran_at, violations = 0;
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

create or replace function app.recurring_work() returns table (work text, ok boolean, detail text)
language plpgsql stable
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  return query
    select w.work, coalesce(w.done_at > v_now - w.age_max, false) and coalesce(w.violations, 0) = 0,
           case when w.done_at is null then 'never' else
             format('%s UTC', to_char(w.done_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'))
             || coalesce(', ' || w.violations || ' violations', '') end
    from (
      select 'ledger_verified', r.ran_at, r.violations, interval '36 hours'
      from (select) one left join app.check_runs r on r.what = 'verify_ledger'
      union all
      select 'seals_verified', r.ran_at, r.violations, interval '1 hour'
      from (select) one left join app.check_runs r on r.what = 'verify_seals'
      union all
      -- Its violations are merchants that could not be settled.
      select 'settlements_generated', r.ran_at, r.violations, interval '3 hours'
      from (select) one left join app.check_runs r on r.what = 'generate_settlements'
      union all
      -- Stands still, too, while one transaction stays open for hours.
      select 'sealed_until', s.final_at, null, interval '1 hour'
      from app.seal_state s
    ) as w (work, done_at, violations, age_max);
end;
$$;

revoke all on function public.cron_generate_settlements() from public, anon, authenticated, service_role;
grant execute on function public.cron_generate_settlements() to service_role;

-- The newest migration of this landing.
create or replace function sec.schema_version()
returns text
language sql immutable
set search_path = ''
as $$ select '20261123110900' $$;
