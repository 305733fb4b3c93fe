-- Big logs are partitioned by month on their UUIDv7 key, so that the primary key alone is unique everywhere.

create function app.uuid_v7(p_at timestamptz default clock_timestamp())
returns uuid
language sql volatile parallel safe
as $$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        placing substr(int8send((extract(epoch from p_at) * 1000)::bigint), 3) from 1 for 6),
      52, 1), 53, 1),
    'hex')::uuid
$$;
comment on function app.uuid_v7(timestamptz) is 'A time-ordered UUID of RFC 9562, version 7, of the given moment.';

create function app.uuid_v7_floor(p_at timestamptz)
returns uuid
language sql immutable parallel safe
as $$
  select encode(substr(int8send((extract(epoch from p_at) * 1000)::bigint), 3) || '\x00000000000000000000'::bytea, 'hex')::uuid
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

create function sec.hold_append_only(p_table regclass)
returns void
language plpgsql
set search_path = ''
as $$
begin
  execute format(
    'create trigger rows_are_never_changed before update or delete on %s for each row execute function sec.refuse_change()',
    p_table);
  execute format(
    'create trigger table_is_never_truncated before truncate on %s for each statement execute function sec.refuse_change()',
    p_table);
end;
$$;
comment on function sec.hold_append_only(regclass) is
  'Refuses update, delete and truncate. Row triggers of a partitioned table reach its partitions by themselves.';

create function app.ensure_partitions(p_months_ahead int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_table record;
  v_month timestamptz;
  v_name text;
  v_made int := 0;
begin
  for v_table in
    select p.table_name, p.is_append_only, n.nspname, c.relname
    from app.partitioned_tables p
    join pg_catalog.pg_class c on c.oid = p.table_name
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    order by n.nspname, c.relname
  loop
    for v_ahead in 0 .. p_months_ahead loop
      v_month := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => v_ahead)) at time zone 'UTC';
      v_name := format('%s_%s', v_table.relname, to_char(v_month at time zone 'UTC', 'YYYYMM'));
      if to_regclass(format('%I.%I', v_table.nspname, v_name)) is null then
        execute format(
          'create table %I.%I partition of %s for values from (%L) to (%L)',
          v_table.nspname, v_name, v_table.table_name, app.uuid_v7_floor(v_month),
          app.uuid_v7_floor(((v_month at time zone 'UTC') + interval '1 month') at time zone 'UTC'));
        execute format('alter table %I.%I enable row level security', v_table.nspname, v_name);
        execute format('revoke all on %I.%I from public, anon, authenticated, service_role', v_table.nspname, v_name);
        if v_table.is_append_only then
          execute format(
            'create trigger table_is_never_truncated before truncate on %I.%I '
            'for each statement execute function sec.refuse_change()', v_table.nspname, v_name);
        end if;
        v_made := v_made + 1;
      end if;
    end loop;
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
    execute format(
      'create trigger table_is_never_truncated before truncate on %s_default '
      'for each statement execute function sec.refuse_change()', p_table);
  end if;
end;
$$;
comment on function app.partition_by_month(regclass, boolean) is
  'Registers a log, gives it its default partition and, where it is append-only, the triggers that hold it.';
