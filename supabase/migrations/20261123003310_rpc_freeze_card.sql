create function public.freeze_card(p_card_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  return app.move_card_status(
    app.lock_card_for_admin_or_owner(p_card_id, array['owner', 'admin']), 'frozen', 'card.frozen');
end;
$$;
comment on function public.freeze_card(uuid) is
  'Admin, or the card''s owner or admin. No charge commits after it returned. '
  'Errors: NOT_AUTHENTICATED, CARD_NOT_FOUND, PERMISSION_DENIED, CARD_STATUS_CONFLICT.';
revoke all on function public.freeze_card(uuid) from public, anon, authenticated, service_role;
grant execute on function public.freeze_card(uuid) to authenticated;
