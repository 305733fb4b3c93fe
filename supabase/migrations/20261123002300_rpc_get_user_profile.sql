create function public.get_user_profile()
returns table (
  user_id uuid, is_admin boolean, member_id uuid, member_no text, name text, phone text, email text, status text,
  merchants jsonb)
language sql stable security definer
set search_path = ''
as $$
  select
    w.user_id,
    sec.is_admin(),
    m.id, m.member_no, m.name, m.phone, m.email, m.status,
    coalesce((
      select jsonb_agg(jsonb_build_object(
        'merchant_id', s.id, 'code', s.code, 'name', s.name, 'status', s.status, 'role', u.role,
        'terminals', coalesce((
          select jsonb_agg(jsonb_build_object('code', t.code, 'label', t.label) order by t.code)
          from app.terminals t where t.merchant_id = s.id and t.status = 'active'), '[]')) order by s.code)
      from app.merchant_users u
      join app.merchants s on s.id = u.merchant_id
      where u.user_id = w.user_id), '[]')
  from (select sec.require_user() as user_id) w
  left join app.member_profiles m on m.auth_user_id = w.user_id and m.status <> 'deleted'
$$;
comment on function public.get_user_profile() is
  'Who the signed-in user is here: member, merchant user, admin. Member columns are NULL for one who is no member. Errors: NOT_AUTHENTICATED.';
revoke all on function public.get_user_profile() from public, anon, authenticated, service_role;
grant execute on function public.get_user_profile() to authenticated;
