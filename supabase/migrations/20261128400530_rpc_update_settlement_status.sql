create or replace function public.update_settlement_status(p_settlement_id uuid, p_status text)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_admin_id uuid := sec.require_admin();
  v_settlement app.settlements;
  v_tx app.transactions;
begin
  if p_settlement_id is null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'settlement_id'));
  end if;
  if p_status is null or p_status not in ('pending', 'settled', 'paid', 'failed') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'status'));
  end if;
  select s.* into v_settlement from app.settlements s where s.id = p_settlement_id for no key update;
  perform sec.hold_admin();
  if v_settlement.id is null then
    perform rules.fail('SETTLEMENT_NOT_FOUND');
  end if;
  if v_settlement.status = p_status then
    return false;
  end if;
  if (v_settlement.status, p_status) not in (
    ('pending', 'settled'), ('settled', 'paid'), ('pending', 'failed'), ('settled', 'failed'), ('failed', 'pending'))
  then
    perform rules.fail('SETTLEMENT_STATUS_CONFLICT', jsonb_build_object('status', v_settlement.status));
  end if;
  if p_status = 'paid' then
    v_tx := app.post_payout(v_settlement);
  end if;
  update app.settlements s
  set status = p_status, payout_tx_id = v_tx.id, updated_at = clock_timestamp()
  where s.id = p_settlement_id;
  perform audit.log('admin', 'settlement.status_changed', 'settlement', v_settlement.settlement_no, jsonb_build_object(
    'from', v_settlement.status, 'to', p_status, 'tx_no', v_tx.tx_no));
  return true;
end;
$$;
comment on function public.update_settlement_status(uuid, text) is
  'Admin: pending -> settled -> paid, pending or settled -> failed, failed -> pending; paid is for ever. Paying writes the STX '
  'transaction, once. false: it had that status already. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT, '
  'SETTLEMENT_NOT_FOUND, SETTLEMENT_STATUS_CONFLICT.';
revoke all on function public.update_settlement_status(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.update_settlement_status(uuid, text) to authenticated;
