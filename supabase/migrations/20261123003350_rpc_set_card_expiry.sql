create function public.set_card_expiry(p_card_id uuid, p_expires_at timestamptz)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_admin_id uuid := sec.require_admin();
  v_card app.cards := app.lock_card_for_admin_or_owner(p_card_id, '{}');
begin
  if v_card.status = 'closed' then
    perform rules.fail('CARD_STATUS_CONFLICT', jsonb_build_object('status', v_card.status));
  end if;
  if p_expires_at <= clock_timestamp() or not isfinite(p_expires_at) then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'expires_at'));
  end if;
  update app.cards c
  set expires_at = p_expires_at, status = case when c.status = 'expired' then 'active' else c.status end
  where c.id = p_card_id;
  perform audit.log('admin', 'card.expiry_set', 'card', v_card.card_no, jsonb_build_object('expires_at', p_expires_at));
  return true;
end;
$$;
comment on function public.set_card_expiry(uuid, timestamptz) is
  'Admin: a new expiry in the future, or NULL for none; an expired card is active again. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, CARD_NOT_FOUND, CARD_STATUS_CONFLICT, MALFORMED_ARGUMENT.';
revoke all on function public.set_card_expiry(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function public.set_card_expiry(uuid, timestamptz) to authenticated;
