-- What an operator must know of without reading everything: each function answers what is wrong, nothing when all is well.

create function app.logs_without_partition()
returns table (table_name text, month text)
language plpgsql stable
set search_path = ''
as $$
begin
  return query
    select p.table_name::text, to_char(m.month, 'YYYYMM')
    from app.partitioned_tables p
    cross join (
      select date_trunc('month', clock_timestamp() at time zone 'UTC') + make_interval(months => a.months)
      from generate_series(0, 1) as a (months)) as m (month)
    where not exists (
      select from pg_catalog.pg_inherits i
      where i.inhparent = p.table_name and i.inhrelid = to_regclass(format('%s_%s', p.table_name, to_char(m.month, 'YYYYMM'))))
    order by p.table_name::text, m.month;
end;
$$;
comment on function app.logs_without_partition() is 'Logs that lack the partition of this month or the next.';

create function app.logs_with_default_rows()
returns setof text
language plpgsql stable
set search_path = ''
as $$
declare
  v_log text;
  v_has_rows boolean;
begin
  for v_log in select p.table_name::text from app.partitioned_tables p order by 1 loop
    execute format('select exists (select from %s_default)', v_log) into v_has_rows;
    if v_has_rows then
      return next v_log;
    end if;
  end loop;
end;
$$;
comment on function app.logs_with_default_rows() is 'Logs with rows in their default partition, which no month''s partition was there for.';

create function sec.has_usable_master_key()
returns boolean
language plpgsql stable
set search_path = ''
as $$
begin
  return coalesce((select octet_length(sec.secret(k.secret_name)) = 32 from sec.master_keys k where k.is_current), false);
exception when sqlstate 'PT503' then
  return false;
end;
$$;
comment on function sec.has_usable_master_key() is 'Whether there is a current master key whose secret can be read.';

create function app.recurring_work()
returns table (work text, ok boolean, detail text)
language plpgsql stable
set search_path = ''
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
      -- Stands still, too, while one transaction stays open for hours.
      select 'sealed_until', s.final_at, null, interval '1 hour'
      from app.seal_state s
    ) as w (work, done_at, violations, age_max);
end;
$$;
comment on function app.recurring_work() is
  'When the cron RPCs last verified the books and the seals, and until when the logs could be sealed; ok: lately, and without violations.';
