-- Health tells of a clock in doubt, and no longer takes a time that is yet to come for a recent one.

create or replace function app.recurring_work()
returns table (work text, ok boolean, detail text)
language plpgsql stable
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  return query
    select w.work,
           coalesce(w.done_at > v_now - w.age_max and w.done_at < v_now + interval '5 minutes', false) and coalesce(w.violations, 0) = 0,
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

create or replace function public.system_health_check()
returns table ("check" text, ok boolean, detail text)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_default_rows text;
  v_missing text;
  v_admins bigint;
  v_clock text;
begin
  perform sec.require_admin_or_service();
  v_default_rows := (select string_agg(d, ', ') from app.logs_with_default_rows() d);
  v_missing := (select string_agg(format('%s of %s', w.month, w.table_name), ', ') from app.logs_without_partition() w);
  v_admins := (select count(*) from app.admin_users a join auth.users u on u.id = a.user_id);
  v_clock := app.clock_finding(clock_timestamp());
  return query values
    ('admin_users', v_admins > 0, format('%s', v_admins)),
    ('clock', v_clock is null, case v_clock
      when 'behind' then 'behind what was posted: nothing is settled, sealed or purged until it is right and acknowledged'
      when 'ahead' then 'more than a day ahead of the last job and posting: nothing is settled, sealed or purged until it is acknowledged'
      else 'goes on from the last job and posting' end),
    ('default_partitions_empty', v_default_rows is null, coalesce('rows in the default partition of ' || v_default_rows, 'all empty')),
    ('master_key', sec.has_usable_master_key(), coalesce(
      (select format('key %s is current', k.key_id) from sec.master_keys k where k.is_current), 'no current key: set-up draws one')),
    ('partitions_ahead', v_missing is null, coalesce('missing: ' || v_missing, 'this month and the next'))
    union all
    select w.work, w.ok, w.detail from app.recurring_work() w;
end;
$$;
comment on function public.system_health_check() is
  'Admin, service: one row for each check, cheap enough for every minute; detail is for an operator to read. The books are '
  'verify_ledger''s. A clock that is not ok is acknowledged with acknowledge_clock; rows in a default partition move by '
  'cron_ensure_partitions. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.system_health_check() from public, anon, authenticated, service_role;
grant execute on function public.system_health_check() to authenticated, service_role;
