create function app.check_not_confirmed_by_another(p_user_id uuid, p_phone text, p_email text)
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if exists (
    select from auth.users u
    where u.phone in (p_phone, ltrim(p_phone, '+')) and u.phone_confirmed_at is not null and u.id is distinct from p_user_id)
  then
    perform rules.fail('PHONE_ALREADY_REGISTERED');
  end if;
  if exists (
    select from auth.users u
    where u.email = p_email and not u.is_sso_user and u.email_confirmed_at is not null and u.id is distinct from p_user_id)
  then
    perform rules.fail('EMAIL_ALREADY_REGISTERED');
  end if;
end;
$$;
comment on function app.check_not_confirmed_by_another(uuid, text, text) is
  'Refuses a phone or e-mail that another Supabase Auth user has confirmed: he could not register with his own any more.';

create function app.change_member(p_member_id uuid, p_name text, p_phone text, p_email text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_constraint text;
begin
  update app.member_profiles m
  set name = p_name, phone = p_phone, email = p_email, updated_at = clock_timestamp()
  where m.id = p_member_id;
exception when unique_violation then
  get stacked diagnostics v_constraint = constraint_name;
  case v_constraint
    when 'member_profiles_phone_taken' then perform rules.fail('PHONE_ALREADY_REGISTERED');
    when 'member_profiles_email_taken' then perform rules.fail('EMAIL_ALREADY_REGISTERED');
    else raise;
  end case;
end;
$$;
comment on function app.change_member(uuid, text, text, text) is 'Writes name, phone and e-mail of a locked member.';

create function public.update_member_profile(
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
  v_old := app.lock_member(p_member_id);
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
  'Own, admin: changes name, phone, e-mail; NULL keeps, an empty phone or e-mail is erased. What a member sets himself is unconfirmed and '
  'proves nothing: register_member links only members without a user. He cannot take what another user has confirmed. Errors: '
  'NOT_AUTHENTICATED, MALFORMED_ARGUMENT, MEMBER_NOT_FOUND, MEMBER_NOT_ACTIVE (deleted), PHONE_ALREADY_REGISTERED, '
  'EMAIL_ALREADY_REGISTERED.';
revoke all on function public.update_member_profile(uuid, text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.update_member_profile(uuid, text, text, text) to authenticated;
