-- A payment is written by one statement: it begins, plans and ends once, and reads as what a payment is.

create or replace function app.post_payment(p_tx app.transactions, p_card app.cards, p_merchant app.merchants)
returns void
language plpgsql
as $$
declare
  v_pays_once boolean := (select r.pays = 'once' from app.card_type_rules r where r.card_type = p_card.card_type);
  v_taken numeric := case when v_pays_once then p_card.balance else p_tx.final_amount end;
  v_day date := app.card_day(p_tx.created_at);
  v_level int := (app.level_of(p_card.points + p_tx.points_earned)).level;
begin
  with transaction as (
    insert into app.transactions select p_tx.*
  ), number as (
    insert into app.transaction_numbers (tx_no, tx_id) values (p_tx.tx_no, p_tx.id)
  ), entries as (
    insert into app.ledger_entries (tx_id, entry_no, account, card_id, merchant_id, delta)
    select p_tx.id, e.entry_no, e.account, e.card_id, e.merchant_id, e.delta
    from (values
      (1::smallint, 'card', p_card.id, null::uuid, -v_taken),
      (2::smallint, 'merchant_payable', null::uuid, p_merchant.id, p_tx.final_amount),
      (3::smallint, 'forfeited_vouchers', null::uuid, null::uuid, v_taken - p_tx.final_amount)
    ) as e (entry_no, account, card_id, merchant_id, delta)
    where e.delta <> 0
  ), points as (
    insert into app.point_ledger (id, card_id, tx_id, delta, level_before, level_after, reason, created_at)
    select app.uuid_v7(p_tx.created_at), p_card.id, p_tx.id, p_tx.points_earned, p_card.level, v_level, 'payment', p_tx.created_at
    where p_tx.points_earned <> 0
  )
  update app.cards c
  set balance = c.balance - v_taken,
      points = c.points + p_tx.points_earned,
      level = v_level,
      status = case when v_pays_once then 'closed' else c.status end,
      paid_on = greatest(c.paid_on, v_day),
      paid_on_total = case when c.paid_on >= v_day then c.paid_on_total else 0 end + p_tx.raw_amount
  where c.id = p_card.id;
  if p_merchant.day_max is not null then
    insert into app.merchant_day_totals as d (merchant_id, day, shard, raw_total)
    values (p_merchant.id, (p_tx.created_at at time zone p_merchant.time_zone)::date,
            (hashtextextended(p_card.id::text, 0) & 15)::smallint, p_tx.raw_amount)
    on conflict (merchant_id, day, shard) do update set raw_total = d.raw_total + excluded.raw_total;
  end if;
end;
$$;
