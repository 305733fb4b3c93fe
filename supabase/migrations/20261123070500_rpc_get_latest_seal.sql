create function public.get_latest_seal()
returns table (seal_no bigint, root text, sealed_at timestamptz, covers_until timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform sec.require_admin_or_service();
  return query
    select s.seal_no, encode(s.root, 'hex'), s.sealed_at, app.uuid_v7_time(s.id_to) from app.seals s order by s.seal_no desc limit 1;
end;
$$;
comment on function public.get_latest_seal() is
  'Admin, service: the last seal and its root (64 hex digits), to be kept outside of the database as an anchor for verify_seals; rows from '
  'before covers_until are sealed. No row before the first seal. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.get_latest_seal() from public, anon, authenticated, service_role;
grant execute on function public.get_latest_seal() to authenticated, service_role;
