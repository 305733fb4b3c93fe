-- Cash that was keyed in wrongly comes off the card again: a transaction of its own, number REV, which names the recharge. A reversed
-- recharge is in no settlement, and neither is its reversal: to the merchant both are nothing.

alter table app.transactions
  drop constraint transactions_tx_no_well_formed,
  add constraint transactions_tx_no_well_formed check (tx_no ~ '^(PAY|REF|RCG|REV|ADJ|STX)[0-9]{10,}$'),
  drop constraint transactions_tx_type_known,
  add constraint transactions_tx_type_known
    check (tx_type in ('payment', 'refund', 'recharge', 'reversal', 'adjustment', 'settlement')),
  drop constraint transactions_refunds_name_their_payment,
  add constraint transactions_refunds_and_reversals_name_their_original
    check ((tx_type in ('refund', 'reversal')) = (original_tx_id is not null));
-- What is given back may be all that there was.
alter table app.cashier_cash_days
  drop constraint cashier_cash_days_total_no_number,
  add constraint cashier_cash_days_total_no_number check (total >= 0 and total <> 'NaN');
alter table app.merchant_cash_days
  drop constraint merchant_cash_days_total_no_number,
  add constraint merchant_cash_days_total_no_number check (total >= 0 and total <> 'NaN');

create function app.is_reversed(p_tx_id uuid)
returns boolean
language sql stable
as $$ select exists (select from app.transactions r where r.original_tx_id = p_tx_id and r.tx_type = 'reversal') $$;
comment on function app.is_reversed(uuid) is 'Whether a cash recharge was reversed.';

create or replace function app.unsettled_transactions(p_merchant_id uuid, p_before timestamptz)
returns setof app.transactions
language sql stable
as $$
  -- The scalar sub-select stays one probe of the primary key for each candidate; NOT EXISTS may turn into a scan of all items.
  select t.*
  from app.transactions t
  where t.merchant_id = p_merchant_id
    and t.id >= app.unsettled_from(p_merchant_id)
    and t.id < app.uuid_v7_floor(p_before + interval '1 hour')
    and t.created_at < p_before
    and t.tx_type in ('payment', 'refund', 'recharge')
    and (select i.settlement_id from app.settlement_items i where i.tx_id = t.id) is null
    and not (t.tx_type = 'recharge' and app.is_reversed(t.id))
$$;

create function app.lock_merchant_for_reversal(p_merchant_id uuid)
returns timestamptz
language plpgsql
as $$
begin
  -- No settlement of the merchant is under way: it has taken the recharge, or it sees the reversal.
  perform pg_advisory_xact_lock(hashtextextended('mps/settling/' || p_merchant_id::text, 0));
  return app.lock_merchant_for_posting(p_merchant_id);
end;
$$;
comment on function app.lock_merchant_for_reversal(uuid) is
  'As lock_merchant_for_posting, and against settlements of the merchant; after the card''s lock. Answers the moment to post at.';

create function app.find_cash_recharge(p_merchant_id uuid, p_tx_no text)
returns app.transactions
language plpgsql stable
as $$
declare
  v_tx app.transactions;
begin
  select t.* into v_tx
  from app.transaction_numbers n
  join app.transactions t on t.id = n.tx_id
  where n.tx_no = p_tx_no and t.merchant_id = p_merchant_id;
  if v_tx.id is null then
    perform rules.fail('ORIGINAL_TX_NOT_FOUND');
  end if;
  if v_tx.tx_type <> 'recharge' then
    perform rules.fail('ONLY_CASH_RECHARGE_REVERSIBLE');
  end if;
  return v_tx;
end;
$$;
comment on function app.find_cash_recharge(uuid, text) is
  'Cash that this merchant took for a card; an unknown number and another merchant''s get the same answer.';

create function app.check_reversible(p_recharge app.transactions, p_card app.cards)
returns void
language plpgsql stable
as $$
declare
  v_reversal text := (select r.tx_no from app.transactions r where r.original_tx_id = p_recharge.id);
begin
  if v_reversal is not null then
    perform rules.fail('RECHARGE_ALREADY_REVERSED', jsonb_build_object('tx_no', v_reversal));
  end if;
  if exists (select from app.settlement_items i where i.tx_id = p_recharge.id) then
    perform rules.fail('RECHARGE_ALREADY_SETTLED');
  end if;
  if p_card.balance < p_recharge.final_amount then
    perform rules.fail('INSUFFICIENT_BALANCE');
  end if;
end;
$$;
comment on function app.check_reversible(app.transactions, app.cards) is
  'Refuses what was reversed or settled, and a card that has spent it. Under the locks.';

create function app.check_reverser(p_recharge app.transactions, p_user_id uuid, p_now timestamptz)
returns void
language plpgsql stable
as $$
declare
  v_role text := sec.merchant_role(p_recharge.merchant_id);
  v_seconds_max int := rules.limit_int('recharge.reversal_seconds_max');
begin
  -- Under the locks: who was dismissed while they waited reverses nothing.
  if v_role is null then
    perform rules.fail('NOT_MERCHANT_USER');
  end if;
  if v_role = 'cashier' and (
     p_recharge.actor_user_id is distinct from p_user_id or p_now > p_recharge.created_at + make_interval(secs => v_seconds_max))
  then
    perform rules.fail('REVERSAL_NEEDS_MANAGER', jsonb_build_object('seconds_max', v_seconds_max));
  end if;
end;
$$;
comment on function app.check_reverser(app.transactions, uuid, timestamptz) is
  'A cashier reverses what they took themselves in the last half hour, a manager or owner of the merchant anything.';

create function app.post_reversal(p_tx app.transactions, p_recharge app.transactions)
returns void
language plpgsql
as $$
declare
  v_day date := (
    select (p_recharge.created_at at time zone m.time_zone)::date from app.merchants m where m.id = p_recharge.merchant_id);
begin
  perform app.post_transaction(p_tx);
  insert into app.ledger_entries (tx_id, entry_no, account, card_id, merchant_id, delta)
  values
    (p_tx.id, 1, 'card', p_tx.card_id, null, -p_tx.final_amount),
    (p_tx.id, 2, 'merchant_payable', null, p_tx.merchant_id, p_tx.final_amount);
  update app.cards c set balance = c.balance - p_tx.final_amount where c.id = p_tx.card_id;
  -- The day that was counted has room for it again.
  update app.cashier_cash_days d set total = greatest(d.total - p_tx.final_amount, 0)
  where d.merchant_id = p_recharge.merchant_id and d.user_id = p_recharge.actor_user_id and d.day = v_day;
  update app.merchant_cash_days d set total = greatest(d.total - p_tx.final_amount, 0)
  where d.merchant_id = p_recharge.merchant_id and d.day = v_day;
end;
$$;
comment on function app.post_reversal(app.transactions, app.transactions) is
  'Books a reversal: off the card, back into the merchant''s payable, and out of the day''s cash of cashier and merchant.';
