-- Sums of transactions by day, week or month.

create function app.transaction_totals(
  p_merchant_id uuid, p_start timestamptz, p_end timestamptz, p_group_by text, p_time_zone text)
returns table (
  bucket_start date, payment_count bigint, gross_amount numeric, refund_count bigint, refund_amount numeric,
  net_amount numeric, recharge_count bigint, recharge_amount numeric, points_earned bigint, points_taken bigint)
language plpgsql stable
set search_path = ''
set enable_seqscan = off
as $$
declare
  v_first_id uuid := app.first_tx_id(p_start);
  v_end_id uuid := app.end_tx_id(p_end);
  v_first_bucket timestamp := date_trunc(p_group_by, p_start at time zone p_time_zone);
begin
  return query
    with taken as (
      select t.created_at, t.tx_type, t.final_amount, t.points_earned
      from app.transactions t
      where p_merchant_id is not null and t.merchant_id = p_merchant_id and t.id >= v_first_id and t.id < v_end_id
      union all
      select t.created_at, t.tx_type, t.final_amount, t.points_earned
      from app.transactions t
      where p_merchant_id is null and t.id >= v_first_id and t.id < v_end_id
    ), totals as (
      select
        date_trunc(p_group_by, t.created_at at time zone p_time_zone) as bucket, t.tx_type,
        count(*) as number, sum(t.final_amount) as amount, sum(t.points_earned)::bigint as points
      from taken t
      where t.created_at >= p_start and t.created_at < p_end and t.tx_type in ('payment', 'refund', 'recharge')
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
  'Payments, refunds and recharges from start to before end, of one merchant or (NULL) of all, by day, week or month of a time zone; '
  'a bucket without any is 0. Reads each transaction of the period once, by id.';
