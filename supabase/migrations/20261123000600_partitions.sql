-- Big logs are partitioned by month on their UUIDv7 key, so that the primary key alone is unique everywhere.

create function app.uuid_v7(p_at timestamptz default clock_timestamp())
returns uuid
language sql volatile parallel safe
as $$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        placing substr(int8send(floor(extract(epoch from p_at) * 1000)::bigint), 3) from 1 for 6),
      52, 1), 53, 1),
    'hex')::uuid
$$;
comment on function app.uuid_v7(timestamptz) is 'A time-ordered UUID of RFC 9562, version 7, of the given moment.';

create function app.uuid_v7_floor(p_at timestamptz)
returns uuid
language sql immutable parallel safe
as $$
  select encode(substr(int8send(floor(extract(epoch from p_at) * 1000)::bigint), 3) || '\x00000000000000000000'::bytea, 'hex')::uuid
$$;
comment on function app.uuid_v7_floor(timestamptz) is 'The smallest uuid of a moment: a bound for partitions and ranges.';

create table app.partitioned_tables (
  table_name regclass primary key,
  is_append_only boolean not null
);
comment on table app.partitioned_tables is 'The logs whose monthly partitions app.ensure_partitions makes ahead.';
alter table app.partitioned_tables enable row level security;

create function sec.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception '% of % is refused: rows of this table are written once', tg_op, tg_table_name
    using errcode = 'object_not_in_prerequisite_state';
end;
$$;
comment on function sec.refuse_change() is 'Holds a table append-only, whoever asks.';

create function sec.hold_against_truncate(p_table regclass)
returns void
language plpgsql
set search_path = ''
as $$
begin
  execute format(
    'create trigger table_is_never_truncated before truncate on %s for each statement execute function sec.refuse_change()',
    p_table);
  execute format('alter table %s enable always trigger table_is_never_truncated', p_table);
end;
$$;
comment on function sec.hold_against_truncate(regclass) is 'Refuses truncate, in replication sessions too. Each partition needs its own.';

create function sec.hold_append_only(p_table regclass)
returns void
language plpgsql
set search_path = ''
as $$
begin
  execute format(
    'create trigger rows_are_never_changed before update or delete on %s for each row execute function sec.refuse_change()',
    p_table);
  execute format('alter table %s enable always trigger rows_are_never_changed', p_table);
  perform sec.hold_against_truncate(p_table);
end;
$$;
comment on function sec.hold_append_only(regclass) is
  'Refuses update, delete and truncate. Row triggers of a partitioned table reach its partitions by themselves.';

create function app.ensure_partition(p_table regclass, p_month timestamptz, p_is_append_only boolean)
returns boolean
language plpgsql
set search_path = ''
set lock_timeout = '3s'
as $$
declare
  v_partition text := format('%s_%s', p_table, to_char(p_month at time zone 'UTC', 'YYYYMM'));
begin
  if to_regclass(v_partition) is not null then
    return false;
  end if;
  -- Attaching locks the parent less than creating in place would: charges go on meanwhile.
  execute format('create table %s (like %s including defaults including constraints)', v_partition, p_table);
  execute format('alter table %s enable row level security', v_partition);
  execute format('revoke all on %s from public, anon, authenticated, service_role', v_partition);
  execute format(
    'alter table %s attach partition %s for values from (%L) to (%L)', p_table, v_partition, app.uuid_v7_floor(p_month),
    app.uuid_v7_floor(((p_month at time zone 'UTC') + interval '1 month') at time zone 'UTC'));
  if p_is_append_only then
    perform sec.hold_against_truncate(v_partition::regclass);
  end if;
  return true;
end;
$$;
comment on function app.ensure_partition(regclass, timestamptz, boolean) is
  'Makes one month''s partition of one log, if it is not there; whether it made it.';

create function app.ensure_partitions(p_months_ahead int)
returns int
language plpgsql
set search_path = ''
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
    exception when check_violation then
      -- The default partition holds rows of that month: the other logs still get theirs.
      raise warning 'no partition of % for %: its rows are in the default partition', v_log.table_name, v_log.month;
    end;
  end loop;
  return v_made;
end;
$$;
comment on function app.ensure_partitions(int) is
  'Makes the month''s partition of every log and those of the months ahead; answers how many it made.';

create function app.partition_by_month(p_table regclass, p_is_append_only boolean)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into app.partitioned_tables (table_name, is_append_only) values (p_table, p_is_append_only);
  execute format('create table %s_default partition of %s default', p_table, p_table);
  execute format('alter table %s_default enable row level security', p_table);
  execute format('revoke all on %s_default from public, anon, authenticated, service_role', p_table);
  if p_is_append_only then
    perform sec.hold_append_only(p_table);
    perform sec.hold_against_truncate((p_table::text || '_default')::regclass);
  end if;
end;
$$;
comment on function app.partition_by_month(regclass, boolean) is
  'Registers a log, gives it its default partition and, where it is append-only, the triggers that hold it.';
