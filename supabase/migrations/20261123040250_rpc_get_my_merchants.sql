create function public.get_my_merchants()
returns table (merchant_id uuid, code text, name text, status text, time_zone text, role text, terminals jsonb)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
begin
  return query
    select
      m.id, m.code, m.name, m.status, m.time_zone, u.role,
      coalesce((
        select jsonb_agg(jsonb_build_object('code', t.code, 'label', t.label) order by t.created_at, t.code)
        from app.terminals t where t.merchant_id = m.id and t.status = 'active'), '[]')
    from app.merchant_users u
    join app.merchants m on m.id = u.merchant_id
    where u.user_id = v_user_id
    order by m.code;
end;
$$;
comment on function public.get_my_merchants() is
  'The merchants the caller works for, with the role and the active terminals, by code. Errors: NOT_AUTHENTICATED.';
revoke all on function public.get_my_merchants() from public, anon, authenticated, service_role;
grant execute on function public.get_my_merchants() to authenticated;
