-- The references of the logs, held without a look-up for each row written. A foreign key costs a query a row, locks the row it names
-- (so that all charges of a busy merchant write to the merchant's row), and, towards a partitioned table, grows with its months.
-- In its place: only app.post_* functions write these rows, in the transaction that has read or written what they name; what they name is
-- never deleted and keeps its id; and verify_ledger asks app.reference_violations(). References that are rarely written keep their
-- foreign keys: original_tx_id, terminal_code, orders, bindings, codes, devices.

alter table app.transactions
  drop constraint transactions_card_id_fkey,
  drop constraint transactions_member_id_fkey,
  drop constraint transactions_merchant_id_fkey,
  drop constraint transactions_discount_card_id_fkey;
alter table app.transaction_numbers drop constraint transaction_numbers_tx_id_fkey;
alter table app.ledger_entries
  drop constraint ledger_entries_tx_id_fkey,
  drop constraint ledger_entries_card_id_fkey,
  drop constraint ledger_entries_merchant_id_fkey;
alter table app.point_ledger
  drop constraint point_ledger_card_id_fkey,
  drop constraint point_ledger_tx_id_fkey;

create function sec.hold_existing(p_table regclass)
returns void
language plpgsql
as $$
declare
  v_trigger text;
begin
  execute format(
    'create trigger rows_are_never_deleted before delete on %s for each row execute function sec.refuse_change()', p_table);
  execute format(
    'create trigger ids_never_change before update of id on %s for each row execute function sec.refuse_change()', p_table);
  foreach v_trigger in array array['rows_are_never_deleted', 'ids_never_change'] loop
    execute format('alter table %s enable always trigger %I', p_table, v_trigger);
  end loop;
  perform sec.hold_against_truncate(p_table);
end;
$$;
comment on function sec.hold_existing(regclass) is 'What logs name: rows change, but none goes and none takes another id.';
select sec.hold_existing('app.cards'), sec.hold_existing('app.member_profiles'), sec.hold_existing('app.merchants');

-- Nothing looks a payment up by its code: the code's own row names the payment.
drop index app.transactions_by_payment_code;

create function app.reference_violations()
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
$$;
comment on function app.reference_violations() is
  'Rows of the logs that name a card, member, merchant or transaction that is not there: what foreign keys would refuse.';
