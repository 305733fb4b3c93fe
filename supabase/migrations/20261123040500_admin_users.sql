-- Who runs the house. The first admin is inserted by whoever sets the house up; from then on admins add and remove each other.

create function app.lock_admin_users()
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform sec.require_admin();
  lock table app.admin_users in share row exclusive mode;
  -- Again under the lock: another admin may have removed the caller meanwhile.
  perform sec.require_admin();
end;
$$;
comment on function app.lock_admin_users() is 'Refuses everybody but admins and holds other changes of the admins back; reading goes on.';
