-- The jobs: each takes its own lock first and answers 0 when another one has it, goes by a clock that is trusted, and waits for nobody for
-- longer than a tenth of a second.

create or replace function app.purge_audit_partition(p_now timestamptz)
returns bigint
language plpgsql
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
  select o.* into v_old from app.sealed_audit_partition(p_now - app.audit_kept()) o;
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

create or replace function public.cron_purge()
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
  if not app.try_job('purge') or not app.trusts_clock() then
    return 0;
  end if;
  v_codes := app.purge_codes(v_now - interval '90 days', 5000);
  v_audit_rows := app.purge_audit_partition(v_now);
  if v_codes > 0 or v_audit_rows > 0 then
    perform audit.log('service', 'database.purged', 'database', 'purge',
      jsonb_build_object('codes', v_codes, 'audit_rows', v_audit_rows));
  end if;
  return least(v_codes + v_audit_rows, 2147483647);
end;
$$;
comment on function public.cron_purge() is
  'Service, every night: deletes up to 5000 payment codes that ended 90 days ago, and the oldest month of the audit log when it is 2555 '
  'days past, wholly sealed and no seal is violated. Answers how many rows went; call again while it is not 0. 0, too, while the clock is in '
  'doubt. The books are never purged. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_purge() from public, anon, authenticated, service_role;
grant execute on function public.cron_purge() to service_role;

create or replace function app.settle_next_period(p_merchant app.merchants)
returns boolean
language plpgsql
set lock_timeout = '100ms'
as $$
declare
  v_period tstzrange;
begin
  v_period := app.next_settlement_period(p_merchant, clock_timestamp());
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

create or replace function public.cron_generate_settlements()
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_stop_at timestamptz := clock_timestamp() + interval '2 seconds';
  v_made_max constant int := 100;
  v_made int := 0;
  v_merchant app.merchants;
begin
  perform sec.require_service();
  if not app.try_job('cron_generate_settlements') or not app.trusts_clock() then
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
comment on function public.cron_generate_settlements() is
  'Service, every hour: settles the finished periods of all merchants, by their mode and time zone, at most 100 or two seconds a call. Answers '
  'how many it made; call again while it is not 0. Postings wait for no part of it longer than a tenth of a second: a merchant with one in '
  'flight for longer is left for a later call. 0, too, while the clock is in doubt. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_generate_settlements() from public, anon, authenticated, service_role;
grant execute on function public.cron_generate_settlements() to service_role;

create or replace function public.cron_seal()
returns int
language plpgsql security definer
set search_path = ''
as $$
begin
  perform sec.require_service();
  -- An older snapshot would not see who committed while the fence was up.
  if current_setting('transaction_isolation') is distinct from 'read committed' then
    perform rules.fail('NOT_CONFIGURED', jsonb_build_object('what', 'read committed'));
  end if;
  perform from app.seal_state s for update skip locked;
  if not found or not app.trusts_clock() then
    return 0;
  end if;
  return app.seal_rows(app.uuid_v7_floor(app.final_at() - app.seal_margin()), 4000);
end;
$$;
comment on function public.cron_seal() is
  'Service, every minute: seals the next rows of the ledger, the point ledger and the audit log that no running transaction can add to '
  'any more, at most some 20 000. Answers how many items it sealed: 0 when there is nothing to do yet, somebody else is sealing, or the clock '
  'is in doubt; call again while it is large. No audit row: the seal is its own record. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, '
  'NOT_CONFIGURED (not in read committed).';
revoke all on function public.cron_seal() from public, anon, authenticated, service_role;
grant execute on function public.cron_seal() to service_role;

create or replace function public.cron_verify_ledger()
returns int
language plpgsql security definer
set search_path = ''
set jit = off
as $$
declare
  v_violations int;
begin
  perform sec.require_service();
  if not app.try_job('verify_ledger') then
    return 0;
  end if;
  select count(*) into v_violations from public.verify_ledger();
  insert into app.check_runs (what, ran_at, violations) values ('verify_ledger', clock_timestamp(), v_violations)
  on conflict (what) do update set ran_at = excluded.ran_at, violations = excluded.violations;
  if v_violations > 0 then
    perform audit.log('service', 'ledger.violated', 'database', 'ledger', jsonb_build_object('violations', v_violations));
  end if;
  return v_violations;
end;
$$;
comment on function public.cron_verify_ledger() is
  'Service, every night: how many violations verify_ledger() finds; remembered in app.check_runs, and in the audit log when there are any. '
  'Reads everything, so it takes longer as the books grow; 0 when another one is reading. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_verify_ledger() from public, anon, authenticated, service_role;
grant execute on function public.cron_verify_ledger() to service_role;

create or replace function public.cron_verify_seals()
returns int
language plpgsql security definer
set search_path = ''
set jit = off
as $$
declare
  v_run app.check_runs;
  v_seal_last bigint;
  v_found int;
  v_is_round_over boolean;
begin
  perform sec.require_service();
  if not app.try_job('verify_seals') then
    return 0;
  end if;
  insert into app.check_runs (what, ran_at, violations) values ('verify_seals', clock_timestamp(), 0) on conflict do nothing;
  select r.* into v_run from app.check_runs r where r.what = 'verify_seals' for update;
  v_seal_last := app.seal_step_last(v_run.seal_next, 20000);
  v_is_round_over := not exists (select from app.seals s where s.seal_no > v_seal_last);
  select v_run.violations_so_far + count(*) into v_found
  from (
    select from app.seal_violations(v_run.seal_next, v_seal_last)
    union all
    select from app.tip_violations() where v_is_round_over
  ) v;
  v_run.violations := case when v_is_round_over then v_found else greatest(v_run.violations, v_found) end;
  update app.check_runs r
  set ran_at = clock_timestamp(), violations = v_run.violations,
      seal_next = case when v_is_round_over then 1 else v_seal_last + 1 end,
      violations_so_far = case when v_is_round_over then 0 else v_found end
  where r.what = 'verify_seals';
  if v_found > v_run.violations_so_far then
    perform audit.log('service', 'seals.violated', 'database', 'seals', jsonb_build_object('violations', v_found));
  end if;
  return v_run.violations;
end;
$$;
comment on function public.cron_verify_seals() is
  'Service, every few minutes: verifies the next seals of at most 20 000 rows, and begins again after the last. Answers how many '
  'violations this round or the last full one found; remembered in app.check_runs, and in the audit log when this step found any. 0 when '
  'another one is verifying. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_verify_seals() from public, anon, authenticated, service_role;
grant execute on function public.cron_verify_seals() to service_role;

create or replace function public.cron_expire_recharge_orders()
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_expired int;
begin
  perform sec.require_service();
  if not app.try_job('expire_recharge_orders') then
    return 0;
  end if;
  -- Whoever is completing an order holds its row: it is left for the next call.
  with due as (
    select o.id from app.recharge_orders o
    where o.status = 'pending' and o.expires_at <= now()
    order by o.expires_at
    limit 5000
    for update skip locked)
  update app.recharge_orders o set status = 'expired' from due where o.id = due.id;
  get diagnostics v_expired = row_count;
  if v_expired > 0 then
    perform audit.log('service', 'recharge.expired', 'recharge_order', null, jsonb_build_object('orders', v_expired));
  end if;
  return v_expired;
end;
$$;
revoke all on function public.cron_expire_recharge_orders() from public, anon, authenticated, service_role;
grant execute on function public.cron_expire_recharge_orders() to service_role;

create or replace function public.cron_rotate_qr_tokens(p_ttl_seconds int default 900)
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_revoked int;
begin
  perform sec.require_service();
  if p_ttl_seconds is null or p_ttl_seconds not between 0 and rules.limit_int('code.lifetime_seconds_max') then
    perform rules.fail('INVALID_TTL', jsonb_build_object(
      'seconds_min', 0, 'seconds_max', rules.limit_int('code.lifetime_seconds_max')));
  end if;
  if not app.try_job('rotate_qr_tokens') then
    return 0;
  end if;
  with aged as (
    select p.id
    from app.payment_codes p
    join app.cards c on c.id = p.card_id
    join app.card_type_rules r on r.card_type = c.card_type and r.is_shareable
    where p.consumed_at is null and p.revoked_at is null and p.expires_at > v_now
      and p.issued_at <= v_now - make_interval(secs => p_ttl_seconds)
    order by p.expires_at
    limit 1000
    for update of p skip locked
  )
  update app.payment_codes p set revoked_at = clock_timestamp()
  from aged a
  where p.id = a.id and p.consumed_at is null and p.revoked_at is null;
  get diagnostics v_revoked = row_count;
  if v_revoked > 0 then
    perform audit.log('service', 'codes.revoked', 'payment_code', null,
      jsonb_build_object('codes', v_revoked, 'ttl_seconds', p_ttl_seconds));
  end if;
  return v_revoked;
end;
$$;
revoke all on function public.cron_rotate_qr_tokens(int) from public, anon, authenticated, service_role;
grant execute on function public.cron_rotate_qr_tokens(int) to service_role;
