create function public.retire_terminal(p_terminal_code text)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_terminal app.terminals;
  v_actor_role text;
begin
  select t.* into v_terminal
  from app.terminals t
  where t.code = p_terminal_code
    and (sec.is_admin() or exists (select from app.merchant_users u where u.merchant_id = t.merchant_id and u.user_id = v_user_id))
  for no key update of t;
  if v_terminal.code is null then
    perform rules.fail('TERMINAL_NOT_FOUND');
  end if;
  v_actor_role := sec.require_merchant_owner(v_terminal.merchant_id);
  if v_terminal.status = 'retired' then
    return false;
  end if;
  update app.terminals t set status = 'retired' where t.code = p_terminal_code;
  perform audit.log(v_actor_role, 'terminal.retired', 'terminal', v_terminal.code, jsonb_build_object(
    'merchant_code', (select m.code from app.merchants m where m.id = v_terminal.merchant_id)));
  return true;
end;
$$;
comment on function public.retire_terminal(text) is
  'Admin or owner of its merchant: the terminal charges no more, and its code is never used again. false: it was retired. '
  'Errors: NOT_AUTHENTICATED, TERMINAL_NOT_FOUND, PERMISSION_DENIED.';
revoke all on function public.retire_terminal(text) from public, anon, authenticated, service_role;
grant execute on function public.retire_terminal(text) to authenticated;
