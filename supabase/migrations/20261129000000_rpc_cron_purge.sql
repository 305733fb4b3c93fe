-- How long the audit log is kept is the installation's choice, never less than seven years.

drop function public.cron_purge();
drop function app.purge_audit_partition(timestamptz);

create function app.purge_audit_partition(p_now timestamptz, p_kept interval)
returns bigint
language plpgsql
set search_path = ''
set lock_timeout = '100ms'
as $$
declare
  v_old record;
  v_purge app.purged_ranges;
begin
  -- Not while somebody changes months or seals.
  if not app.try_job('partitions') then
    return 0;
  end if;
  perform from app.seal_state s for update skip locked;
  if not found then
    return 0;
  end if;
  -- Ids begin in 1970.
  select o.* into v_old
  from app.sealed_audit_partition(greatest(p_now - greatest(p_kept, app.audit_kept()), '1970-01-01 00:00:00+00')) o;
  if v_old.partition is null or app.is_held_for_long('audit.event_log') then
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
  -- By their range: after a clock that was wrong, seals of other months lie between the first and the last.
  delete from app.seal_items i
  using app.seals s
  where s.id_to > v_old.id_from and s.id_to <= v_old.id_to and i.seal_no = s.seal_no and i.log = v_purge.log;
  -- Last, since charges write to the log: they wait while this waits for its lock.
  execute format('drop table %s', v_old.partition);
  return v_purge.row_count;
exception when lock_not_available or deadlock_detected then
  raise warning 'the audit log is busy: a month past its time stays until the next run';
  return 0;
end;
$$;
comment on function app.purge_audit_partition(timestamptz, interval) is
  'Purges the oldest month of the audit log that ended so long ago, and seven years; answers how many rows.';
revoke all on function app.purge_audit_partition(timestamptz, interval) from public, anon, authenticated, service_role;

create function public.cron_purge(p_audit_days int default 2555)
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_codes int;
  v_audit_rows bigint;
begin
  perform sec.require_service();
  if p_audit_days is null or p_audit_days < 2555 or p_audit_days > 36500 then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'p_audit_days'));
  end if;
  if not app.try_job('purge') or not app.trusts_clock() then
    return 0;
  end if;
  v_codes := app.purge_codes(v_now - interval '90 days', 5000);
  v_audit_rows := app.purge_audit_partition(v_now, make_interval(days => p_audit_days));
  if v_codes > 0 or v_audit_rows > 0 then
    perform audit.log('service', 'database.purged', 'database', 'purge',
      jsonb_build_object('codes', v_codes, 'audit_rows', v_audit_rows));
  end if;
  return least(v_codes + v_audit_rows, 2147483647);
end;
$$;
comment on function public.cron_purge(int) is
  'Service, every night: deletes up to 5000 payment codes that ended 90 days ago, and the oldest month of the audit log when it is '
  'p_audit_days past (2555, which is seven years, to 36500), wholly sealed and no seal is violated. Answers how many rows went; call again while it is not 0. 0, too, while the clock is in '
  'doubt. The books are never purged. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, '
  'MALFORMED_ARGUMENT.';
revoke all on function public.cron_purge(int) from public, anon, authenticated, service_role;
grant execute on function public.cron_purge(int) to service_role;
