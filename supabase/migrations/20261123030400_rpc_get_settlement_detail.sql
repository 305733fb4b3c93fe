create function app.settlement_items_page(p_settlement_id uuid, p_limit int, p_offset int)
returns jsonb
language plpgsql stable
set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'tx_no', i.tx_no, 'tx_type', i.tx_type, 'final_amount', i.final_amount::text, 'created_at', i.created_at) order by i.id), '[]')
    from (
      select t.id, t.tx_no, t.tx_type, t.final_amount, t.created_at
      from app.settlement_items s
      join app.transactions t on t.id = s.tx_id
      where s.settlement_id = p_settlement_id
      order by s.tx_id
      limit p_limit offset p_offset) i);
end;
$$;
comment on function app.settlement_items_page(uuid, int, int) is 'A page of a settlement''s transactions, by id.';

create function public.get_settlement_detail(p_settlement_id uuid, p_limit int default null, p_offset int default null)
returns table (
  settlement_id uuid, settlement_no text, merchant_id uuid, merchant_code text, mode text, period_start timestamptz,
  period_end timestamptz, gross numeric, refunds numeric, cash numeric, payment_count int, refund_count int, cash_count int, fee_bps int,
  fee numeric, carried_in numeric, net numeric, payout numeric, status text, carried_from_no text, carried_to_no text, payout_tx_no text,
  created_at timestamptz, updated_at timestamptz, items jsonb)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_rows int;
  v_settlement app.settlements;
begin
  perform sec.require_user();
  if p_settlement_id is null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'settlement_id'));
  end if;
  v_rows := sec.page_rows(p_limit, p_offset);
  select s.* into v_settlement from app.settlements s where s.id = p_settlement_id;
  perform sec.check_settlement_reader(v_settlement.merchant_id, 'SETTLEMENT_NOT_FOUND');
  if v_settlement.id is null then
    perform rules.fail('SETTLEMENT_NOT_FOUND');
  end if;
  return query
    select
      s.id, s.settlement_no, m.id, m.code, s.mode, s.period_start, s.period_end, s.gross::numeric, s.refunds::numeric, s.cash::numeric,
      s.payment_count, s.refund_count, s.cash_count, s.fee_bps, s.fee::numeric, s.carried_in::numeric, s.net::numeric,
      greatest(s.net, 0)::numeric, s.status, f.settlement_no, n.settlement_no, t.tx_no, s.created_at, s.updated_at,
      app.settlement_items_page(s.id, v_rows, coalesce(p_offset, 0))
    from app.settlements s
    join app.merchants m on m.id = s.merchant_id
    left join app.settlements f on f.id = s.carried_from
    left join app.settlements n on n.carried_from = s.id
    left join app.transactions t on t.id = s.payout_tx_id
    where s.id = p_settlement_id;
end;
$$;
comment on function public.get_settlement_detail(uuid, int, int) is
  'One settlement and a page of its transactions: items is an array of {tx_no, tx_type, final_amount (decimal text), created_at}. For the '
  'merchant''s owner, its managers and admins. carried_from_no: the settlement whose debt is its carried_in; carried_to_no: the one that '
  'carried its own. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, PERMISSION_DENIED (a cashier), SETTLEMENT_NOT_FOUND.';
revoke all on function public.get_settlement_detail(uuid, int, int) from public, anon, authenticated, service_role;
grant execute on function public.get_settlement_detail(uuid, int, int) to authenticated;
