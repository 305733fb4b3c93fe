create function public.set_card_binding_password(p_card_id uuid, p_password text)
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
  'Owner, or admin of the house: the password by which others bind themselves, 6 to 72 bytes; NULL ends self-binding. '
  'Errors: NOT_AUTHENTICATED, PASSWORD_TOO_SHORT, MALFORMED_ARGUMENT, CARD_NOT_FOUND, PERMISSION_DENIED, CARD_TYPE_NOT_SHAREABLE.';
revoke all on function public.set_card_binding_password(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.set_card_binding_password(uuid, text) to authenticated;
