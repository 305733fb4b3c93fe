-- After it returned no charge of this terminal commits any more.

create or replace function public.retire_terminal(p_terminal_code text)
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
    and (sec.is_admin() or exists (select from app.merchant_users u where u.merchant_id = t.merchant_id and u.user_id = v_user_id));
  if v_terminal.code is null then
    perform rules.fail('TERMINAL_NOT_FOUND');
  end if;
  -- Waits for the charges that the terminal is making. Its merchant never changes.
  v_actor_role := app.lock_merchant_users(v_terminal.merchant_id);
  select t.* into strict v_terminal from app.terminals t where t.code = p_terminal_code;
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
  'Admin or owner of its merchant: the terminal charges no more: no charge of it commits after this returned. Its code is never used '
  'again. false: it was retired. Errors: NOT_AUTHENTICATED, TERMINAL_NOT_FOUND, PERMISSION_DENIED, MERCHANT_NOT_FOUND (dismissed '
  'meanwhile).';
revoke all on function public.retire_terminal(text) from public, anon, authenticated, service_role;
grant execute on function public.retire_terminal(text) to authenticated;
