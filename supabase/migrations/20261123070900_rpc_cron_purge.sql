create function public.cron_purge()
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
  'days past, wholly sealed and no seal is violated. Answers how many rows went; call again while it is not 0. The books are never purged. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_purge() from public, anon, authenticated, service_role;
grant execute on function public.cron_purge() to service_role;
