-- What the RPCs about members share: whose member it is, e-mail addresses, searching by prefix.

-- Searches are by prefix, each on an index of its own: at a million members none of them reads the table.
create index member_profiles_by_member_no_prefix on app.member_profiles (member_no text_pattern_ops);
create index member_profiles_by_phone_prefix on app.member_profiles (phone text_pattern_ops);
create index member_profiles_by_email_prefix on app.member_profiles (email text_pattern_ops);
create index member_profiles_by_name_prefix on app.member_profiles (lower(name) text_pattern_ops, id);
create index member_profiles_by_status on app.member_profiles (status, id);

create function sec.normal_email(p_email text)
returns text
language plpgsql immutable
set search_path = ''
as $$
declare
  v_email text := nullif(lower(btrim(p_email)), '');
begin
  if char_length(v_email) > 254 or v_email ~ '[[:cntrl:]]' or v_email !~ '^[^@[:space:]]+@[^@[:space:]]+$' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'email'));
  end if;
  return v_email;
end;
$$;
comment on function sec.normal_email(text) is 'An e-mail address in lower case, at most 254 characters; NULL for none.';

create function sec.own_or_any_member(p_member_id uuid)
returns app.member_profiles
language plpgsql stable
set search_path = ''
as $$
declare
  v_own app.member_profiles := sec.own_member();
  v_member app.member_profiles;
begin
  if p_member_id is not distinct from v_own.id or sec.is_admin() then
    select m.* into v_member from app.member_profiles m where m.id = p_member_id;
  end if;
  if v_member.id is null then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  return v_member;
end;
$$;
comment on function sec.own_or_any_member(uuid) is
  'The member, if it is the caller''s own or the caller an admin. An unknown member and somebody else''s get the same answer.';

create function sec.acting_role()
returns text
language plpgsql stable
set search_path = ''
as $$
begin
  return case when sec.is_service() then 'service' when sec.is_admin() then 'admin' else 'member' end;
end;
$$;
comment on function sec.acting_role() is 'As whom the caller acts, for the audit log: service, admin or member.';

create function sec.search_keyword(p_keyword text)
returns text
language plpgsql immutable
set search_path = ''
as $$
declare
  v_keyword text := btrim(p_keyword);
begin
  if coalesce(v_keyword, '') = '' or char_length(v_keyword) > 100 or v_keyword ~ '[[:cntrl:]]' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'keyword'));
  end if;
  return v_keyword;
end;
$$;
comment on function sec.search_keyword(text) is 'A keyword of 1 to 100 characters, trimmed, without control characters.';

create function rules.like_prefix(p_prefix text)
returns text
language sql immutable parallel safe
as $$ select regexp_replace(p_prefix, '([\\%_])', '\\\1', 'g') || '%' $$;
comment on function rules.like_prefix(text) is 'The pattern of LIKE for what begins with this text; its wildcards stand for themselves.';

create function app.lock_member(p_member_id uuid)
returns app.member_profiles
language plpgsql
set search_path = ''
as $$
declare
  v_member app.member_profiles;
begin
  select m.* into v_member from app.member_profiles m where m.id = p_member_id for no key update;
  if v_member.id is null then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  return v_member;
end;
$$;
comment on function app.lock_member(uuid) is 'A member, locked against deletion and other changes; else MEMBER_NOT_FOUND.';
