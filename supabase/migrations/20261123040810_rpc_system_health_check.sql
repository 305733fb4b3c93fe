create function public.system_health_check()
returns table ("check" text, ok boolean, detail text)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_default_rows text;
  v_missing text;
  v_admins bigint;
begin
  perform sec.require_admin_or_service();
  v_default_rows := (select string_agg(d, ', ') from app.logs_with_default_rows() d);
  v_missing := (select string_agg(format('%s of %s', w.month, w.table_name), ', ') from app.logs_without_partition() w);
  v_admins := (select count(*) from app.admin_users);
  return query values
    ('admin_users', v_admins > 0, format('%s', v_admins)),
    ('default_partitions_empty', v_default_rows is null, coalesce('rows in the default partition of ' || v_default_rows, 'all empty')),
    ('master_key', sec.has_usable_master_key(), coalesce(
      (select format('key %s is current', k.key_id) from sec.master_keys k where k.is_current), 'no current key: set-up draws one')),
    ('partitions_ahead', v_missing is null, coalesce('missing: ' || v_missing, 'this month and the next'))
    union all
    select w.work, w.ok, w.detail from app.recurring_work() w;
end;
$$;
comment on function public.system_health_check() is
  'Admin, service: one row for each check, cheap enough for every minute; detail is for an operator to read. The books are '
  'verify_ledger''s. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.system_health_check() from public, anon, authenticated, service_role;
grant execute on function public.system_health_check() to authenticated, service_role;
