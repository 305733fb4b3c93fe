-- What must hold of settlements, for verify_ledger.

create function app.settlement_sum_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  with summed as (
    select
      i.settlement_id,
      coalesce(sum(t.final_amount) filter (where t.tx_type = 'payment'), 0) as gross,
      coalesce(sum(t.final_amount) filter (where t.tx_type = 'refund'), 0) as refunds,
      coalesce(sum(t.final_amount) filter (where t.tx_type = 'recharge'), 0) as cash,
      count(*) filter (where t.tx_type = 'payment') as payment_count,
      count(*) filter (where t.tx_type = 'refund') as refund_count,
      count(*) filter (where t.tx_type = 'recharge') as cash_count
    from app.settlement_items i
    join app.transactions t on t.id = i.tx_id
    group by i.settlement_id
  )
  select 'settlement_equals_its_items', s.settlement_no,
    format('%s - %s - %s of %s + %s + %s items', x.gross, x.refunds, x.cash, x.payment_count, x.refund_count, x.cash_count)
  from app.settlements s
  left join summed x on x.settlement_id = s.id
  where (s.gross, s.refunds, s.cash, s.payment_count, s.refund_count, s.cash_count)
    is distinct from (x.gross, x.refunds, x.cash, x.payment_count, x.refund_count, x.cash_count)
  union all
  select 'settlement_formula', s.settlement_no, format('fee %s, net %s', s.fee, s.net)
  from app.settlements s
  where s.fee is distinct from rules.settlement_fee(s.gross - s.refunds, s.fee_bps)
     or s.net is distinct from s.gross - s.refunds - s.cash - s.fee + s.carried_in
  union all
  select 'settlement_item_is_its_own', coalesce(s.settlement_no, i.settlement_id::text), coalesce(t.tx_no, i.tx_id::text)
  from app.settlement_items i
  left join app.settlements s on s.id = i.settlement_id
  left join app.transactions t on t.id = i.tx_id
  where (t.merchant_id = s.merchant_id and t.tx_type in ('payment', 'refund', 'recharge') and t.created_at < s.period_end) is not true
$$;
comment on function app.settlement_sum_violations() is
  'Settlements that are not the sum of their items, fee and carried debt, and items of another merchant, type or time.';

create function app.settlement_order_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  select 'settlement_periods_do_not_overlap', n.settlement_no, n.previous_no
  from (
    select s.settlement_no, s.period_start,
      lag(s.settlement_no) over w as previous_no, max(s.period_end) over (w rows between unbounded preceding and 1 preceding) as taken_until
    from app.settlements s
    window w as (partition by s.merchant_id order by s.period_start, s.period_end)) n
  where n.period_start < n.taken_until
  union all
  select 'settlement_carries_a_debt_once', s.settlement_no, format('%s of %s', s.carried_in, coalesce(d.settlement_no, 'none'))
  from app.settlements s
  left join app.settlements d on d.id = s.carried_from
  where s.carried_in is distinct from coalesce(d.net, 0) or d.merchant_id is distinct from case when d.id is not null then s.merchant_id end
     or exists (select from app.settlements o where o.carried_from = s.carried_from and o.id <> s.id)
  union all
  select 'settlement_debt_is_carried_by_the_next', d.settlement_no, format('%s not carried', d.net)
  from app.settlements d
  where d.net < 0
    and not exists (select from app.settlements n where n.carried_from = d.id)
    and exists (
      select from app.settlements l
      where l.merchant_id = d.merchant_id and (length(l.settlement_no), l.settlement_no) > (length(d.settlement_no), d.settlement_no))
  union all
  select 'transaction_is_found_by_the_next_settlement', t.tx_no, t.created_at::text
  from (select m.id, app.unsettled_from(m.id) as from_id from app.merchants m) m
  join app.transactions t on t.merchant_id = m.id and t.id < m.from_id and t.tx_type in ('payment', 'refund', 'recharge')
  where not exists (select from app.settlement_items i where i.tx_id = t.id)
$$;
comment on function app.settlement_order_violations() is
  'Periods that overlap, debts carried twice or by nobody, and transactions that no settlement will ever find.';

create function app.settlement_payout_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  with booked as (
    select
      t.id, t.tx_no, t.merchant_id, t.final_amount,
      count(e.tx_id) as entries,
      coalesce(sum(e.delta) filter (where e.account = 'merchant_payable' and e.merchant_id = t.merchant_id), 0) as payable,
      coalesce(sum(e.delta) filter (where e.account = 'payout_clearing'), 0) as payout,
      coalesce(sum(e.delta) filter (where e.account = 'fee_income'), 0) as fee
    from app.transactions t
    left join app.ledger_entries e on e.tx_id = t.id
    where t.tx_type = 'settlement'
    group by t.id, t.tx_no, t.merchant_id, t.final_amount
  ), owed as (
    select t.merchant_id, case t.tx_type when 'payment' then t.final_amount else -t.final_amount end as amount
    from app.transactions t
    where t.merchant_id is not null and t.tx_type in ('payment', 'refund', 'recharge')
      and not exists (select from app.settlement_items i where i.tx_id = t.id)
    union all
    -- Not paid: what its items are worth. Paid: less payout and fee, that is its own debt less the one it carried.
    select s.merchant_id,
      s.gross - s.refunds - s.cash - case when s.status = 'paid' then greatest(s.net, 0) + s.fee else 0 end
    from app.settlements s
  )
  select 'settlement_paid_has_its_transaction', s.settlement_no, coalesce(b.tx_no, 'none')
  from app.settlements s
  left join booked b on b.id = s.payout_tx_id
  where case when s.status = 'paid' then
    (b.merchant_id = s.merchant_id and b.final_amount = greatest(s.net, 0) + s.fee and b.payable = -b.final_amount
      and b.payout = greatest(s.net, 0) and b.fee = s.fee
      and b.entries = (b.payable <> 0)::int + (b.payout <> 0)::int + (b.fee <> 0)::int) is not true
    else s.payout_tx_id is not null end
  union all
  select 'settlement_transaction_has_its_settlement', b.tx_no, b.final_amount::text
  from booked b
  where (select count(*) from app.settlements s where s.payout_tx_id = b.id) <> 1
  union all
  select 'payable_is_what_is_owed', coalesce(m.code, x.merchant_id::text), format('%s against %s', x.payable, x.owed)
  from (
    select coalesce(p.merchant_id, o.merchant_id) as merchant_id, coalesce(p.payable, 0) as payable, coalesce(o.owed, 0) as owed
    from (select e.merchant_id, sum(e.delta) as payable from app.ledger_entries e where e.account = 'merchant_payable' group by 1) p
    full join (select w.merchant_id, sum(w.amount) as owed from owed w group by 1) o on o.merchant_id = p.merchant_id) x
  left join app.merchants m on m.id = x.merchant_id
  where x.payable <> x.owed
$$;
comment on function app.settlement_payout_violations() is
  'Payouts that are missing, wrong or nobody''s, and merchants whose payable is not what is unsettled, unpaid and carried.';

create function app.settlement_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  select v.* from app.settlement_sum_violations() v
  union all
  select v.* from app.settlement_order_violations() v
  union all
  select v.* from app.settlement_payout_violations() v
$$;
comment on function app.settlement_violations() is
  'One row for each violation of what must hold of settlements. Reads everything; for verify_ledger.';
