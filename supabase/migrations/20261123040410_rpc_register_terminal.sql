create function public.register_terminal(p_merchant_id uuid, p_label text)
returns table (terminal_code text, merchant_id uuid, label text, status text, created_at timestamptz)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_actor_role text;
  v_label text;
  v_terminal app.terminals;
begin
  perform sec.require_user();
  v_label := sec.bounded_text(p_label, 64, 'label');
  if v_label is null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'label'));
  end if;
  v_actor_role := sec.require_merchant_owner(p_merchant_id);
  while v_terminal.code is null loop
    insert into app.terminals (code, merchant_id, label) values (app.draw_terminal_code(), p_merchant_id, v_label)
    on conflict (code) do nothing
    returning * into v_terminal;
  end loop;
  perform audit.log(
    v_actor_role, 'terminal.registered', 'terminal', v_terminal.code,
    jsonb_build_object('merchant_code', (select m.code from app.merchants m where m.id = p_merchant_id), 'label', v_label));
  return query select v_terminal.code, v_terminal.merchant_id, v_terminal.label, v_terminal.status, v_terminal.created_at;
end;
$$;
comment on function public.register_terminal(uuid, text) is
  'Admin or owner of the merchant: a new point of sale with a fresh code of six characters 0-9A-Z, which is never used again. '
  'The label has 1 to 64 characters. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, MERCHANT_NOT_FOUND, PERMISSION_DENIED.';
revoke all on function public.register_terminal(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.register_terminal(uuid, text) to authenticated;
