-- A suspended member binds nobody to his cards and sets no password by which others bind themselves: they would pay in his place.

create function app.check_self_binding(p_card_id uuid, p_own app.member_profiles, p_member_id uuid, p_role text)
returns void
language plpgsql stable
as $$
declare
  v_card app.cards;
begin
  -- Binding others needs a role on the card, binding oneself its password.
  if p_member_id is not distinct from p_own.id then
    select c.* into v_card from app.cards c where c.id = p_card_id;
  end if;
  if v_card.id is null then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  if p_role not in ('member', 'viewer') then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  perform app.check_bindable(v_card, p_own);
end;
$$;
comment on function app.check_self_binding(uuid, app.member_profiles, uuid, text) is
  'What a member without a role on the card can be refused without its password, and so without its lock.';

create function app.check_binding_of_another(p_card app.cards, p_own app.member_profiles, p_own_role text, p_member_id uuid, p_role text)
returns void
language plpgsql
as $$
declare
  v_is_admin boolean := sec.is_admin();
begin
  if p_own_role is null and not v_is_admin then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  if not v_is_admin and not (app.may_bind_others(p_own_role, p_role)
     and app.may_bind_others(p_own_role, coalesce(app.card_role(p_card.id, p_member_id), p_role)))
  then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  perform app.check_bindable(p_card, (select m from app.member_profiles m where m.id = p_member_id and m.status <> 'deleted'));
  if not v_is_admin and p_own.status is distinct from 'active' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
end;
$$;
comment on function app.check_binding_of_another(app.cards, app.member_profiles, text, uuid, text) is
  'Refuses unless the caller may give this member this role on the locked card: an admin, or an active member whose own role allows it.';

create or replace function public.bind_member_to_card(
  p_card_id uuid, p_member_id uuid, p_role text default 'member', p_binding_password text default null)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_own app.member_profiles := sec.own_member();
  v_is_admin boolean := sec.is_admin();
  v_card app.cards;
  v_own_role text;
begin
  if p_role is null or p_role not in ('owner', 'admin', 'member', 'viewer') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'role'));
  end if;
  if v_own.id is null and not v_is_admin then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  -- Looked at before locking: whom the card does not know waits for its lock only with a password to try.
  if not v_is_admin and app.card_role(p_card_id, v_own.id) is null then
    perform app.check_self_binding(p_card_id, v_own, p_member_id, p_role);
  end if;
  select c.* into v_card from app.cards c where c.id = p_card_id for update;
  if v_card.id is null then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  -- Again under the lock: roles are taken and members suspended under it.
  v_own_role := app.card_role(p_card_id, v_own.id);
  v_own := sec.own_member();
  if p_member_id is not distinct from v_own.id and v_own_role is null and not v_is_admin then
    perform app.check_self_binding(p_card_id, v_own, p_member_id, p_role);
    if not app.check_binding_password(v_card, v_own.id, p_binding_password) then
      return false;
    end if;
  else
    perform app.check_binding_of_another(v_card, v_own, v_own_role, p_member_id, p_role);
  end if;
  perform app.set_binding(p_card_id, p_member_id, p_role);
  perform audit.log(
    case when v_is_admin then 'admin' else 'member' end, 'card.bound', 'card', v_card.card_no,
    jsonb_build_object('member_id', p_member_id, 'role', p_role));
  return true;
end;
$$;

create or replace function public.set_card_binding_password(p_card_id uuid, p_password text)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_card app.cards;
begin
  perform sec.require_user();
  if p_password is not null and octet_length(p_password) < rules.limit_int('password.bytes_min') then
    perform rules.fail('PASSWORD_TOO_SHORT', jsonb_build_object('bytes_min', rules.limit_int('password.bytes_min')));
  end if;
  if octet_length(p_password) > rules.limit_int('password.bytes_max') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'password'));
  end if;
  v_card := app.lock_card_for_admin_or_owner(p_card_id, array['owner']);
  if not sec.is_admin() and (sec.own_member()).status is distinct from 'active' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  if not (select r.is_shareable from app.card_type_rules r where r.card_type = v_card.card_type) then
    perform rules.fail('CARD_TYPE_NOT_SHAREABLE');
  end if;
  update app.cards c
  set binding_password_hash = case when p_password is not null then extensions.crypt(p_password, extensions.gen_salt('bf', 10)) end
  where c.id = p_card_id;
  perform audit.log(
    case when sec.is_admin() then 'admin' else 'member' end, 'card.password_set', 'card', v_card.card_no,
    jsonb_build_object('is_set', p_password is not null));
  return true;
end;
$$;
comment on function public.set_card_binding_password(uuid, text) is
  'Owner, or admin of the house: the password by which others bind themselves, 6 to 72 bytes; NULL ends self-binding. Errors: '
  'NOT_AUTHENTICATED, PASSWORD_TOO_SHORT, MALFORMED_ARGUMENT, CARD_NOT_FOUND, PERMISSION_DENIED, MEMBER_NOT_ACTIVE (a suspended owner), '
  'CARD_TYPE_NOT_SHAREABLE.';
revoke all on function public.bind_member_to_card(uuid, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function public.bind_member_to_card(uuid, uuid, text, text) to authenticated;
revoke all on function public.set_card_binding_password(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.set_card_binding_password(uuid, text) to authenticated;
