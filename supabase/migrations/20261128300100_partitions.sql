-- Months of the logs, made and filled while clients call.
--
-- A client that waits for a job, which waits for that client, is a deadlock, and PostgreSQL may end either. So a job asks for one strong
-- lock only, before it holds anything that a client could wait for: attaching takes the default partition's, moving takes the log's, which
-- everybody takes before its partitions. Whoever waits for a strong lock also keeps back all who come after, so the wait is a tenth of a
-- second, shorter than any deadlock_timeout in use, and it does not begin while somebody holds the table for long: the work is left
-- for a later run. What does not come about costs nothing: rows lie in the default partition meanwhile, and move.

create function app.try_job(p_name text)
returns boolean
language sql volatile
as $$ select pg_try_advisory_xact_lock(hashtextextended('mps/' || p_name, 0)) $$;
comment on function app.try_job(text) is
  'Whether this transaction may do the job: no other one does it now. A job asks first of all, and answers 0 when it may not.';

create function app.holders_of(p_table text)
returns text[]
language sql volatile
as $$
  select coalesce(array_agg(l.virtualtransaction), '{}')
  from pg_catalog.pg_locks l
  where l.locktype = 'relation' and l.granted and l.pid is distinct from pg_backend_pid()
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
    and l.relation = p_table::regclass
$$;
comment on function app.holders_of(text) is 'The transactions of others that hold any lock on a table.';

create function app.is_held_for_long(p_table text)
returns boolean
language plpgsql volatile
as $$
declare
  v_holders text[] := app.holders_of(p_table);
begin
  if v_holders = '{}' then
    return false;
  end if;
  perform pg_sleep(0.05);
  return v_holders && app.holders_of(p_table);
end;
$$;
comment on function app.is_held_for_long(text) is
  'Whether somebody holds a lock on the table for longer than calls do: waiting behind them would keep everybody else waiting too.';

create function app.next_month(p_month timestamptz)
returns timestamptz
language sql immutable
as $$ select ((p_month at time zone 'UTC') + interval '1 month') at time zone 'UTC' $$;
comment on function app.next_month(timestamptz) is 'The first moment of the month after, in UTC, by which the logs are divided.';

create function app.month_table(p_log regclass, p_month timestamptz)
returns text
language sql stable
as $$ select format('%s_%s', p_log, to_char(p_month at time zone 'UTC', 'YYYYMM')) $$;
comment on function app.month_table(regclass, timestamptz) is 'The name of the table that holds a log''s month.';

create function app.default_table(p_log regclass)
returns text
language sql stable
as $$ select format('%s_default', p_log) $$;
comment on function app.default_table(regclass) is 'The name of a log''s default partition.';

create function app.partition_key(p_log regclass)
returns name
language sql stable
as $$
  select a.attname
  from pg_catalog.pg_partitioned_table p
  join pg_catalog.pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
  where p.partrelid = p_log
$$;
comment on function app.partition_key(regclass) is 'The column by which a log is divided into months.';

create function app.is_partition(p_log regclass, p_table text)
returns boolean
language sql stable
as $$ select exists (select from pg_catalog.pg_inherits i where i.inhparent = p_log and i.inhrelid = to_regclass(p_table)) $$;
comment on function app.is_partition(regclass, text) is 'Whether a table is there and attached to the log.';

create function app.ensure_month_table(p_log regclass, p_month timestamptz)
returns text
language plpgsql
as $$
declare
  v_table text := app.month_table(p_log, p_month);
begin
  if to_regclass(v_table) is null then
    -- With its indexes and a proof of its bounds, so that attaching builds nothing and reads nothing.
    execute format('create table %s (like %s including defaults including constraints including indexes including storage)', v_table, p_log);
    execute format('alter table %s enable row level security', v_table);
    execute format('revoke all on %s from public, anon, authenticated, service_role', v_table);
    execute format(
      'alter table %1$s add constraint rows_are_of_the_month check (%2$I >= %3$L and %2$I < %4$L)', v_table, app.partition_key(p_log),
      app.uuid_v7_floor(p_month), app.uuid_v7_floor(app.next_month(p_month)));
  end if;
  return v_table;
end;
$$;
comment on function app.ensure_month_table(regclass, timestamptz) is
  'Makes the table of a log''s month, not yet attached, if it is not there; its name. Nobody waits for that.';

create or replace function app.ensure_partition(p_table regclass, p_month timestamptz, p_is_append_only boolean)
returns boolean
language plpgsql
set lock_timeout = '100ms'
as $$
declare
  v_partition text := app.month_table(p_table, p_month);
begin
  if app.is_partition(p_table, v_partition) then
    return false;
  end if;
  perform app.ensure_month_table(p_table, p_month);
  execute format(
    'alter table %s attach partition %s for values from (%L) to (%L)', p_table, v_partition, app.uuid_v7_floor(p_month),
    app.uuid_v7_floor(app.next_month(p_month)));
  execute format('alter table %s drop constraint rows_are_of_the_month', v_partition);
  if p_is_append_only then
    perform sec.hold_against_truncate(v_partition::regclass);
  end if;
  return true;
end;
$$;
comment on function app.ensure_partition(regclass, timestamptz, boolean) is
  'Attaches one month''s partition of one log, if it is not there; whether it did. Its one strong lock is the default partition''s. '
  'check_violation: that has rows of the month. lock_not_available: somebody holds it.';

create or replace function app.ensure_partitions(p_months_ahead int)
returns int
language plpgsql
as $$
declare
  v_log record;
  v_first timestamp := date_trunc('month', now() at time zone 'UTC');
  v_made int := 0;
begin
  for v_log in
    select p.table_name, p.is_append_only, (v_first + make_interval(months => a.months)) at time zone 'UTC' as month
    from app.partitioned_tables p
    cross join generate_series(0, p_months_ahead) as a (months)
    order by p.table_name::text, a.months
  loop
    begin
      v_made := v_made + app.ensure_partition(v_log.table_name, v_log.month, v_log.is_append_only)::int;
    exception when check_violation or lock_not_available then
      raise warning 'no partition of % for %: cron_ensure_partitions makes it', v_log.table_name, v_log.month;
    end;
  end loop;
  return v_made;
end;
$$;
comment on function app.ensure_partitions(int) is
  'For migrations: the month''s partition of every log and those of the months ahead, all in one transaction; answers how many it made.';

create function app.has_default_rows(p_log regclass)
returns boolean
language plpgsql stable
as $$
declare
  v_has_rows boolean;
begin
  execute format('select exists (select from %s)', app.default_table(p_log)) into v_has_rows;
  return v_has_rows;
end;
$$;
comment on function app.has_default_rows(regclass) is 'Whether a log has rows that no month''s partition was there for.';

create function app.default_months(p_log regclass)
returns setof timestamptz
language plpgsql volatile
as $$
declare
  v_key name := app.partition_key(p_log);
  v_from uuid := uuid '00000000-0000-0000-0000-000000000000';
  v_first uuid;
  v_month timestamptz;
begin
  loop
    execute format('select %1$I from %2$s where %1$I >= $1 order by %1$I limit 1', v_key, app.default_table(p_log)) into v_first using v_from;
    exit when v_first is null;
    v_month := date_trunc('month', app.uuid_v7_time(v_first), 'UTC');
    return next v_month;
    v_from := app.uuid_v7_floor(app.next_month(v_month));
  end loop;
end;
$$;
comment on function app.default_months(regclass) is 'The months of the rows in a log''s default partition; one look-up for each.';

create function app.copy_default_month(p_log regclass, p_month timestamptz, p_id_to uuid, p_rows_max int)
returns int
language plpgsql
as $$
declare
  v_key name := app.partition_key(p_log);
  v_from text := app.default_table(p_log);
  v_table text := app.ensure_month_table(p_log, p_month);
  v_id_to uuid := least(p_id_to, app.uuid_v7_floor(app.next_month(p_month)));
  v_last uuid;
  v_stop uuid;
  v_copied int;
begin
  execute format('select %1$I from %2$s order by %1$I desc limit 1', v_key, v_table) into v_last;
  v_last := coalesce(v_last, app.uuid_v7_floor(p_month));
  -- Between two ids, never between two rows of one: the next copy goes on after the last id.
  execute format('select %1$I from %2$s where %1$I > $1 and %1$I < $2 order by %1$I offset $3 limit 1', v_key, v_from)
    into v_stop using v_last, v_id_to, p_rows_max;
  execute format('insert into %2$s select d.* from %3$s d where d.%1$I > $1 and d.%1$I < $2', v_key, v_table, v_from)
    using v_last, coalesce(v_stop, v_id_to);
  get diagnostics v_copied = row_count;
  return v_copied;
end;
$$;
comment on function app.copy_default_month(regclass, timestamptz, uuid, int) is
  'Copies the next rows of a month below an id from the default partition into the month''s own table, which is not attached yet; how many.';

create function app.copy_default_rows(p_log regclass, p_rows_max int)
returns int
language plpgsql
as $$
declare
  -- Younger ones may still be followed by older ones, of calls in flight: those are copied when nobody else can write.
  v_id_to uuid := app.uuid_v7_floor(clock_timestamp() - interval '1 minute');
  v_copied int := 0;
  v_month timestamptz;
begin
  for v_month in select m from app.default_months(p_log) m loop
    v_copied := v_copied + app.copy_default_month(p_log, v_month, v_id_to, p_rows_max - v_copied);
    exit when v_copied >= p_rows_max;
  end loop;
  return v_copied;
end;
$$;
comment on function app.copy_default_rows(regclass, int) is
  'Copies the next rows of the default partition to their months'' tables. Nobody waits for that, and nobody sees the copies yet.';

create function app.complete_month(p_log regclass, p_month timestamptz)
returns void
language plpgsql
as $$
declare
  v_table text := app.month_table(p_log, p_month);
  v_id_from uuid := app.uuid_v7_floor(p_month);
  v_id_to uuid := app.uuid_v7_floor(app.next_month(p_month));
  v_is_complete text := format(
    'select (select count(*) from %3$s) = (select count(*) from %2$s d where d.%1$I >= $1 and d.%1$I < $2)',
    app.partition_key(p_log), app.default_table(p_log), v_table);
  v_ok boolean;
begin
  perform app.copy_default_month(p_log, p_month, v_id_to, 2147483647);
  execute v_is_complete into v_ok using v_id_from, v_id_to;
  if v_ok then
    return;
  end if;
  -- A call stayed open for longer than a minute and then wrote ids that were drawn before it.
  execute format('insert into %3$s select d.* from %2$s d where d.%1$I >= $1 and d.%1$I < $2 on conflict do nothing',
    app.partition_key(p_log), app.default_table(p_log), v_table) using v_id_from, v_id_to;
  execute v_is_complete into strict v_ok using v_id_from, v_id_to;
  if not v_ok then
    raise exception '% is not the default partition''s month', v_table using errcode = 'data_exception';
  end if;
end;
$$;
comment on function app.complete_month(regclass, timestamptz) is
  'Copies what a month''s table still lacks. For whoever holds the log against writers.';

create function app.move_default_rows(p_log regclass, p_is_append_only boolean)
returns int
language plpgsql
set lock_timeout = '100ms'
as $$
declare
  v_default text := app.default_table(p_log);
  v_months timestamptz[];
  v_month timestamptz;
begin
  -- Whoever reads or writes a partition has locked the log before: behind this nobody holds the default partition.
  execute format('lock table only %s in access exclusive mode', p_log);
  execute format('lock table only %s in access exclusive mode nowait', v_default);
  v_months := array(select m from app.default_months(p_log) m);
  foreach v_month in array v_months loop
    perform app.complete_month(p_log, v_month);
  end loop;
  execute format('alter table %s detach partition %s', p_log, v_default);
  execute format('drop table %s', v_default);
  foreach v_month in array v_months loop
    perform app.ensure_partition(p_log, v_month, p_is_append_only);
  end loop;
  perform app.make_default_partition(p_log, p_is_append_only);
  return cardinality(v_months);
end;
$$;
comment on function app.move_default_rows(regclass, boolean) is
  'Moves the rows of a log''s default partition to partitions of their months, unchanged; answers how many months. What was copied before is '
  'not copied again, so that calls wait for what came in since. lock_not_available: somebody holds the log.';

create function app.make_default_partition(p_log regclass, p_is_append_only boolean)
returns void
language plpgsql
as $$
declare
  v_default text := app.default_table(p_log);
begin
  execute format('create table %s partition of %s default', v_default, p_log);
  execute format('alter table %s enable row level security', v_default);
  execute format('revoke all on %s from public, anon, authenticated, service_role', v_default);
  if p_is_append_only then
    perform sec.hold_against_truncate(v_default::regclass);
  end if;
end;
$$;
comment on function app.make_default_partition(regclass, boolean) is 'Gives a log a default partition, empty.';

create or replace function app.partition_by_month(p_table regclass, p_is_append_only boolean)
returns void
language plpgsql
as $$
begin
  insert into app.partitioned_tables (table_name, is_append_only) values (p_table, p_is_append_only);
  perform app.make_default_partition(p_table, p_is_append_only);
  if p_is_append_only then
    perform sec.hold_append_only(p_table);
  end if;
end;
$$;

create function app.missing_month(p_log regclass, p_months_ahead int)
returns timestamptz
language sql stable
as $$
  select m.month
  from generate_series(0, p_months_ahead) as a (months)
  cross join lateral (
    select (date_trunc('month', now() at time zone 'UTC') + make_interval(months => a.months)) at time zone 'UTC' as month) m
  where not app.is_partition(p_log, app.month_table(p_log, m.month))
  order by m.month limit 1
$$;
comment on function app.missing_month(regclass, int) is 'The first month, from this one to so many ahead, that a log has no partition for.';

create function app.partition_step(p_log regclass, p_is_append_only boolean, p_months_ahead int, p_rows_max int)
returns jsonb
language plpgsql
as $$
declare
  v_month timestamptz := app.missing_month(p_log, p_months_ahead);
  v_count int;
begin
  if app.has_default_rows(p_log) then
    v_count := app.copy_default_rows(p_log, p_rows_max);
    if v_count > 0 then
      return jsonb_build_object('log', p_log::text, 'rows_copied', v_count);
    end if;
    if app.is_held_for_long(p_log::text) then
      return null;
    end if;
    return jsonb_build_object('log', p_log::text, 'months_moved', app.move_default_rows(p_log, p_is_append_only));
  end if;
  if v_month is null or app.is_held_for_long(app.default_table(p_log)) then
    return null;
  end if;
  perform app.ensure_partition(p_log, v_month, p_is_append_only);
  return jsonb_build_object('log', p_log::text, 'month', to_char(v_month at time zone 'UTC', 'YYYYMM'));
exception when lock_not_available or deadlock_detected or check_violation then
  -- Busy, or a row came into the default partition just now: this log waits for a later run, the others do not wait for it.
  raise warning 'no step for the months of %: % %', p_log, sqlstate, sqlerrm;
  return null;
end;
$$;
comment on function app.partition_step(regclass, boolean, int, int) is
  'One short step for one log: attaches a month that it lacks or, while its default partition has rows, copies some and then moves them. '
  'What it did, NULL when there is nothing to do or somebody holds the log.';
