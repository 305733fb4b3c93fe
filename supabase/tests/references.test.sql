-- What the logs name is there and stays: without a foreign key a row, by triggers on what is named and by a rule of the books.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_merchant('S1') as merchant \gset
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 1000, 1200) as payer \gset
select fx.standard_card(:'payer') as card \gset
select fx.member_id(:'payer') as member \gset
select fx.code(:'payer') as code \gset
select fx.act_as(:'cashier');
select tx_id, tx_no from public.merchant_charge_by_qr('S1', :'code', 299.00, 'key-1') \gset

select is(fx.refusal(statement), '55000 ' || refusal || ' is refused: rows of this table are written once', rule)
from (values
  (format('delete from app.cards where id = %L', :'card'), 'DELETE of cards', 'a card is never deleted'),
  (format('delete from app.member_profiles where id = %L', :'member'), 'DELETE of member_profiles', 'a member is never deleted'),
  (format('delete from app.merchants where id = %L', :'merchant'), 'DELETE of merchants', 'a merchant is never deleted'),
  (format('update app.cards set id = gen_random_uuid() where id = %L', :'card'), 'UPDATE of cards', 'a card keeps its id'),
  (format('update app.member_profiles set id = gen_random_uuid() where id = %L', :'member'), 'UPDATE of member_profiles', 'a member keeps his id'),
  (format('update app.merchants set id = gen_random_uuid() where id = %L', :'merchant'), 'UPDATE of merchants', 'a merchant keeps its id'),
  ('truncate app.cards cascade', 'TRUNCATE of cards', 'cards are never truncated'),
  ('truncate app.member_profiles cascade', 'TRUNCATE of member_profiles', 'nor members'),
  ('truncate app.merchants cascade', 'TRUNCATE of merchants', 'nor merchants')
) as t (statement, refusal, rule);

-- The rules that are violated after a corruption, which is then undone; triggers stand aside as for a superuser only.
create function pg_temp.violated_after(p_statement text)
returns text language plpgsql as $$
declare
  v_table text;
  v_rules text;
begin
  foreach v_table in array array['app.transactions', 'app.ledger_entries', 'app.point_ledger', 'app.transaction_numbers'] loop
    execute format('alter table %s disable trigger rows_are_never_changed', v_table);
  end loop;
  execute p_statement;
  select string_agg(distinct v.rule, ' ' order by v.rule) into v_rules from app.reference_violations() v;
  raise exception using errcode = 'P0099', message = coalesce(v_rules, 'none');
exception when sqlstate 'P0099' then
  return sqlerrm;
end;
$$;
select is(pg_temp.violated_after('select'), 'none', 'a charge names what is there');
select is(pg_temp.violated_after(format('update app.transactions set %I = gen_random_uuid() where id = %L', name, :'tx_id')),
  'transaction_names_its_parties', 'a transaction of an unknown ' || name)
from unnest(array['card_id', 'member_id', 'merchant_id', 'discount_card_id']) as name;
select is(pg_temp.violated_after(format('update app.ledger_entries set card_id = gen_random_uuid() where tx_id = %L and account = %L', :'tx_id', 'card')),
  'entry_names_its_account', 'an entry of an unknown card');
select is(pg_temp.violated_after(format('update app.ledger_entries set merchant_id = gen_random_uuid() where tx_id = %L and account <> %L', :'tx_id', 'card')),
  'entry_names_its_account', 'an entry of an unknown merchant');
select is(pg_temp.violated_after(format('update app.ledger_entries set tx_id = app.uuid_v7() where tx_id = %L', :'tx_id')),
  'entry_names_its_account', 'an entry of an unknown transaction');
select is(pg_temp.violated_after(format('update app.point_ledger set card_id = gen_random_uuid() where tx_id = %L', :'tx_id')),
  'points_name_their_card', 'points of an unknown card');
select is(pg_temp.violated_after(format('update app.point_ledger set tx_id = app.uuid_v7() where tx_id = %L', :'tx_id')),
  'points_name_their_card', 'points of an unknown transaction');
select is(pg_temp.violated_after(format('update app.transaction_numbers set tx_id = app.uuid_v7() where tx_id = %L', :'tx_id')),
  'number_names_its_transaction', 'a number of an unknown transaction');

select * from finish();
rollback;
