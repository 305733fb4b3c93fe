-- What must hold of transactions and cards, for verify_ledger. The other nouns have theirs beside their tables.

create function app.booking_violations()
returns table (rule text, object text, detail text)
language sql stable
set search_path = ''
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

create function app.card_violations()
returns table (rule text, object text, detail text)
language sql stable
set search_path = ''
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
  select 'level_follows_points', c.card_no, format('level %s at %s points', c.level, c.points)
  from app.cards c
  join (select m.level, m.points_min, lead(m.points_min) over (order by m.points_min) as points_end from app.membership_levels m) l
    on c.points >= l.points_min and (l.points_end is null or c.points < l.points_end)
  where c.level <> l.level
$$;
comment on function app.card_violations() is
  'Balances and points equal their ledgers, no balance is negative, the level follows from the points.';

create function app.payment_violations()
returns table (rule text, object text, detail text)
language sql stable
set search_path = ''
as $$
  select 'price_is_right', t.tx_no, format('%s x %s = %s', t.raw_amount, t.discount, t.final_amount)
  from app.transactions t
  where t.final_amount is distinct from rules.final_price(t.raw_amount, t.discount)
  union all
  select 'transaction_has_its_points', t.tx_no, format('%s of %s', coalesce(p.total, 0), t.points_earned)
  from app.transactions t
  left join (
    select l.tx_id, l.card_id, sum(l.delta) as total from app.point_ledger l where l.tx_id is not null group by l.tx_id, l.card_id) p
    on p.tx_id = t.id and p.card_id = t.card_id
  where coalesce(p.total, 0) <> t.points_earned
  union all
  select 'refunds_within_payment', t.tx_no, format('%s of %s', r.total, t.final_amount)
  from (select x.original_tx_id, sum(x.final_amount) as total from app.transactions x
        where x.original_tx_id is not null group by x.original_tx_id) r
  join app.transactions t on t.id = r.original_tx_id
  where r.total > t.final_amount
  union all
  select 'refund_matches_payment', r.tx_no, r.original_tx_id::text
  from app.transactions r
  left join app.transactions t on t.id = r.original_tx_id
  left join app.cards c on c.id = t.card_id
  where r.tx_type = 'refund' and (
    t.tx_type is distinct from 'payment' or t.merchant_id is distinct from r.merchant_id
    or (c.card_type is distinct from 'voucher' and t.card_id is distinct from r.card_id))
  union all
  select 'one_payment_a_code', min(t.tx_no), format('%s payments', count(*))
  from app.transactions t where t.payment_code_id is not null
  group by t.payment_code_id having count(*) > 1
  union all
  select 'payment_consumed_its_code', t.tx_no, coalesce(p.id::text, 'no code')
  from app.transactions t left join app.payment_codes p on p.id = t.payment_code_id
  where t.tx_type = 'payment' and t.device_handle is null and (t.payment_code_id is null or (p.id is not null and p.consumed_tx_id is distinct from t.id))
  union all
  select 'consumed_code_has_its_payment', p.id::text, p.consumed_tx_id::text
  from app.payment_codes p
  left join app.transactions t on t.id = p.consumed_tx_id and t.payment_code_id = p.id
  where p.consumed_tx_id is not null and t.id is null
  union all
  select 'order_has_its_payment', o.external_order_id, o.tx_id::text
  from app.merchant_orders o
  left join app.transactions t
    on t.id = o.tx_id and t.merchant_id = o.merchant_id and t.external_order_id = o.external_order_id
  where t.id is null
$$;
comment on function app.payment_violations() is
  'Prices, points, refunds within their payment, one payment a code, orders that name their payment.';

