create function public.verify_ledger()
returns table (rule text, object text, detail text)
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform sec.require_admin_or_service();
  return query
    select 'entries_sum_to_zero', e.tx_id::text, sum(e.delta)::text
    from app.ledger_entries e group by e.tx_id having sum(e.delta) <> 0
    union all
    select 'entries_have_their_transaction', e.tx_id::text, count(*)::text
    from app.ledger_entries e
    where not exists (select from app.transactions t where t.id = e.tx_id)
    group by e.tx_id
    union all
    select 'transaction_has_its_entries', t.tx_no, format('%s of %s', coalesce(e.card_delta::text, 'none'), t.final_amount)
    from app.transactions t
    join app.cards c on c.id = t.card_id
    left join lateral (
      select sum(l.delta) as card_delta from app.ledger_entries l where l.tx_id = t.id and l.account = 'card') e on true
    where t.final_amount > 0 and t.card_id is not null
      and case when t.tx_type = 'payment' and c.card_type <> 'voucher' then e.card_delta is distinct from -t.final_amount
               when t.tx_type = 'payment' then coalesce(e.card_delta > -t.final_amount, true)
               when t.tx_type in ('refund', 'recharge') then e.card_delta is distinct from t.final_amount
               else abs(e.card_delta) is distinct from t.final_amount end
    union all
    select 'merchant_gets_the_payment', t.tx_no, coalesce(e.delta::text, 'none')
    from app.transactions t
    left join app.ledger_entries e on e.tx_id = t.id and e.account = 'merchant_payable' and e.merchant_id = t.merchant_id
    where t.tx_type = 'payment' and t.final_amount > 0 and e.delta is distinct from t.final_amount
    union all
    select 'transaction_has_its_points', t.tx_no, format('%s of %s', coalesce(p.earned, 0), t.points_earned)
    from app.transactions t
    left join lateral (
      select sum(l.delta) as earned from app.point_ledger l where l.card_id = t.card_id and l.tx_id = t.id) p on true
    where coalesce(p.earned, 0) <> t.points_earned
    union all
    select 'transaction_has_its_number', t.tx_no, t.id::text
    from app.transactions t
    left join app.transaction_numbers n on n.tx_no = t.tx_no and n.tx_id = t.id
    where n.tx_id is null
    union all
    select 'balance_equals_entries', c.card_no, format('%s against %s', c.balance, coalesce(e.total, 0))
    from app.cards c
    left join (select l.card_id, sum(l.delta) as total from app.ledger_entries l where l.account = 'card' group by l.card_id) e
      on e.card_id = c.id
    where c.balance <> coalesce(e.total, 0)
    union all
    select 'balance_not_negative', c.card_no, c.balance::text from app.cards c where c.balance < 0
    union all
    select 'points_equal_point_ledger', c.card_no, format('%s against %s', c.points, coalesce(p.total, 0))
    from app.cards c
    left join (select l.card_id, sum(l.delta) as total from app.point_ledger l group by l.card_id) p on p.card_id = c.id
    where c.points <> coalesce(p.total, 0)
    union all
    select 'level_follows_points', c.card_no, format('level %s at %s points', c.level, c.points)
    from app.cards c where c.level is distinct from (app.level_of(c.points)).level
    union all
    select 'refunds_within_payment', t.tx_no, format('%s of %s', app.refunded_amount(t.id), t.final_amount)
    from app.transactions t
    where t.tx_type = 'payment' and app.refunded_amount(t.id) > t.final_amount
    union all
    select 'one_payment_a_code', min(t.tx_no), format('%s payments', count(*))
    from app.transactions t where t.payment_code_id is not null
    group by t.payment_code_id having count(*) > 1
    union all
    select 'payment_consumed_its_code', t.tx_no, p.id::text
    from app.transactions t join app.payment_codes p on p.id = t.payment_code_id
    where p.consumed_tx_id is distinct from t.id
    union all
    select 'key_names_its_result', k.scope, k.result_id::text
    from app.idempotency_keys k
    where k.scope like 'merchant:%' and not exists (select from app.transactions t where t.id = k.result_id);
end;
$$;
comment on function public.verify_ledger() is
  'Admin, service: one row for each violation of the books, none when all is well. Reads everything; not for every minute. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.verify_ledger() from public, anon, authenticated, service_role;
grant execute on function public.verify_ledger() to authenticated, service_role;
