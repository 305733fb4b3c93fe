create or replace function public.cron_ensure_partitions()
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_log app.partitioned_tables;
  v_step jsonb;
begin
  perform sec.require_service();
  if not app.try_job('partitions') then
    return 0;
  end if;
  for v_log in select p.* from app.partitioned_tables p order by p.table_name::text loop
    v_step := app.partition_step(v_log.table_name, v_log.is_append_only, 3, 20000);
    if v_step is not null then
      -- Copies are seen by nobody before they move.
      if not v_step ? 'rows_copied' then
        perform audit.log('service', 'partitions.made', 'database', 'partitions', v_step);
      end if;
      return 1;
    end if;
  end loop;
  return 0;
end;
$$;
comment on function public.cron_ensure_partitions() is
  'Service, every hour: one short step towards partitions of this month and the next three for every log, and towards an empty default '
  'partition, whose rows move to their months. Answers 1 for a step, 0 when there is none to do now or somebody holds what it needs: call '
  'it again while it is not 0, each time in a transaction of its own. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_ensure_partitions() from public, anon, authenticated, service_role;
grant execute on function public.cron_ensure_partitions() to service_role;
