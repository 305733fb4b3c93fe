create function public.remove_merchant_user(p_merchant_id uuid, p_user_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_actor_role text := app.lock_merchant_users(p_merchant_id);
  v_role_before text;
begin
  select u.role into v_role_before from app.merchant_users u where u.merchant_id = p_merchant_id and u.user_id = p_user_id;
  if v_role_before is null then
    return false;
  end if;
  if v_role_before = 'owner' and v_actor_role <> 'admin' then
    perform app.check_owner_remains(p_merchant_id, p_user_id);
  end if;
  delete from app.merchant_users u where u.merchant_id = p_merchant_id and u.user_id = p_user_id;
  perform audit.log(
    v_actor_role, 'merchant.user_removed', 'merchant', (select m.code from app.merchants m where m.id = p_merchant_id),
    jsonb_build_object('user_id', p_user_id, 'role_before', v_role_before));
  return true;
end;
$$;
comment on function public.remove_merchant_user(uuid, uuid) is
  'Admin or owner of the merchant: a user does not work for it any more. false: he did not. An owner cannot remove the last owner, an '
  'admin can. Errors: NOT_AUTHENTICATED, MERCHANT_NOT_FOUND, PERMISSION_DENIED, CANNOT_REMOVE_LAST_OWNER.';
revoke all on function public.remove_merchant_user(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.remove_merchant_user(uuid, uuid) to authenticated;
