create function public.close_card(p_card_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_admin_id uuid := sec.require_admin();
begin
  return app.move_card_status(app.lock_card_for_admin_or_owner(p_card_id, '{}'), 'closed', 'card.closed');
end;
$$;
comment on function public.close_card(uuid) is
  'Admin: ends an empty card for ever. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, CARD_NOT_FOUND, CARD_STATUS_CONFLICT, CARD_BALANCE_NOT_ZERO.';
revoke all on function public.close_card(uuid) from public, anon, authenticated, service_role;
grant execute on function public.close_card(uuid) to authenticated;
