-- Confirmed beats claimed: a phone or e-mail that Supabase Auth confirmed for one user is taken from a member who only typed it in.

create table app.member_notices (
  id uuid primary key default app.uuid_v7(),
  member_id uuid not null references app.member_profiles (id),
  kind text not null constraint member_notices_kind_known check (kind in ('phone_taken', 'email_taken', 'phone_given', 'email_given')),
  created_at timestamptz not null
);
comment on table app.member_notices is
  'What a member is to be told when they next look (get_user_profile): their phone or e-mail went to who had confirmed it, or was freed for '
  'them from who had only claimed it. No personal data.';
create index member_notices_by_member on app.member_notices (member_id, id);
alter table app.member_notices enable row level security;

create function app.claimants_of(p_user_id uuid)
returns table (member_id uuid, field text)
language sql stable
as $$
  select k.id, c.field
  from auth.users u
  cross join lateral (values
    ('phone', case when u.phone_confirmed_at is not null then '+' || ltrim(u.phone, '+') end, null),
    ('email', null, case when u.email_confirmed_at is not null and not u.is_sso_user then lower(u.email) end)) as c (field, phone, email)
  join app.member_profiles k on k.phone = c.phone or k.email = c.email
  where u.id = p_user_id and k.auth_user_id is distinct from p_user_id and app.is_linked(k.auth_user_id)
$$;
comment on function app.claimants_of(uuid) is
  'Members of other users who have a phone or e-mail that Supabase Auth confirmed for this one. Auth has each once, so they only '
  'claimed it.';

create function app.take_claimed_contacts(p_user_id uuid, p_own_member_id uuid)
returns text[]
language plpgsql
as $$
declare
  v_member_ids uuid[] := array(select c.member_id from app.claimants_of(p_user_id) c);
  v_claimant record;
  v_taken text[] := array[]::text[];
begin
  if v_member_ids = '{}' then
    return v_taken;
  end if;
  -- Members by id, as cards are: two who take from each other wait and do not deadlock.
  perform from app.member_profiles m where m.id = any (v_member_ids || p_own_member_id) order by m.id for no key update;
  for v_claimant in
    select c.field, m.id, m.member_no from app.claimants_of(p_user_id) c join app.member_profiles m on m.id = c.member_id order by c.field
  loop
    update app.member_profiles m
    set phone = case when v_claimant.field <> 'phone' then m.phone end, email = case when v_claimant.field <> 'email' then m.email end,
        updated_at = clock_timestamp()
    where m.id = v_claimant.id;
    insert into app.member_notices (member_id, kind, created_at)
    values (v_claimant.id, v_claimant.field || '_taken', clock_timestamp());
    perform audit.log('member', 'member.contact_taken', 'member', v_claimant.member_no,
      jsonb_build_object('field', v_claimant.field, 'by_user_id', p_user_id));
    v_taken := array_append(v_taken, v_claimant.field::text);
  end loop;
  return v_taken;
end;
$$;
comment on function app.take_claimed_contacts(uuid, uuid) is
  'Takes a user''s confirmed phone and e-mail from members who only claimed them, audited and told; answers which. Locks the user''s '
  'own member with them.';

create function app.tell_given(p_member_id uuid, p_fields text[])
returns void
language sql
as $$
  insert into app.member_notices (member_id, kind, created_at)
  select p_member_id, f.field || '_given', clock_timestamp() from unnest(p_fields) as f (field)
$$;
comment on function app.tell_given(uuid, text[]) is
  'Tells a member that a phone or e-mail came to them from who had only claimed it.';

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
  v_taken text[];
begin
  -- One user's calls follow each other: the second finds the member that the first made or linked.
  perform pg_advisory_xact_lock(hashtextextended('mps/user/' || v_user_id::text, 0));
  select m.* into v_member from app.member_profiles m where m.auth_user_id = v_user_id and m.status <> 'deleted';
  if v_member.id is null then
    v_member := app.link_known_member(v_user_id);
  end if;
  if v_member.id is null then
    select lower(u.email) into v_email from auth.users u where u.id = v_user_id and u.email_confirmed_at is not null and not u.is_sso_user
      and lower(u.email) ~ '^[^@[:space:]]+@[^@[:space:]]+$';
    v_taken := app.take_claimed_contacts(v_user_id, null);
    -- The phone is only their word: one that Supabase Auth has confirmed for somebody else is not theirs.
    perform app.check_not_confirmed_by_another(v_user_id, v_phone, null);
    v_member := app.make_member(v_name, v_phone, v_email, v_user_id);
    v_created := true;
    perform app.tell_given(v_member.id, v_taken);
    perform audit.log('member', 'member.registered', 'member', v_member.member_no, '{}');
  end if;
  return query
    select v_member.id, v_member.member_no, v_member.name, v_member.phone, v_member.email, v_member.status,
           c.id, c.card_no, v_created
    from app.cards c where c.personal_member_id = v_member.id and c.card_type = 'standard';
end;
$$;
comment on function public.register_member(text, text) is
  'Makes the signed-in user a member with one standard card, or links them to the member that has their confirmed phone or e-mail and '
  'no link that leads to somebody; a member who only claimed these loses them. Again: the same member. Errors: NOT_AUTHENTICATED, '
  'MALFORMED_ARGUMENT, MEMBER_NOT_ACTIVE (deleted), PHONE_ALREADY_REGISTERED, EMAIL_ALREADY_REGISTERED.';
revoke all on function public.register_member(text, text) from public, anon, authenticated, service_role;
grant execute on function public.register_member(text, text) to authenticated;

create or replace function public.update_member_profile(
  p_member_id uuid, p_name text default null, p_phone text default null, p_email text default null)
returns table (
  member_id uuid, member_no text, name text, phone text, email text, status text, updated_at timestamptz)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_new app.member_profiles;
  v_old app.member_profiles;
  v_fields jsonb;
begin
  v_new.name := case when p_name is not null then sec.normal_name(p_name) end;
  v_new.phone := sec.normal_phone(p_phone);
  v_new.email := sec.normal_email(p_email);
  perform sec.own_or_any_member(p_member_id);
  if not sec.is_admin() then
    perform app.tell_given(p_member_id, app.take_claimed_contacts(v_user_id, p_member_id));
  end if;
  v_old := app.lock_member(p_member_id);
  perform sec.hold_if_admin();
  perform sec.own_or_any_member(p_member_id);
  if v_old.status = 'deleted' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  v_new.name := coalesce(v_new.name, v_old.name);
  v_new.phone := case when p_phone is null then v_old.phone else v_new.phone end;
  v_new.email := case when p_email is null then v_old.email else v_new.email end;
  if not sec.is_admin() then
    perform app.check_not_confirmed_by_another(
      v_user_id,
      case when v_new.phone is distinct from v_old.phone then v_new.phone end,
      case when v_new.email is distinct from v_old.email then v_new.email end);
  end if;
  -- Which fields, not what they say: the log holds no personal data.
  v_fields := to_jsonb(array_remove(array[
    case when v_new.name is distinct from v_old.name then 'name' end,
    case when v_new.phone is distinct from v_old.phone then 'phone' end,
    case when v_new.email is distinct from v_old.email then 'email' end], null));
  if v_fields <> '[]' then
    perform app.change_member(p_member_id, v_new.name, v_new.phone, v_new.email);
    perform audit.log(sec.acting_role(), 'member.updated', 'member', v_old.member_no, jsonb_build_object('fields', v_fields));
  end if;
  return query
    select m.id, m.member_no, m.name, m.phone, m.email, m.status, m.updated_at from app.member_profiles m where m.id = p_member_id;
end;
$$;
comment on function public.update_member_profile(uuid, text, text, text) is
  'Own, admin: changes name, phone, e-mail; NULL keeps, an empty phone or e-mail is erased. What a member sets is unconfirmed and '
  'proves nothing: register_member links only members without a user. They cannot take what another user has confirmed, and get back '
  'what another only claimed and they confirmed. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, MEMBER_NOT_FOUND, MEMBER_NOT_ACTIVE '
  '(deleted), PHONE_ALREADY_REGISTERED, EMAIL_ALREADY_REGISTERED.';
revoke all on function public.update_member_profile(uuid, text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.update_member_profile(uuid, text, text, text) to authenticated;

drop function public.get_user_profile();
create function public.get_user_profile()
returns table (
  user_id uuid, is_admin boolean, member_id uuid, member_no text, name text, phone text, email text, status text,
  merchants jsonb, notices jsonb)
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
      where u.user_id = w.user_id), '[]'),
    coalesce((
      select jsonb_agg(jsonb_build_object('kind', n.kind, 'created_at', n.created_at) order by n.id)
      from app.member_notices n where n.member_id = m.id and n.created_at > now() - interval '30 days'), '[]')
  from (select sec.require_user() as user_id) w
  left join app.member_profiles m on m.auth_user_id = w.user_id and m.status <> 'deleted'
$$;
comment on function public.get_user_profile() is
  'Who the signed-in user is here: member, merchant user, admin. Member columns are NULL for one who is no member. notices: what '
  'happened to the member''s phone or e-mail in the last 30 days, {kind, created_at}: phone_taken, email_taken, phone_given, '
  'email_given. Errors: NOT_AUTHENTICATED.';
revoke all on function public.get_user_profile() from public, anon, authenticated, service_role;
grant execute on function public.get_user_profile() to authenticated;
