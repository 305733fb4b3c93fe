create function sec.normal_phone(p_phone text)
returns text
language plpgsql immutable
set search_path = ''
as $$
declare
  v_phone text := nullif(translate(p_phone, ' -().', ''), '');
begin
  if v_phone like '00%' then
    v_phone := '+' || substr(v_phone, 3);
  end if;
  if v_phone is not null and v_phone !~ '^[+][1-9][0-9]{6,14}$' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'phone'));
  end if;
  return v_phone;
end;
$$;
comment on function sec.normal_phone(text) is 'A phone number as E.164 has it, with + and country code, so that one number is one text; NULL for none.';

create function sec.normal_name(p_name text)
returns text
language plpgsql immutable
set search_path = ''
as $$
declare
  v_name text := btrim(coalesce(p_name, ''));
begin
  if v_name !~ '[^[:space:]]' or char_length(v_name) > 100 or v_name ~ '[[:cntrl:]]' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'name'));
  end if;
  return v_name;
end;
$$;
comment on function sec.normal_name(text) is 'A name of 1 to 100 characters, trimmed, without control characters.';

create function app.make_member(p_name text, p_phone text, p_email text, p_auth_user_id uuid)
returns app.member_profiles
language plpgsql
set search_path = ''
as $$
declare
  v_member app.member_profiles;
  v_constraint text;
begin
  insert into app.member_profiles (name, phone, email, auth_user_id)
  values (p_name, p_phone, p_email, p_auth_user_id)
  returning * into v_member;
  perform app.make_standard_card(v_member.id);
  return v_member;
exception when unique_violation then
  get stacked diagnostics v_constraint = constraint_name;
  case v_constraint
    when 'member_profiles_phone_taken' then perform rules.fail('PHONE_ALREADY_REGISTERED');
    when 'member_profiles_email_taken' then perform rules.fail('EMAIL_ALREADY_REGISTERED');
    when 'member_profiles_auth_user_taken' then perform rules.fail('MEMBER_NOT_ACTIVE');
    else raise;
  end case;
end;
$$;
comment on function app.make_member(text, text, text, uuid) is
  'A member and the one standard card. A user whose member was deleted gets no second one.';

create function app.link_known_member(p_user_id uuid)
returns app.member_profiles
language plpgsql
set search_path = ''
as $$
declare
  v_member app.member_profiles;
begin
  -- Only what Supabase Auth has confirmed proves that the member is the caller. An identity provider's e-mail proves nothing here.
  update app.member_profiles m
  set auth_user_id = p_user_id, updated_at = now()
  where m.auth_user_id is null and m.status <> 'deleted'
    and m.id = (
      select k.id
      from auth.users u
      join app.member_profiles k
        on (u.phone_confirmed_at is not null and k.phone = '+' || ltrim(u.phone, '+'))
        or (u.email_confirmed_at is not null and not u.is_sso_user and k.email = lower(u.email))
      where u.id = p_user_id and k.auth_user_id is null and k.status <> 'deleted'
      order by k.id
      limit 1)
  returning m.* into v_member;
  return v_member;
end;
$$;
comment on function app.link_known_member(uuid) is
  'Links the caller to the unlinked member that has his confirmed phone or e-mail; NULL when there is none.';

create function public.register_member(p_name text, p_phone text default null)
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
comment on function public.register_member(text, text) is
  'Makes the signed-in user a member with one standard card, or links him to the member that has his confirmed phone or e-mail. '
  'Again: the same member. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, MEMBER_NOT_ACTIVE (deleted), PHONE_ALREADY_REGISTERED, EMAIL_ALREADY_REGISTERED.';
revoke all on function public.register_member(text, text) from public, anon, authenticated, service_role;
grant execute on function public.register_member(text, text) to authenticated;
