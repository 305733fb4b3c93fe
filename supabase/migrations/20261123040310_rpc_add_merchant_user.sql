create function public.add_merchant_user(p_merchant_id uuid, p_user_id uuid, p_role text)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_actor_role text;
  v_role_before text;
begin
  perform sec.require_user();
  if p_role is null or p_role not in ('owner', 'manager', 'cashier') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'role'));
  end if;
  v_actor_role := app.lock_merchant_users(p_merchant_id);
  perform sec.require_known_user(p_user_id);
  select u.role into v_role_before from app.merchant_users u where u.merchant_id = p_merchant_id and u.user_id = p_user_id;
  if v_role_before is not distinct from p_role then
    return false;
  end if;
  if v_role_before = 'owner' and v_actor_role <> 'admin' then
    perform app.check_owner_remains(p_merchant_id, p_user_id);
  end if;
  insert into app.merchant_users (merchant_id, user_id, role) values (p_merchant_id, p_user_id, p_role)
  on conflict (merchant_id, user_id) do update set role = excluded.role;
  perform audit.log(
    v_actor_role, 'merchant.user_added', 'merchant', (select m.code from app.merchants m where m.id = p_merchant_id),
    jsonb_build_object('user_id', p_user_id, 'role', p_role, 'role_before', v_role_before));
  return true;
end;
$$;
comment on function public.add_merchant_user(uuid, uuid, text) is
  'Admin or owner of the merchant: lets a signed-up user work for it as owner, manager or cashier, or changes the role. false: he is so '
  'already. An owner cannot lower the last owner, an admin can. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, MERCHANT_NOT_FOUND, '
  'PERMISSION_DENIED, USER_NOT_FOUND, CANNOT_REMOVE_LAST_OWNER.';
revoke all on function public.add_merchant_user(uuid, uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.add_merchant_user(uuid, uuid, text) to authenticated;
