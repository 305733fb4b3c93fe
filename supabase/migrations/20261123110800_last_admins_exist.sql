-- Whose account was deleted is nobody's last admin and no shop's last owner.

create or replace function public.remove_admin_user(p_user_id uuid) returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform app.lock_admin_users();
  if not exists (select from app.admin_users a where a.user_id = p_user_id) then
    return false;
  end if;
  if not exists (select from app.admin_users a join auth.users u on u.id = a.user_id where a.user_id is distinct from p_user_id) then
    perform rules.fail('CANNOT_REMOVE_LAST_ADMIN');
  end if;
  delete from app.admin_users a where a.user_id = p_user_id;
  perform audit.log('admin', 'admin.removed', 'user', p_user_id::text, '{}');
  return true;
end;
$$;

create or replace function app.check_owner_remains(p_merchant_id uuid, p_user_id uuid) returns void
language plpgsql stable
as $$
begin
  if not exists (
    select from app.merchant_users u join auth.users a on a.id = u.user_id
    where u.merchant_id = p_merchant_id and u.role = 'owner' and u.user_id is distinct from p_user_id)
  then
    perform rules.fail('CANNOT_REMOVE_LAST_OWNER');
  end if;
end;
$$;

create or replace function public.system_health_check() returns table ("check" text, ok boolean, detail text)
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
  v_admins := (select count(*) from app.admin_users a join auth.users u on u.id = a.user_id);
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
revoke all on function public.remove_admin_user(uuid) from public, anon, authenticated, service_role;
grant execute on function public.remove_admin_user(uuid) to authenticated;
revoke all on function public.system_health_check() from public, anon, authenticated, service_role;
grant execute on function public.system_health_check() to authenticated, service_role;
