create function app.seal_step_last(p_seal_first bigint, p_rows_max int)
returns bigint
language sql stable
set search_path = ''
as $$
  -- The first always, then as many as stay within the bound; 500 seals, so that many small ones end as well.
  select max(x.seal_no) from (
    select s.seal_no, sum(s.row_count) over (order by s.seal_no) as row_total
    from app.seals s where s.seal_no >= p_seal_first order by s.seal_no limit 500) x
  where x.row_total <= p_rows_max or x.seal_no = (select min(m.seal_no) from app.seals m where m.seal_no >= p_seal_first)
$$;
comment on function app.seal_step_last(bigint, int) is 'The last seal of a step that verifies at most so many rows; NULL past the end.';

create function public.cron_verify_seals()
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_run app.check_runs;
  v_seal_last bigint;
  v_found int;
  v_is_round_over boolean;
begin
  perform sec.require_service();
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
  'violations this round or the last full one found; remembered in app.check_runs, and in the audit log when this step found any. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_verify_seals() from public, anon, authenticated, service_role;
grant execute on function public.cron_verify_seals() to service_role;
