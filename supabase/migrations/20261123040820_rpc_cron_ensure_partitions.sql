create function public.cron_ensure_partitions()
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_made int;
begin
  perform sec.require_service();
  v_made := app.ensure_partitions(3);
  if v_made > 0 then
    perform audit.log('service', 'partitions.made', 'database', 'partitions', jsonb_build_object('made', v_made));
  end if;
  return v_made;
end;
$$;
comment on function public.cron_ensure_partitions() is
  'Service, daily: makes the partitions of this month and the next three where they lack; answers how many it made. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_ensure_partitions() from public, anon, authenticated, service_role;
grant execute on function public.cron_ensure_partitions() to service_role;
