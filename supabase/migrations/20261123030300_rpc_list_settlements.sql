create function sec.sees_payouts(p_merchant_id uuid)
returns boolean
language plpgsql stable
as $$
begin
  return sec.is_admin() or coalesce(sec.merchant_role(p_merchant_id) in ('owner', 'manager'), false);
end;
$$;
comment on function sec.sees_payouts(uuid) is 'Whether the caller may read what the merchant is paid: its owner, its managers, admins.';

create function sec.check_settlement_reader(p_merchant_id uuid, p_unknown_code text)
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if not sec.sees_payouts(p_merchant_id) then
    perform rules.fail(case when sec.merchant_role(p_merchant_id) is null then p_unknown_code else 'PERMISSION_DENIED' end);
  end if;
end;
$$;
comment on function sec.check_settlement_reader(uuid, text) is
  'Refuses everybody but admins and the merchant''s owner and managers; its cashier is denied, a stranger hears that there is none.';

create function public.list_settlements(p_merchant_id uuid, p_limit int default null, p_offset int default null)
returns table (
  settlement_id uuid, settlement_no text, mode text, period_start timestamptz, period_end timestamptz, gross numeric, refunds numeric,
  cash numeric, payment_count int, refund_count int, cash_count int, fee_bps int, fee numeric, carried_in numeric, net numeric,
  payout numeric, status text, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_rows int;
begin
  perform sec.require_user();
  if p_merchant_id is null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'merchant_id'));
  end if;
  v_rows := sec.page_rows(p_limit, p_offset);
  perform sec.check_settlement_reader(p_merchant_id, 'MERCHANT_NOT_FOUND');
  if not exists (select from app.merchants m where m.id = p_merchant_id) then
    perform rules.fail('MERCHANT_NOT_FOUND');
  end if;
  return query
    select
      s.id, s.settlement_no, s.mode, s.period_start, s.period_end, s.gross::numeric, s.refunds::numeric, s.cash::numeric,
      s.payment_count, s.refund_count, s.cash_count, s.fee_bps, s.fee::numeric, s.carried_in::numeric, s.net::numeric,
      greatest(s.net, 0)::numeric, s.status, s.created_at
    from app.settlements s
    where s.merchant_id = p_merchant_id
    order by s.period_end desc
    limit v_rows offset coalesce(p_offset, 0);
end;
$$;
comment on function public.list_settlements(uuid, int, int) is
  'A merchant''s settlements, the latest period first, for its owner, its managers and admins. Amounts in house currency; net = gross - '
  'refunds - cash - fee + carried_in; payout = net, or 0 when that is negative. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, '
  'PERMISSION_DENIED (a cashier), MERCHANT_NOT_FOUND.';
revoke all on function public.list_settlements(uuid, int, int) from public, anon, authenticated, service_role;
grant execute on function public.list_settlements(uuid, int, int) to authenticated;
