create function sec.require_service()
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if sec.is_service() then
    return;
  end if;
  perform sec.require_user();
  perform rules.fail('PERMISSION_DENIED');
end;
$$;
comment on function sec.require_service() is 'Refuses everybody but our own back end: NOT_AUTHENTICATED without a user, else PERMISSION_DENIED.';
