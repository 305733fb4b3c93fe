create function public.settle_late_transactions(p_merchant_id uuid, p_tx_nos text[], p_reason text)
returns uuid
language plpgsql security definer
set search_path = ''
set lock_timeout = '5s'
as $$
declare
  v_merchant app.merchants;
  v_now timestamptz;
  v_tx_ids uuid[];
  v_unknown text;
  v_start timestamptz;
  v_end timestamptz;
  v_settlement app.settlements;
begin
  perform sec.require_admin();
  if p_merchant_id is null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'merchant_id'));
  end if;
  if coalesce(cardinality(p_tx_nos), 0) not between 1 and rules.limit_int('page.rows_max') or array_position(p_tx_nos, null) is not null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'tx_nos'));
  end if;
  perform app.check_reason(p_reason);
  perform app.check_clock();
  v_merchant := app.lock_settling(p_merchant_id);
  v_now := app.wait_for_postings(p_merchant_id);
  perform sec.hold_admin();
  select array_agg(t.id), min(t.created_at), max(t.created_at) + interval '1 microsecond', min(n.tx_no) filter (where t.id is null)
  into v_tx_ids, v_start, v_end, v_unknown
  from (select distinct unnest(p_tx_nos) as tx_no) n
  left join app.transaction_numbers x on x.tx_no = n.tx_no
  left join app.transactions t
    on t.id = x.tx_id and t.merchant_id = p_merchant_id and t.tx_type in ('payment', 'refund', 'recharge')
      and not (t.tx_type = 'recharge' and app.is_reversed(t.id));
  if v_unknown is not null then
    perform rules.fail('TX_NOT_FOUND');
  end if;
  if exists (select from app.settlement_items i where i.tx_id = any (v_tx_ids)) then
    perform rules.fail('SETTLEMENT_ALREADY_EXISTS');
  end if;
  v_settlement := app.write_settlement(v_merchant, v_merchant.settlement_mode, v_start, v_end, v_now, v_tx_ids);
  perform audit.log('admin', 'settlement.generated', 'settlement', v_settlement.settlement_no, jsonb_build_object(
    'merchant_code', v_merchant.code, 'tx_nos', to_jsonb(p_tx_nos), 'reason', btrim(p_reason), 'net', v_settlement.net::text));
  return v_settlement.id;
end;
$$;
comment on function public.settle_late_transactions(uuid, text[], text) is
  'Admin: settles named payments, refunds and cash recharges of a merchant that no settlement will take by itself, as verify_ledger names '
  'them (transaction_is_found_by_the_next_settlement): 1 to 200, all or none, with a reason for the audit log. Its period runs from the first '
  'to the last of them; other settlements do not go by it. Answers its id. Errors, in this order: NOT_AUTHENTICATED, PERMISSION_DENIED, '
  'MALFORMED_ARGUMENT, CLOCK_IN_DOUBT, MERCHANT_NOT_FOUND, TX_NOT_FOUND, SETTLEMENT_ALREADY_EXISTS (one of them is settled).';
revoke all on function public.settle_late_transactions(uuid, text[], text) from public, anon, authenticated, service_role;
grant execute on function public.settle_late_transactions(uuid, text[], text) to authenticated;
