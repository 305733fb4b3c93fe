-- A link to a Supabase Auth user who no longer exists is no link.

create function app.is_linked(p_auth_user_id uuid)
returns boolean
language plpgsql stable
as $$
begin
  return exists (select from auth.users u where u.id = p_auth_user_id);
end;
$$;
comment on function app.is_linked(uuid) is
  'Whether a member''s link leads to a Supabase Auth user who exists; NULL leads to none.';

create or replace function app.link_known_member(p_user_id uuid)
returns app.member_profiles
language plpgsql
as $$
declare
  v_member app.member_profiles;
begin
  -- Only what Supabase Auth has confirmed proves that the member is the caller. An identity provider's e-mail proves nothing here.
  select k.* into v_member
  from auth.users u
  join app.member_profiles k
    on (u.phone_confirmed_at is not null and k.phone = '+' || ltrim(u.phone, '+'))
    or (u.email_confirmed_at is not null and not u.is_sso_user and k.email = lower(u.email))
  where u.id = p_user_id and k.status <> 'deleted' and not app.is_linked(k.auth_user_id)
  order by k.id
  limit 1
  for no key update of k;
  if v_member.id is null then
    return null;
  end if;
  update app.member_profiles m set auth_user_id = p_user_id, updated_at = clock_timestamp() where m.id = v_member.id;
  perform audit.log('member', 'member.linked', 'member', v_member.member_no,
    jsonb_strip_nulls(jsonb_build_object('instead_of_user_id', v_member.auth_user_id)));
  v_member.auth_user_id := p_user_id;
  return v_member;
end;
$$;
comment on function app.link_known_member(uuid) is
  'Links the caller to the member that has their confirmed phone or e-mail and no link, or a dead one; NULL when there is none. '
  'Audited.';

create or replace function public.link_member_auth_user(p_member_id uuid, p_auth_user_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_member app.member_profiles;
begin
  perform sec.require_admin_or_service();
  -- The lock of register_member: a user who registers meanwhile finds this member, or this call finds his.
  perform pg_advisory_xact_lock(hashtextextended('mps/user/' || p_auth_user_id::text, 0));
  if not exists (select from auth.users u where u.id = p_auth_user_id) then
    perform rules.fail('USER_NOT_FOUND');
  end if;
  v_member := app.lock_member(p_member_id);
  perform sec.hold_admin_or_service();
  if v_member.status = 'deleted' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  if v_member.auth_user_id = p_auth_user_id then
    return false;
  end if;
  if app.is_linked(v_member.auth_user_id)
     or exists (select from app.member_profiles m where m.auth_user_id = p_auth_user_id)
  then
    perform rules.fail('MEMBER_ALREADY_LINKED');
  end if;
  update app.member_profiles m set auth_user_id = p_auth_user_id, updated_at = clock_timestamp() where m.id = p_member_id;
  perform audit.log(sec.acting_role(), 'member.linked', 'member', v_member.member_no, 
    jsonb_strip_nulls(jsonb_build_object('user_id', p_auth_user_id, 'instead_of_user_id', v_member.auth_user_id)));
  return true;
end;
$$;
comment on function public.link_member_auth_user(uuid, uuid) is
  'Admin, service: links a member to a Supabase Auth user, in place of a link to one who no longer exists if there is such; false: '
  'they were linked to this one. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, USER_NOT_FOUND, MEMBER_NOT_FOUND, MEMBER_NOT_ACTIVE '
  '(deleted), MEMBER_ALREADY_LINKED (the member or the user, to another).';
revoke all on function public.link_member_auth_user(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.link_member_auth_user(uuid, uuid) to authenticated, service_role;

create or replace function public.get_member_detail(p_member_id uuid default null)
returns table (
  member_id uuid, member_no text, name text, phone text, email text, status text, is_linked boolean, providers text[],
  card_id uuid, card_no text, cards int, created_at timestamptz, updated_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_member app.member_profiles := sec.own_or_any_member(coalesce(p_member_id, (sec.own_member()).id));
begin
  return query
    select
      v_member.id, v_member.member_no, v_member.name, v_member.phone, v_member.email, v_member.status,
      app.is_linked(v_member.auth_user_id),
      array(select i.provider from app.external_identities i where i.member_id = v_member.id order by i.provider),
      c.id, c.card_no,
      (select count(*)::int from app.card_bindings b where b.member_id = v_member.id),
      v_member.created_at, v_member.updated_at
    from app.cards c where c.personal_member_id = v_member.id and c.card_type = 'standard';
end;
$$;
comment on function public.get_member_detail(uuid) is
  'A member with the standard card, the number of cards he sees and the providers of his external identities. Own (NULL), or any for '
  'an admin. Errors: NOT_AUTHENTICATED, MEMBER_NOT_FOUND.';
revoke all on function public.get_member_detail(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_member_detail(uuid) to authenticated;

create or replace function public.search_members(p_keyword text, p_limit int default null)
returns table (
  member_id uuid, member_no text, name text, phone text, email text, status text, is_linked boolean, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
-- Planned for each keyword: only a pattern that is known can use an index.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_keyword text;
  v_phone text;
  v_rows int;
begin
  perform sec.require_admin();
  v_keyword := sec.search_keyword(p_keyword);
  v_phone := substring(translate(v_keyword, ' -().', '') from '^[+]?([0-9]+)$');
  v_rows := sec.page_rows(p_limit, 0);
  return query
    -- Each field in the order of its own index and no further than the page: what many members share costs no more than what few do.
    with found as (
      (select m.id from app.member_profiles m where m.member_no like rules.like_prefix(upper(v_keyword))
       order by m.member_no using ~<~ limit v_rows)
      union
      (select m.id from app.member_profiles m where m.phone like rules.like_prefix('+' || v_phone)
       order by m.phone using ~<~ limit v_rows)
      union
      (select m.id from app.member_profiles m where m.email like rules.like_prefix(lower(v_keyword))
       order by m.email using ~<~ limit v_rows)
      union
      (select m.id from app.member_profiles m where lower(m.name) like rules.like_prefix(lower(v_keyword))
       order by lower(m.name) using ~<~, m.id limit v_rows))
    select m.id, m.member_no, m.name, m.phone, m.email, m.status, app.is_linked(m.auth_user_id), m.created_at
    from found f
    join app.member_profiles m on m.id = f.id
    order by m.member_no
    limit v_rows;
end;
$$;
comment on function public.search_members(text, int) is
  'Admin: members whose number, phone (from its country code, + or not), e-mail or name begins with the keyword, in any case, by '
  'number. At most 200, default 50; of more, those whose field comes first. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, '
  'MALFORMED_ARGUMENT.';
revoke all on function public.search_members(text, int) from public, anon, authenticated, service_role;
grant execute on function public.search_members(text, int) to authenticated;

create or replace function public.get_all_members(p_limit int default null, p_offset int default 0, p_status text default null)
returns table (
  member_id uuid, member_no text, name text, phone text, email text, status text, is_linked boolean, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_rows int;
begin
  perform sec.require_admin();
  if p_status not in ('active', 'suspended', 'deleted') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'status'));
  end if;
  v_rows := sec.page_rows(p_limit, p_offset);
  return query
    -- The page is found in an index alone: what is skipped is not read.
    with page as (
      select m.id from app.member_profiles m
      where p_status is null or m.status = p_status
      order by m.id desc
      limit v_rows offset coalesce(p_offset, 0))
    select m.id, m.member_no, m.name, m.phone, m.email, m.status, app.is_linked(m.auth_user_id), m.created_at
    from page p
    join app.member_profiles m on m.id = p.id
    order by m.id desc;
end;
$$;
comment on function public.get_all_members(int, int, text) is
  'Admin: members, newest first; of one status: active, suspended, deleted. Pages of 1 to 200, default 50. Errors: NOT_AUTHENTICATED, '
  'PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.get_all_members(int, int, text) from public, anon, authenticated, service_role;
grant execute on function public.get_all_members(int, int, text) to authenticated;
