-- Totals and checks leave a reversed recharge out, as settlements do.

create or replace function app.transaction_totals(
  p_merchant_id uuid, p_start timestamptz, p_end timestamptz, p_group_by text, p_time_zone text)
returns table (
  bucket_start date, payment_count bigint, gross_amount numeric, refund_count bigint, refund_amount numeric,
  net_amount numeric, recharge_count bigint, recharge_amount numeric, points_earned bigint, points_taken bigint)
language plpgsql stable
set enable_seqscan = off
as $$
declare
  v_first_id uuid := app.first_tx_id(p_start);
  v_end_id uuid := app.end_tx_id(p_end);
  v_first_bucket timestamp := date_trunc(p_group_by, p_start at time zone p_time_zone);
begin
  return query
    with taken as (
      select t.id, t.created_at, t.tx_type, t.final_amount, t.points_earned
      from app.transactions t
      where p_merchant_id is not null and t.merchant_id = p_merchant_id and t.id >= v_first_id and t.id < v_end_id
      union all
      select t.id, t.created_at, t.tx_type, t.final_amount, t.points_earned
      from app.transactions t
      where p_merchant_id is null and t.id >= v_first_id and t.id < v_end_id
    ), totals as (
      select
        date_trunc(p_group_by, t.created_at at time zone p_time_zone) as bucket, t.tx_type,
        count(*) as number, sum(t.final_amount) as amount, sum(t.points_earned)::bigint as points
      from taken t
      where t.created_at >= p_start and t.created_at < p_end and t.tx_type in ('payment', 'refund', 'recharge')
        and not (t.tx_type = 'recharge' and app.is_reversed(t.id))
      group by 1, 2
    )
    select
      s.bucket::date,
      coalesce(p.number, 0), coalesce(p.amount, 0.00), coalesce(r.number, 0), coalesce(r.amount, 0.00),
      coalesce(p.amount, 0.00) - coalesce(r.amount, 0.00), coalesce(c.number, 0), coalesce(c.amount, 0.00),
      coalesce(p.points, 0), -coalesce(r.points, 0)
    from generate_series(
      v_first_bucket, (p_end - interval '1 microsecond') at time zone p_time_zone, ('1 ' || p_group_by)::interval) as s (bucket)
    left join totals p on p.bucket = s.bucket and p.tx_type = 'payment'
    left join totals r on r.bucket = s.bucket and r.tx_type = 'refund'
    left join totals c on c.bucket = s.bucket and c.tx_type = 'recharge'
    order by s.bucket;
end;
$$;
comment on function app.transaction_totals(uuid, timestamptz, timestamptz, text, text) is
  'Payments, refunds and recharges from start to before end, of one merchant or (NULL) of all, by day, week or month of a time zone; a '
  'bucket without any is 0. Reads each transaction of the period once, by id.';

create or replace function app.settlement_order_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  select 'settlement_periods_do_not_overlap', n.settlement_no, n.previous_no
  from (
    select s.settlement_no, s.period_start,
      lag(s.settlement_no) over w as previous_no, max(s.period_end) over (w rows between unbounded preceding and 1 preceding) as taken_until
    from app.settlements s
    where s.counts_as_period
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
    and not (t.tx_type = 'recharge' and app.is_reversed(t.id))
$$;
comment on function app.settlement_order_violations() is
  'Periods that overlap, debts carried twice or by nobody, and transactions that no settlement will ever find.';

create or replace function app.settlement_payout_violations()
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
      and not (t.tx_type = 'recharge' and app.is_reversed(t.id))
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

create or replace function app.booking_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  with booked as (
    select
      t.id, t.tx_no, t.tx_type, t.final_amount, c.card_type,
      count(e.tx_id) as entries,
      coalesce(sum(e.delta) filter (where e.account = 'card' and e.card_id = t.card_id), 0) as card_delta,
      coalesce(sum(e.delta) filter (where e.account = 'merchant_payable' and e.merchant_id = t.merchant_id), 0) as merchant_delta,
      coalesce(sum(e.delta) filter (where e.account = 'forfeited_vouchers'), 0) as forfeited
    from app.transactions t
    left join app.ledger_entries e on e.tx_id = t.id
    left join app.cards c on c.id = t.card_id
    group by t.id, t.tx_no, t.tx_type, t.final_amount, c.card_type
  )
  select 'entries_sum_to_zero', e.tx_id::text, sum(e.delta)::text
  from app.ledger_entries e group by e.tx_id having sum(e.delta) <> 0
  union all
  select 'entries_have_their_transaction', e.tx_id::text, count(*)::text
  from app.ledger_entries e
  where not exists (select from app.transactions t where t.id = e.tx_id)
  group by e.tx_id
  union all
  select 'transaction_has_its_entries', b.tx_no,
         format('%s entries, card %s, merchant %s of %s', b.entries, b.card_delta, b.merchant_delta, b.final_amount)
  from booked b
  where not case
    when b.final_amount = 0 then b.entries = 0
    when b.tx_type = 'payment' and b.card_type = 'voucher' then
      b.merchant_delta = b.final_amount and b.forfeited >= 0 and b.card_delta = -b.final_amount - b.forfeited
      and b.entries = 2 + (b.forfeited > 0)::int
    when b.tx_type = 'payment' then
      b.card_delta = -b.final_amount and b.merchant_delta = b.final_amount and b.entries = 2
    when b.tx_type = 'refund' then
      b.card_delta = b.final_amount and b.merchant_delta = -b.final_amount and b.entries = 2
    when b.tx_type = 'recharge' then b.card_delta = b.final_amount and b.entries = 2
    when b.tx_type = 'reversal' then
      b.card_delta = -b.final_amount and b.merchant_delta = b.final_amount and b.entries = 2
    when b.tx_type = 'adjustment' then abs(b.card_delta) = b.final_amount and b.entries = 2
    else b.entries >= 2
  end
  union all
  select 'transaction_has_its_number', t.tx_no, t.id::text
  from app.transactions t
  left join app.transaction_numbers n on n.tx_no = t.tx_no and n.tx_id = t.id
  where n.tx_id is null
  union all
  select 'number_has_its_transaction', n.tx_no, n.tx_id::text
  from app.transaction_numbers n
  left join app.transactions t on t.id = n.tx_id and t.tx_no = n.tx_no
  where t.id is null
$$;
comment on function app.booking_violations() is
  'Transactions, their entries and their numbers: entries sum to zero, each has the others, the amounts agree.';

create or replace function app.recharge_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  select 'credited_payment_has_its_transaction', p.provider_tx_id, coalesce(t.tx_no, 'none')
  from app.recharge_payments p
  join app.recharge_orders o on o.id = p.order_id
  left join app.transactions t on t.id = p.tx_id
  left join app.ledger_entries e on e.tx_id = t.id and e.account = p.provider || '_clearing'
  where p.status = 'credited'
    and (t.tx_type = 'recharge' and t.card_id = o.card_id and e.delta = -p.amount and p.currency = o.currency) is not true
  union all
  select 'recharge_has_its_source', t.tx_no, coalesce(e.account, 'none')
  from app.transactions t
  left join app.ledger_entries e on e.tx_id = t.id and e.account <> 'card'
  where t.tx_type = 'recharge' and (e.delta = -t.final_amount and case
    when t.merchant_id is not null then e.account = 'merchant_payable' and e.merchant_id = t.merchant_id
    when e.account in ('wechat_clearing', 'alipay_clearing') then exists (select from app.recharge_payments p where p.tx_id = t.id)
    else e.account = 'cash_clearing' end) is not true
  union all
  select 'order_status_follows_its_payments', o.order_no, format('%s with %s credited, %s to review', o.status, p.credited, p.to_review)
  from app.recharge_orders o
  cross join lateral (
    select count(*) filter (where r.status = 'credited') as credited, count(*) filter (where r.status = 'needs_review') as to_review,
      count(*) as reported
    from app.recharge_payments r where r.order_id = o.id) p
  where not case o.status
    when 'completed' then p.credited > 0
    when 'needs_review' then p.credited = 0 and p.to_review > 0
    when 'refunded_outside' then p.credited = 0 and p.to_review = 0 and p.reported > 0
    else p.reported = 0 end
  union all
  select 'order_is_credited_once_by_itself', o.order_no, count(*)::text
  from app.recharge_payments p
  join app.recharge_orders o on o.id = p.order_id
  where p.status = 'credited' and p.review_reason is null
  group by o.order_no having count(*) > 1
  union all
  select 'reversal_takes_back_its_recharge', r.tx_no, r.original_tx_id::text
  from app.transactions r
  left join app.transactions t on t.id = r.original_tx_id
  where r.tx_type = 'reversal' and (
    t.tx_type = 'recharge' and t.merchant_id = r.merchant_id and t.card_id = r.card_id and t.final_amount = r.final_amount
    and not exists (select from app.settlement_items i where i.tx_id in (t.id, r.id))
    and not exists (select from app.transactions o where o.original_tx_id = t.id and o.id <> r.id)) is not true
  union all
  select 'cash_order_has_its_recharge', c.external_order_id, c.tx_id::text
  from app.cash_orders c
  left join app.transactions t on t.id = c.tx_id and t.tx_type = 'recharge' and t.external_order_id = c.external_order_id
  where t.id is null
$$;
comment on function app.recharge_violations() is
  'A row for each violation about recharges, their orders and the payments that providers reported.';
