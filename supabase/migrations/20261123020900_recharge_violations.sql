create function app.recharge_violations()
returns table (rule text, object text, detail text)
language sql stable
set search_path = ''
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
  select 'cash_order_has_its_recharge', c.external_order_id, c.tx_id::text
  from app.cash_orders c
  left join app.transactions t on t.id = c.tx_id and t.tx_type = 'recharge' and t.external_order_id = c.external_order_id
  where t.id is null
$$;
comment on function app.recharge_violations() is
  'A row for each violation about recharges, their orders and the payments that providers reported.';
