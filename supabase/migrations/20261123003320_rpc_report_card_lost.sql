create function public.report_card_lost(p_card_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  return app.move_card_status(
    app.lock_card_for_admin_or_owner(p_card_id, array['owner', 'admin']), 'lost', 'card.lost');
end;
$$;
comment on function public.report_card_lost(uuid) is
  'Admin, or the card''s owner or admin. Only an admin undoes it. '
  'Errors: NOT_AUTHENTICATED, CARD_NOT_FOUND, PERMISSION_DENIED, CARD_STATUS_CONFLICT.';
revoke all on function public.report_card_lost(uuid) from public, anon, authenticated, service_role;
grant execute on function public.report_card_lost(uuid) to authenticated;
