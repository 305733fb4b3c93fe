-- The books are held to the rules of points and levels, not only to themselves.

create or replace function app.card_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  select 'balance_equals_entries', coalesce(c.card_no, e.card_id::text), format('%s against %s', coalesce(c.balance, 0), coalesce(e.total, 0))
  from app.cards c
  full join (select l.card_id, sum(l.delta) as total from app.ledger_entries l where l.account = 'card' group by l.card_id) e
    on e.card_id = c.id
  where c.balance is distinct from coalesce(e.total, 0)
  union all
  select 'balance_not_negative', c.card_no, c.balance::text from app.cards c where c.balance < 0
  union all
  select 'points_equal_point_ledger', c.card_no, format('%s against %s', c.points, coalesce(p.total, 0))
  from app.cards c
  left join (select l.card_id, sum(l.delta) as total from app.point_ledger l group by l.card_id) p on p.card_id = c.id
  where c.points <> coalesce(p.total, 0)
  union all
  -- While cards follow a new table of levels they may be on their way.
  select 'level_follows_points', c.card_no, format('level %s at %s points', c.level, c.points)
  from app.cards c
  join (select m.level, m.points_min, lead(m.points_min) over (order by m.points_min) as points_end from app.membership_levels m) l
    on c.points >= l.points_min and (l.points_end is null or c.points < l.points_end)
  where c.level <> l.level and (select s.is_settled from app.level_state s)
  union all
  -- Every step of a level is recorded, so the steps add up from level 0, in whatever order.
  select 'level_equals_its_changes', c.card_no, format('%s against %s', c.level, coalesce(x.total, 0))
  from app.cards c
  left join (
    select s.card_id, sum(s.step) as total
    from (
      select p.card_id, p.level_after - p.level_before as step from app.point_ledger p where p.level_after <> p.level_before
      union all
      select l.card_id, l.level_after - l.level_before from app.level_changes l) s
    group by s.card_id) x on x.card_id = c.id
  where c.level <> coalesce(x.total, 0)
$$;
comment on function app.card_violations() is
  'Balances, points and levels equal their ledgers, no balance is negative, the level follows from the points.';

create function app.earning_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  select 'payment_earns_by_the_rule', t.tx_no, format('%s for %s', t.points_earned, t.raw_amount)
  from app.transactions t
  join app.cards c on c.id = t.card_id
  join app.card_type_rules r on r.card_type = c.card_type
  where t.tx_type = 'payment'
    and t.points_earned <> case when r.earns_points and t.final_amount > 0 then floor(t.raw_amount) else 0 end
  union all
  select 'refunds_take_what_was_earned', t.tx_no, format('%s of %s at %s of %s', x.taken, t.points_earned, x.refunded, t.final_amount)
  from (
    select f.original_tx_id, -sum(f.points_earned) as taken, sum(f.final_amount) as refunded
    from app.transactions f where f.tx_type = 'refund' group by f.original_tx_id) x
  join app.transactions t on t.id = x.original_tx_id
  where t.final_amount > 0 and x.taken not between 0 and floor(t.points_earned * x.refunded / t.final_amount)
  union all
  select 'only_payments_earn', t.tx_no, t.points_earned::text
  from app.transactions t
  where t.tx_type not in ('payment', 'refund') and t.points_earned <> 0
$$;
comment on function app.earning_violations() is
  'Payments earn the whole units of their raw amount, where the card''s type earns and something is paid; refunds take back at most the share '
  'that they give back; nothing else earns.';

create or replace function public.verify_ledger()
returns table (rule text, object text, detail text)
language plpgsql stable security definer
set search_path = ''
-- Two dozen statements over all rows: compiling them takes longer than running them, and longer still before ANALYZE.
set jit = off
as $$
begin
  perform sec.require_admin_or_service();
  return query
    select v.* from app.booking_violations() v
    union all
    select v.* from app.card_violations() v
    union all
    select v.* from app.payment_violations() v
    union all
    select v.* from app.earning_violations() v
    union all
    select v.* from app.device_violations() v
    union all
    select v.* from app.recharge_violations() v
    union all
    select v.* from app.settlement_violations() v
    union all
    select v.* from app.merchant_violations() v
    union all
    select v.* from app.member_violations() v
    union all
    select v.* from app.reference_violations() v
    union all
    select v.* from app.idempotency_violations() v;
end;
$$;
revoke all on function public.verify_ledger() from public, anon, authenticated, service_role;
grant execute on function public.verify_ledger() to authenticated, service_role;

-- So it is with what else reads logs at length.
alter function public.get_transaction_trends(timestamptz, timestamptz, uuid, text) set jit = off;
