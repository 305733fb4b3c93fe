create function public.get_system_statistics()
returns table (topic text, kind text, status text, count bigint, amount numeric)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_day date := app.card_day(clock_timestamp());
begin
  if not sec.is_admin() then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  return query
    select s.topic, s.kind, s.status, s.count, s.amount
    from (
      select 'members' as topic, null::text as kind, m.status, count(*) as count, null::numeric as amount
      from app.member_profiles m group by m.status
      union all
      select 'merchants', null, m.status, count(*), null from app.merchants m group by m.status
      union all
      select 'cards', c.card_type, c.status, count(*), sum(c.balance) from app.cards c group by c.card_type, c.status
      union all
      select 'accounts', e.account, null, count(*), sum(e.delta) from app.ledger_entries e group by e.account
      union all
      select 'today', t.tx_type, null, count(*), sum(t.final_amount)
      from app.transactions t
      where t.id >= app.first_tx_id(v_day::timestamp at time zone app.setting('time_zone'))
        and t.created_at >= v_day::timestamp at time zone app.setting('time_zone')
      group by t.tx_type
    ) s
    order by s.topic, s.kind, s.status;
end;
$$;
comment on function public.get_system_statistics() is
  'Admin: rows (topic, kind, status, count, amount), absent where there is nothing to count. members and merchants by status; cards by '
  'type and status with their balances; accounts: the sum of all entries of each, what the house owes positive (card: to members, '
  'merchant_payable: to merchants); today: transactions by type since the house''s midnight. Exact, so it reads every card and entry: '
  'about a second for a million transactions, not for every minute. Errors, in this order: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.get_system_statistics() from public, anon, authenticated, service_role;
grant execute on function public.get_system_statistics() to authenticated;
