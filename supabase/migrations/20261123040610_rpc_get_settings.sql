create function public.get_settings()
returns table (key text, value text, kind text, comment text, min_value numeric, max_value numeric, choices text[])
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform sec.require_admin();
  return query
    select s.key, s.value, s.kind, s.comment, s.min_value, s.max_value, s.choices from app.settings s order by s.key;
end;
$$;
comment on function public.get_settings() is
  'Admin: every setting with its kind (amount, integer, time_zone, choice) and what it may be; bounds are included, NULL is none. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.get_settings() from public, anon, authenticated, service_role;
grant execute on function public.get_settings() to authenticated;
