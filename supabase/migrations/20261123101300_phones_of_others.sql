-- Nobody registers with a phone that Supabase Auth has confirmed for somebody else: its owner could not register any more.

create or replace function public.register_member(p_name text, p_phone text default null)
returns table (
  member_id uuid, member_no text, name text, phone text, email text, status text,
  card_id uuid, card_no text, created boolean)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_name text := sec.normal_name(p_name);
  v_phone text := sec.normal_phone(p_phone);
  v_email text;
  v_member app.member_profiles;
  v_created boolean := false;
begin
  -- One user's calls follow each other: the second finds the member that the first made or linked.
  perform pg_advisory_xact_lock(hashtextextended('mps/user/' || v_user_id::text, 0));
  select m.* into v_member from app.member_profiles m where m.auth_user_id = v_user_id and m.status <> 'deleted';
  if v_member.id is null then
    v_member := app.link_known_member(v_user_id);
    if v_member.id is not null then
      perform audit.log('member', 'member.linked', 'member', v_member.member_no, '{}');
    end if;
  end if;
  if v_member.id is null then
    select lower(u.email) into v_email from auth.users u where u.id = v_user_id and u.email_confirmed_at is not null and not u.is_sso_user
      and lower(u.email) ~ '^[^@[:space:]]+@[^@[:space:]]+$';
    -- The phone is only his word: one that Supabase Auth has confirmed for somebody else is not his.
    perform app.check_not_confirmed_by_another(v_user_id, v_phone, null);
    v_member := app.make_member(v_name, v_phone, v_email, v_user_id);
    v_created := true;
    perform audit.log('member', 'member.registered', 'member', v_member.member_no, '{}');
  end if;
  return query
    select v_member.id, v_member.member_no, v_member.name, v_member.phone, v_member.email, v_member.status,
           c.id, c.card_no, v_created
    from app.cards c where c.personal_member_id = v_member.id and c.card_type = 'standard';
end;
$$;
revoke all on function public.register_member(text, text) from public, anon, authenticated, service_role;
grant execute on function public.register_member(text, text) to authenticated;
