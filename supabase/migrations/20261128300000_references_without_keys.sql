-- References to and from the logs, held by a question at each insert instead of by a foreign key.
--
-- What a log names is never deleted and keeps its id, so a foreign key asks nothing more than this does. But attaching a month to a table
-- with foreign keys locks that month's default partition first and then every table at the other end, against all writers and in an order
-- that no call of a client takes: the two wait for each other, and PostgreSQL ends one of them. Without the keys it locks the default
-- partition alone. And rows that foreign keys name cannot leave the default partition for their month at all.

create function sec.refuse_unknown_transaction()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- After the statement, so that it may have written the transaction itself.
  if not exists (select from app.transactions t where t.id = (to_jsonb(new) ->> tg_argv[0])::uuid) then
    raise exception '% of % names a transaction that is not there', tg_argv[0], tg_table_name using errcode = 'foreign_key_violation';
  end if;
  return null;
end;
$$;
comment on function sec.refuse_unknown_transaction() is 'Refuses a row whose column, the argument, names no transaction.';

create function sec.hold_reference_to_transaction(p_table regclass, p_column name)
returns void
language plpgsql
as $$
begin
  execute format(
    'create trigger names_a_transaction after insert or update of %I on %s for each row when (new.%I is not null) '
    'execute function sec.refuse_unknown_transaction(%L)', p_column, p_table, p_column, p_column);
end;
$$;
comment on function sec.hold_reference_to_transaction(regclass, name) is
  'What a foreign key to app.transactions would hold; such a key keeps months from being attached while clients call.';

alter table app.merchant_orders drop constraint merchant_orders_tx_id_fkey;
alter table app.recharge_payments drop constraint recharge_payments_tx_id_fkey;
alter table app.cash_orders drop constraint cash_orders_tx_id_fkey;
alter table app.settlements drop constraint settlements_payout_tx_id_fkey;
alter table app.settlement_items drop constraint settlement_items_tx_id_fkey;
alter table app.transactions drop constraint transactions_original_tx_id_fkey;
alter table app.transactions drop constraint transactions_terminal_code_fkey;

select
  sec.hold_reference_to_transaction('app.merchant_orders', 'tx_id'),
  sec.hold_reference_to_transaction('app.recharge_payments', 'tx_id'),
  sec.hold_reference_to_transaction('app.cash_orders', 'tx_id'),
  sec.hold_reference_to_transaction('app.settlements', 'payout_tx_id'),
  sec.hold_reference_to_transaction('app.settlement_items', 'tx_id');

create function sec.refuse_unknown_references()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if new.original_tx_id is not null and not exists (select from app.transactions t where t.id = new.original_tx_id) then
    raise exception 'original_tx_id of % names a transaction that is not there', tg_table_name using errcode = 'foreign_key_violation';
  end if;
  if new.terminal_code is not null and not exists (select from app.terminals t where t.code = new.terminal_code) then
    raise exception 'terminal_code of % names a terminal that is not there', tg_table_name using errcode = 'foreign_key_violation';
  end if;
  return null;
end;
$$;
comment on function sec.refuse_unknown_references() is 'Refuses a transaction that names a payment or a terminal that is not there.';
create trigger names_what_is_there after insert on app.transactions
  for each row when (new.original_tx_id is not null or new.terminal_code is not null)
  execute function sec.refuse_unknown_references();

create trigger rows_are_never_deleted before delete on app.terminals for each row execute function sec.refuse_change();
create trigger codes_never_change before update of code on app.terminals for each row execute function sec.refuse_change();
alter table app.terminals enable always trigger rows_are_never_deleted;
alter table app.terminals enable always trigger codes_never_change;
select sec.hold_against_truncate('app.terminals');

create or replace function app.reference_violations()
returns table (rule text, object text, detail text)
language sql stable
as $$
  select 'transaction_names_its_parties', t.tx_no, format('card %s, member %s, merchant %s', t.card_id, t.member_id, t.merchant_id)
  from app.transactions t
  where (t.card_id is not null and not exists (select from app.cards c where c.id = t.card_id))
     or (t.discount_card_id is not null and not exists (select from app.cards c where c.id = t.discount_card_id))
     or (t.member_id is not null and not exists (select from app.member_profiles m where m.id = t.member_id))
     or (t.merchant_id is not null and not exists (select from app.merchants m where m.id = t.merchant_id))
  union all
  select 'entry_names_its_account', e.tx_id::text, format('card %s, merchant %s', e.card_id, e.merchant_id)
  from app.ledger_entries e
  where (e.card_id is not null and not exists (select from app.cards c where c.id = e.card_id))
     or (e.merchant_id is not null and not exists (select from app.merchants m where m.id = e.merchant_id))
     or not exists (select from app.transactions t where t.id = e.tx_id)
  union all
  select 'points_name_their_card', p.id::text, format('card %s, transaction %s', p.card_id, p.tx_id)
  from app.point_ledger p
  where not exists (select from app.cards c where c.id = p.card_id)
     or (p.tx_id is not null and not exists (select from app.transactions t where t.id = p.tx_id))
  union all
  select 'number_names_its_transaction', n.tx_no, n.tx_id::text
  from app.transaction_numbers n
  where not exists (select from app.transactions t where t.id = n.tx_id)
  union all
  select 'original_is_a_transaction', r.tx_no, r.original_tx_id::text
  from app.transactions r
  where r.original_tx_id is not null and not exists (select from app.transactions t where t.id = r.original_tx_id)
  union all
  select 'terminal_is_known', t.tx_no, t.terminal_code
  from app.transactions t
  where t.terminal_code is not null and not exists (select from app.terminals x where x.code = t.terminal_code)
  union all
  select 'item_is_a_transaction', i.settlement_id::text, i.tx_id::text
  from app.settlement_items i
  where not exists (select from app.transactions t where t.id = i.tx_id)
  union all
  select 'payout_is_a_transaction', s.settlement_no, s.payout_tx_id::text
  from app.settlements s
  where s.payout_tx_id is not null and not exists (select from app.transactions t where t.id = s.payout_tx_id)
$$;
comment on function app.reference_violations() is
  'Rows of the logs that name a card, member, merchant, terminal or transaction that is not there, and rows that name a transaction that is '
  'not there: what foreign keys would refuse. Orders and payments of providers have their own rules.';
