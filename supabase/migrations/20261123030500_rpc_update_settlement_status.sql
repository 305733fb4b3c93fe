create function app.post_payout(p_settlement app.settlements)
returns app.transactions
language plpgsql
set search_path = ''
as $$
declare
  v_payout numeric := greatest(p_settlement.net, 0);
  v_tx app.transactions;
begin
  v_tx.id := app.uuid_v7();
  v_tx.created_at := clock_timestamp();
  v_tx.tx_no := app.next_tx_no('STX');
  v_tx.tx_type := 'settlement';
  v_tx.merchant_id := p_settlement.merchant_id;
  v_tx.raw_amount := v_payout + p_settlement.fee;
  v_tx.discount := 1;
  v_tx.discount_source := 'none';
  v_tx.final_amount := v_tx.raw_amount;
  v_tx.points_earned := 0;
  v_tx.tag := jsonb_build_object('settlement_no', p_settlement.settlement_no);
  v_tx.actor_user_id := (sec.caller()).user_id;
  perform app.post_transaction(v_tx);
  -- What leaves the payable: items and fee of this settlement and the debt it carries, all but a debt of its own.
  insert into app.ledger_entries (tx_id, entry_no, account, merchant_id, delta)
  select v_tx.id, row_number() over (order by e.place), e.account, e.merchant_id, e.delta
  from (values
    (1, 'merchant_payable', p_settlement.merchant_id, -v_tx.final_amount),
    (2, 'payout_clearing', null::uuid, v_payout),
    (3, 'fee_income', null::uuid, p_settlement.fee)
  ) as e (place, account, merchant_id, delta)
  where e.delta <> 0;
  return v_tx;
end;
$$;
comment on function app.post_payout(app.settlements) is
  'Books a settlement as paid: payable -(payout + fee), payout clearing +payout, fee income +fee; payout = net, or 0 if that is negative. '
  'Each settlement books its own fee. A positive net clears the payable of its items and of the debt it carries to 0; a negative one '
  'leaves the payable at its net, which is what the next settlement carries. Entries of 0 are not written, so there may be none.';

create function public.update_settlement_status(p_settlement_id uuid, p_status text)
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
