create function public.unfreeze_card(p_card_id uuid)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_admin_id uuid := sec.require_admin();
  v_card app.cards := app.lock_card_for_admin_or_owner(p_card_id, '{}');
begin
  if v_card.status = 'expired' then
    perform rules.fail('CARD_STATUS_CONFLICT', jsonb_build_object('status', v_card.status));
  end if;
  return app.move_card_status(v_card, 'active', 'card.unfrozen');
end;
$$;
comment on function public.unfreeze_card(uuid) is
  'Admin: a frozen or lost card is active again; an expired one needs set_card_expiry. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, CARD_NOT_FOUND, CARD_STATUS_CONFLICT.';
revoke all on function public.unfreeze_card(uuid) from public, anon, authenticated, service_role;
grant execute on function public.unfreeze_card(uuid) to authenticated;
