create table app.check_runs (
  what text primary key constraint check_runs_what_known check (what in ('verify_ledger', 'verify_seals')),
  ran_at timestamptz not null,
  violations int not null constraint check_runs_violations_negative check (violations >= 0),
  seal_next bigint not null default 1,
  violations_so_far int not null default 0
);
comment on table app.check_runs is
  'The last run of each check. verify_seals goes round in steps: seal_next is where it goes on, violations_so_far what it found since seal '
  '1; violations is the larger of that and of what the last full round found.';
alter table app.check_runs enable row level security;

create function public.cron_verify_ledger()
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_violations int;
begin
  perform sec.require_service();
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
  'Reads everything, so it takes longer as the books grow. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_verify_ledger() from public, anon, authenticated, service_role;
grant execute on function public.cron_verify_ledger() to service_role;
