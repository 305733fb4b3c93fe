-- What is deleted for good: old payment codes, and months of the audit log past their time. Books, seals and keys never are.

create function app.purge_codes(p_before timestamptz, p_rows_max int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_purged int;
begin
  -- Codes are found by their id: none ended before it was issued.
  delete from app.payment_codes c
  where c.id in (
    select o.id from app.payment_codes o
    where o.id < app.uuid_v7_floor(p_before) and coalesce(o.consumed_at, o.revoked_at, o.expires_at) < p_before
    order by o.id limit p_rows_max for update skip locked);
  get diagnostics v_purged = row_count;
  return v_purged;
end;
$$;
comment on function app.purge_codes(timestamptz, int) is 'Deletes payment codes that were consumed, revoked or expired before a moment.';

create function app.sealed_audit_partition(p_before timestamptz, out partition regclass, out id_from uuid, out id_to uuid)
language sql stable
set search_path = ''
as $$
  select b.partition, b.bounds[1]::uuid, b.bounds[2]::uuid
  from (
    select c.oid::regclass as partition,
           regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([0-9a-f-]{36})''\) TO \(''([0-9a-f-]{36})''\)') as bounds
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'audit.event_log'::regclass) b
  where b.bounds[2]::uuid <= app.uuid_v7_floor(p_before)
    and b.bounds[2]::uuid <= (select t.last_id_to from app.seal_state t)
    and not exists (select from app.check_runs r where r.what = 'verify_seals' and r.violations > 0)
  order by b.bounds[2]::uuid limit 1
$$;
comment on function app.sealed_audit_partition(timestamptz) is
  'The oldest partition of the audit log that ends before a moment, if it is wholly sealed; none while seals are violated, since the rows '
  'may be evidence.';

create function app.purge_audit_partition(p_now timestamptz)
returns bigint
language plpgsql
set search_path = ''
set lock_timeout = '1s'
as $$
declare
  v_old record;
  v_purge app.purged_ranges;
begin
  -- One at a time, and not while somebody seals.
  perform from app.seal_state s for update skip locked;
  if not found then
    return 0;
  end if;
  select o.* into v_old from app.sealed_audit_partition(p_now - app.audit_kept()) o;
  if v_old.partition is null then
    return 0;
  end if;
  v_purge.id := app.uuid_v7(p_now);
  v_purge.log := 'audit.event_log';
  v_purge.id_from := v_old.id_from;
  v_purge.id_to := v_old.id_to;
  v_purge.purged_at := p_now;
  select min(s.seal_no), max(s.seal_no), (array_agg(s.root order by s.seal_no desc))[1],
         coalesce(sum((s.parts -> v_purge.log ->> 'rows')::bigint), 0)
  into v_purge.seal_first, v_purge.seal_last, v_purge.last_root, v_purge.row_count
  from app.seals s where s.id_to > v_old.id_from and s.id_to <= v_old.id_to;
  insert into app.purged_ranges select v_purge.*;
  delete from app.seal_items i
  where i.log = v_purge.log and i.seal_no between v_purge.seal_first and v_purge.seal_last;
  -- Last, since charges write to the log: they wait while this waits for its lock, so not for long, and next time again.
  execute format('drop table %s', v_old.partition);
  return v_purge.row_count;
exception when lock_not_available then
  raise warning 'the audit log is busy: a month past its time stays until the next run';
  return 0;
end;
$$;
comment on function app.purge_audit_partition(timestamptz) is
  'Drops the oldest month of the audit log past its time, and its items, and records it with the roots of its seals; answers its rows.';
