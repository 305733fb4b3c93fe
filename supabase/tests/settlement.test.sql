-- Settlements: what they take, their sums, the debt they carry, and how they are paid.
begin;
set local search_path = public, extensions;
set local client_min_messages = error;
select plan(145);

select fx.make_merchant('S1') as s1 \gset
select fx.make_merchant('S2') as s2 \gset
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_merchant_user('S1', 'manager') as manager \gset
select fx.make_merchant_user('S1', 'owner') as owner \gset
select fx.make_merchant_user('S2', 'owner') as other_owner \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_member('payer@fixture.example', 50000) as payer \gset
select fx.standard_card(:'payer') as card \gset

create function pg_temp.pay(p_user uuid, p_cashier uuid, p_amount numeric) returns text language plpgsql as $$
declare
  v_code text := fx.code(p_user);
begin
  perform fx.act_as(p_cashier);
  return (select c.tx_no from public.merchant_charge_by_qr('S1', v_code, p_amount) c);
end;
$$;
create function pg_temp.refund(p_cashier uuid, p_tx_no text, p_amount numeric) returns void language plpgsql as $$
begin
  perform fx.act_as(p_cashier);
  perform public.merchant_refund_tx('S1', p_tx_no, p_amount);
end;
$$;
-- A transaction of a merchant at a moment, as the RPCs write it; a cash recharge takes from the payable.
create function pg_temp.post(p_merchant uuid, p_card uuid, p_type text, p_amount numeric, p_at timestamptz, p_id uuid default null)
returns uuid language plpgsql as $$
declare
  v_tx app.transactions;
  v_sign int := case p_type when 'payment' then 1 else -1 end;
begin
  v_tx.id := coalesce(p_id, app.uuid_v7(p_at));
  v_tx.created_at := p_at;
  v_tx.tx_no := app.next_tx_no(case p_type when 'payment' then 'PAY' else 'RCG' end);
  v_tx.tx_type := p_type;
  v_tx.card_id := p_card;
  v_tx.member_id := (select c.personal_member_id from app.cards c where c.id = p_card);
  v_tx.merchant_id := p_merchant;
  v_tx.raw_amount := p_amount;
  v_tx.discount := 1;
  v_tx.discount_source := 'none';
  v_tx.final_amount := p_amount;
  v_tx.points_earned := 0;
  perform app.post_transaction(v_tx);
  insert into app.ledger_entries (tx_id, entry_no, account, card_id, merchant_id, delta) values
    (v_tx.id, 1, 'card', p_card, null, -v_sign * p_amount), (v_tx.id, 2, 'merchant_payable', null, p_merchant, v_sign * p_amount);
  update app.cards c set balance = c.balance - v_sign * p_amount where c.id = p_card;
  return v_tx.id;
end;
$$;
create function pg_temp.settle(p_admin uuid, p_merchant uuid, p_start timestamptz, p_end timestamptz default clock_timestamp(), p_mode text default 'realtime')
returns uuid language plpgsql as $$
begin
  perform fx.act_as(p_admin);
  return public.generate_settlement(p_merchant, p_mode, p_start, p_end);
end;
$$;
create function pg_temp.move(p_admin uuid, p_id uuid, p_status text) returns text language plpgsql as $$
begin
  perform fx.act_as(p_admin);
  return public.update_settlement_status(p_id, p_status);
end;
$$;
create function pg_temp.sums(p_id uuid) returns text language sql as $$
  select concat_ws(' ', s.gross, s.refunds, s.cash, s.payment_count, s.refund_count, s.cash_count, s.fee, s.carried_in, s.net, s.status)
  from app.settlements s where s.id = p_id $$;
create function pg_temp.payable(p_merchant uuid) returns numeric language sql as $$
  select coalesce(sum(e.delta), 0) from app.ledger_entries e where e.account = 'merchant_payable' and e.merchant_id = p_merchant $$;
create function pg_temp.payout(p_id uuid) returns text language sql as $$
  select string_agg(e.account || ' ' || e.delta, ', ' order by e.entry_no)
  from app.settlements s join app.ledger_entries e on e.tx_id = s.payout_tx_id where s.id = p_id $$;
create function pg_temp.generate(p_merchant text, p_mode text, p_start text, p_end text) returns text language sql as $$
  select format('select public.generate_settlement(%L, %L, %L, %L)', p_merchant, p_mode, p_start, p_end) $$;

select is((select concat_ws(' ', m.fee_bps, m.settlement_mode) from app.merchants m where m.id = :'s1'), '0 t_plus_1',
  'a merchant begins without a fee and is settled by the day');
select is(fx.refusal(format('update app.merchants set fee_bps = %s where code = %L', b.bps, 'S1')), '23514 new row for relation "merchants" violates check constraint "merchants_fee_bps_out_of_range"',
  'a fee of ' || b.bps || ' is out of range') from (values (-1), (10001)) as b (bps);
select is(rules.settlement_fee(x.turnover, x.bps), x.fee, format('the fee of %s at %s', x.turnover, x.bps))
from (values (1000.00, 250, 25.00), (0.50, 100, 0.01), (0.49, 100, 0.00), (-10.00, 250, 0.00), (10.00, 10000, 10.00), (0, 250, 0.00)) as x (turnover, bps, fee);

-- 1000.00 paid, 200.00 of it refunded, 300.00 cash taken, 2.5 percent: fee 20.00, net 480.00.
update app.merchants set fee_bps = 250 where id = :'s1';
select clock_timestamp() as t0 \gset
select pg_temp.pay(:'payer', :'cashier', 600) as tx_no \gset
select pg_temp.pay(:'payer', :'cashier', 400) as second_no \gset
select pg_temp.refund(:'cashier', :'tx_no', 200);
select pg_temp.post(:'s1', :'card', 'recharge', 300, clock_timestamp()) as cash_tx \gset
select clock_timestamp() as t1 \gset

-- Who may not, and what may not be asked for.
select * from fx.refuses('42501 permission denied for function generate_settlement', 'anon is stopped by the grant', 'anon', null, pg_temp.generate(:'s1', 'realtime', :'t0', :'t1'));
select * from fx.refuses('PT401 NOT_AUTHENTICATED', 'settling without a user', 'authenticated', null, pg_temp.generate(:'s1', 'realtime', :'t0', :'t1'));
select * from fx.refuses('PT403 PERMISSION_DENIED', 'the merchant''s owner settles nothing himself', 'authenticated', :'owner', pg_temp.generate(:'s1', 'realtime', :'t0', :'t1'));
select * from fx.refuses('PT403 PERMISSION_DENIED', 'nor does a member', 'authenticated', :'payer', pg_temp.generate(:'s1', 'realtime', :'t0', :'t1'));
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'no merchant', 'authenticated', :'admin', pg_temp.generate(null, 'realtime', :'t0', :'t1'));
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'no mode', 'authenticated', :'admin', pg_temp.generate(:'s1', null, :'t0', :'t1'));
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'an unknown mode', 'authenticated', :'admin', pg_temp.generate(:'s1', 'weekly', :'t0', :'t1'));
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'no start', 'authenticated', :'admin', pg_temp.generate(:'s1', 'realtime', null, :'t1'));
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'a start of minus infinity', 'authenticated', :'admin', pg_temp.generate(:'s1', 'realtime', '-infinity', :'t1'));
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'no end', 'authenticated', :'admin', pg_temp.generate(:'s1', 'realtime', :'t0', null));
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'an endless period', 'authenticated', :'admin', pg_temp.generate(:'s1', 'realtime', :'t0', 'infinity'));
select * from fx.refuses('PT422 INVALID_PERIOD', 'an empty period', 'authenticated', :'admin', pg_temp.generate(:'s1', 'realtime', :'t1', :'t1'));
select * from fx.refuses('PT422 INVALID_PERIOD', 'a period that ends before it begins', 'authenticated', :'admin', pg_temp.generate(:'s1', 'realtime', :'t1', :'t0'));
select * from fx.refuses('PT422 INVALID_PERIOD', 'a period that is not over', 'authenticated', :'admin', pg_temp.generate(:'s1', 'realtime', :'t0', (clock_timestamp() + interval '1 minute')::text));
select * from fx.refuses('PT404 MERCHANT_NOT_FOUND', 'an unknown merchant', 'authenticated', :'admin', pg_temp.generate(gen_random_uuid()::text, 'realtime', :'t0', :'t1'));
select * from fx.refuses('PT409 NO_TRANSACTIONS_IN_PERIOD', 'a merchant that sold nothing', 'authenticated', :'admin', pg_temp.generate(:'s2', 'realtime', :'t0', :'t1'));
select * from fx.refuses('PT409 NO_TRANSACTIONS_IN_PERIOD', 'a period before the first sale', 'authenticated', :'admin', pg_temp.generate(:'s1', 'monthly', '2020-01-01', :'t0'));

-- The settlement.
select pg_temp.settle(:'admin', :'s1', :'t0', :'t1') as first \gset
select is(pg_temp.sums(:'first'), '1000.00 200.00 300.00 2 1 1 20.00 0.00 480.00 pending', 'a settlement is the sum of what it took');
select ok((select s.settlement_no ~ '^STL[0-9]{10}$' from app.settlements s where s.id = :'first'), 'and has a number');
select is((select count(*)::int from app.settlement_items i where i.settlement_id = :'first'), 4, 'with an item for each transaction');
select is((select concat_ws(' ', e.actor_role, e.params ->> 'net') from audit.event_log e where e.action = 'settlement.generated'), 'admin 480.00', 'and one audit row');
select is(pg_temp.payable(:'s1'), 500.00, 'the payable stays as it is until it is paid');
update app.merchants set fee_bps = 0 where id = :'s1';
select is(pg_temp.sums(:'first'), '1000.00 200.00 300.00 2 1 1 20.00 0.00 480.00 pending', 'a new fee is for settlements to come');
update app.merchants set fee_bps = 250 where id = :'s1';

-- Overlaps, repeats (regressions) and half-open ends.
select * from fx.refuses('PT409 SETTLEMENT_ALREADY_EXISTS', 'the same period again', 'authenticated', :'admin', pg_temp.generate(:'s1', 'realtime', :'t0', :'t1'));
select * from fx.refuses('PT409 SETTLEMENT_ALREADY_EXISTS', 'in another mode', 'authenticated', :'admin', pg_temp.generate(:'s1', 'monthly', :'t0', :'t1'));
select * from fx.refuses('PT409 SETTLEMENT_ALREADY_EXISTS', 'a period around it', 'service_role', null, pg_temp.generate(:'s1', 'monthly', (:'t0'::timestamptz - interval '1 day')::text, clock_timestamp()::text));
select * from fx.refuses('PT409 SETTLEMENT_ALREADY_EXISTS', 'a period that reaches a microsecond into it', 'authenticated', :'admin',
  pg_temp.generate(:'s1', 'realtime', (:'t1'::timestamptz - interval '1 microsecond')::text, clock_timestamp()::text));
select * from fx.refuses('PT409 SETTLEMENT_ALREADY_EXISTS', 'a period that ends a microsecond in it', 'authenticated', :'admin',
  pg_temp.generate(:'s1', 'realtime', '2020-01-01', (:'t0'::timestamptz + interval '1 microsecond')::text));
select * from fx.refuses('PT409 NO_TRANSACTIONS_IN_PERIOD', 'the period after it begins where it ends, with nothing new', 'authenticated', :'admin',
  pg_temp.generate(:'s1', 'realtime', :'t1', clock_timestamp()::text));
select * from fx.refuses('PT409 NO_TRANSACTIONS_IN_PERIOD', 'the period before it ends where it begins', 'authenticated', :'admin',
  pg_temp.generate(:'s1', 'realtime', '2020-01-01', :'t0'));
select clock_timestamp() as t2 \gset
select pg_temp.post(:'s1', :'card', 'payment', 10, :'t2') as at_the_end \gset
select * from fx.refuses('PT409 NO_TRANSACTIONS_IN_PERIOD', 'what is posted at the end of a period belongs to the next', 'authenticated', :'admin',
  pg_temp.generate(:'s1', 'realtime', :'t1', :'t2'));

-- A late one: drawn an hour before, found all the same.
select pg_temp.post(:'s1', :'card', 'payment', 30, :'t2', app.uuid_v7(:'t2'::timestamptz - interval '59 minutes')) as late \gset
select is(left(fx.refusal(format('select pg_temp.post(%L, %L, %L, 1, %L, %L)', :'s1', :'card', 'payment', :'t2', app.uuid_v7(:'t2'::timestamptz - interval '61 minutes'))), 5),
  '23514', 'an id older than an hour is refused: no settlement would look for it');
select fx.act_as_service();
select public.generate_settlement(:'s1', 't_plus_1', :'t1', clock_timestamp()) as second \gset
select is(pg_temp.sums(:'second'), '40.00 0.00 0.00 2 0 0 1.00 0.00 39.00 pending', 'a later settlement takes what is new, late ones too, and nothing twice');

-- Paying.
select * from fx.refuses('PT401 NOT_AUTHENTICATED', 'a move without a user', 'authenticated', null, format('select public.update_settlement_status(%L, %L)', :'first', 'settled'));
select * from fx.refuses('PT403 PERMISSION_DENIED', 'the owner does not pay himself', 'authenticated', :'owner', format('select public.update_settlement_status(%L, %L)', :'first', 'settled'));
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'a move to nowhere', 'authenticated', :'admin', format('select public.update_settlement_status(%L, %L)', :'first', 'done'));
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'a move to NULL', 'authenticated', :'admin', format('select public.update_settlement_status(%L, null)', :'first'));
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'a move of nothing', 'authenticated', :'admin', 'select public.update_settlement_status(null, ''paid'')');
select * from fx.refuses('PT404 SETTLEMENT_NOT_FOUND', 'a move of what there is not', 'authenticated', :'admin', format('select public.update_settlement_status(%L, %L)', gen_random_uuid(), 'paid'));
create function pg_temp.moves(p_admin uuid, p_id uuid, p_from text) returns text language sql as $$
  select string_agg(fx.refusal_as('authenticated', p_admin, format('select public.update_settlement_status(%L, %L)', p_id, t.status)), ', ' order by t.place)
  from unnest(array['pending', 'settled', 'paid', 'failed']) with ordinality as t (status, place) where t.status = any (string_to_array(p_from, ' ')) $$;
select is(pg_temp.moves(:'admin', :'first', 'paid'), 'PT409 SETTLEMENT_STATUS_CONFLICT', 'pending is not paid at once');
select is(pg_temp.move(:'admin', :'first', 'pending'), 'false', 'the status it has is no move');
select is(pg_temp.move(:'admin', :'first', 'settled'), 'true', 'pending, settled');
select is(pg_temp.moves(:'admin', :'first', 'pending'), 'PT409 SETTLEMENT_STATUS_CONFLICT', 'settled does not go back');
select is(pg_temp.move(:'admin', :'first', 'failed'), 'true', 'settled, failed');
select is(pg_temp.moves(:'admin', :'first', 'settled paid'), 'PT409 SETTLEMENT_STATUS_CONFLICT, PT409 SETTLEMENT_STATUS_CONFLICT', 'failed only goes back to pending');
select is(pg_temp.move(:'admin', :'first', 'pending'), 'true', 'failed, pending');
select is(pg_temp.move(:'admin', :'first', 'failed'), 'true', 'pending, failed');
select is(pg_temp.move(:'admin', :'first', 'pending') || pg_temp.move(:'admin', :'first', 'settled'), 'truetrue', 'and once more');
select is((select count(*)::int from app.transactions where tx_type = 'settlement'), 0, 'no money has moved yet');
select is(pg_temp.move(:'admin', :'first', 'paid'), 'true', 'settled, paid');
select is(pg_temp.payout(:'first'), 'merchant_payable -500.00, payout_clearing 480.00, fee_income 20.00', 'the payout in double entry');
select is(pg_temp.payable(:'s1'), 40.00, 'clears the payable of its items to 0');
select is((select concat_ws(' ', left(t.tx_no, 3), t.raw_amount, t.final_amount, t.tag ->> 'settlement_no' = s.settlement_no, t.actor_user_id = :'admin')
           from app.settlements s join app.transactions t on t.id = s.payout_tx_id where s.id = :'first'), 'STX 500.00 500.00 t t', 'by one STX transaction of what left the payable');
select is(pg_temp.move(:'admin', :'first', 'paid'), 'false', 'paid again is no move');
select is((select count(*)::int from app.transactions where tx_type = 'settlement'), 1, 'and moves nothing');
select is(pg_temp.moves(:'admin', :'first', 'pending settled failed'), 'PT409 SETTLEMENT_STATUS_CONFLICT, PT409 SETTLEMENT_STATUS_CONFLICT, PT409 SETTLEMENT_STATUS_CONFLICT', 'paid is for ever');
select is((select count(*)::int from audit.event_log e where e.action = 'settlement.status_changed' and e.object_id = (select s.settlement_no from app.settlements s where s.id = :'first')),
  7, 'each move is audited once');
select * from fx.refuses('PT409 NO_TRANSACTIONS_IN_PERIOD', 'a payout is not settled itself', 'authenticated', :'admin', pg_temp.generate(:'s1', 'realtime', (select s.period_end::text from app.settlements s where s.id = :'second'), clock_timestamp()::text));

-- A negative net is carried once; its own fee is booked when it is paid.
select pg_temp.post(:'s1', :'card', 'payment', 100, clock_timestamp());
select pg_temp.post(:'s1', :'card', 'recharge', 150, clock_timestamp());
select pg_temp.settle(:'admin', :'s1', (select max(period_end) from app.settlements)) as third \gset
select is(pg_temp.sums(:'third'), '100.00 0.00 150.00 1 0 1 2.50 0.00 -52.50 pending', 'more cash taken than sold: a negative net');
select pg_temp.post(:'s1', :'card', 'payment', 20, clock_timestamp());
select pg_temp.settle(:'admin', :'s1', (select max(period_end) from app.settlements)) as fourth \gset
select is(pg_temp.sums(:'fourth'), '20.00 0.00 0.00 1 0 0 0.50 -52.50 -33.00 pending', 'which the next one carries, and may end negative too');
select pg_temp.post(:'s1', :'card', 'payment', 1000, clock_timestamp());
select pg_temp.settle(:'admin', :'s1', (select max(period_end) from app.settlements)) as fifth \gset
select is(pg_temp.sums(:'fifth'), '1000.00 0.00 0.00 1 0 0 25.00 -33.00 942.00 pending', 'and the next after it');
select pg_temp.post(:'s1', :'card', 'payment', 40, clock_timestamp());
select pg_temp.settle(:'admin', :'s1', (select max(period_end) from app.settlements)) as sixth \gset
select is(pg_temp.sums(:'sixth'), '40.00 0.00 0.00 1 0 0 1.00 0.00 39.00 pending', 'once');
select is_empty('select * from app.settlement_violations()', 'the books are right with nothing of it paid');
select pg_temp.move(:'admin', :'fifth', 'settled'), pg_temp.move(:'admin', :'fifth', 'paid');
select is(pg_temp.payout(:'fifth'), 'merchant_payable -967.00, payout_clearing 942.00, fee_income 25.00', 'the one that carries pays what is left');
select is_empty('select * from app.settlement_violations()', 'in whatever order they are paid');
select pg_temp.move(:'admin', :'third', 'settled'), pg_temp.move(:'admin', :'third', 'paid');
select is(pg_temp.payout(:'third'), 'merchant_payable -2.50, fee_income 2.50', 'a negative one books its fee and pays nothing out');
select pg_temp.move(:'admin', s, 'settled'), pg_temp.move(:'admin', s, 'paid') from unnest(array[:'second', :'fourth', :'sixth']::uuid[]) s;
select is(pg_temp.payable(:'s1'), 0.00, 'when all are paid nothing is owed');
select is((select sum(e.delta) from app.ledger_entries e where e.account = 'fee_income'), 50.00, 'and we have our fees');
select is((select sum(e.delta) from app.ledger_entries e where e.account = 'payout_clearing'), 1500.00, 'and the merchant its money: 1000 - 200 - 300 + 40 + 100 - 150 + 20 + 1000 + 40 less 50');

-- A net of nothing.
update app.merchants set fee_bps = 0 where id = :'s1';
select pg_temp.post(:'s1', :'card', 'payment', 5, clock_timestamp());
select pg_temp.post(:'s1', :'card', 'recharge', 5, clock_timestamp());
select pg_temp.settle(:'admin', :'s1', (select max(period_end) from app.settlements)) as even \gset
select pg_temp.move(:'admin', :'even', 'settled') || pg_temp.move(:'admin', :'even', 'paid') as even_moved \gset
select is(:'even_moved'::text, 'truetrue', 'a net of 0 is paid');
select is((select concat_ws(' ', t.final_amount, (select count(*) from app.ledger_entries e where e.tx_id = t.id))
           from app.settlements s join app.transactions t on t.id = s.payout_tx_id where s.id = :'even'), '0.00 0', 'by a transaction without entries');
select is(left(fx.refusal(format('update app.settlements set net = 0 where id = %L', :'first')), 15), '55000 UPDATE of', 'a settlement''s amounts are written once');
select is(left(fx.refusal('delete from app.settlements'), 15), '55000 DELETE of', 'no settlement is deleted');
select is(left(fx.refusal('truncate app.settlements cascade'), 17), '55000 TRUNCATE of', 'nor all of them');
select is(left(fx.refusal('update app.settlement_items set tx_id = tx_id'), 15), '55000 UPDATE of', 'nor is an item moved');

-- Who reads.
select fx.act_as(:'manager');
select results_eq(
  format('select l.settlement_no, l.net, l.payout, l.status from public.list_settlements(%L, 2, 4) l', :'s1'),
  format('select s.settlement_no, s.net::numeric, 0.00::numeric, s.status from app.settlements s where s.id in (%L) union all
          select s.settlement_no, s.net::numeric, 39.00::numeric, s.status from app.settlements s where s.id = %L', :'third', :'second'),
  'a manager lists settlements, the latest first, by pages');
select is((select count(*)::int from public.list_settlements(:'s1')), 7, 'all of them on one page');
select fx.act_as(:'owner');
select is((select concat_ws(' ', d.settlement_no = s.settlement_no, d.merchant_code, d.gross, d.fee, d.carried_in, d.net, d.payout, d.status,
             d.carried_from_no = f.settlement_no, d.carried_to_no = n.settlement_no, d.payout_tx_no = t.tx_no, jsonb_array_length(d.items))
           from public.get_settlement_detail(:'fourth') d
           join app.settlements s on s.id = :'fourth' join app.settlements f on f.id = :'third' join app.settlements n on n.id = :'fifth'
           join app.transactions t on t.id = s.payout_tx_id),
  't S1 20.00 0.50 -52.50 -33.00 0 paid t t t 1', 'the owner sees one with where its debt came from and went');
select is((select string_agg(i.value ->> 'tx_type' || ' ' || (i.value ->> 'final_amount'), ', ' order by i.ordinality)
           from public.get_settlement_detail(:'first') d, jsonb_array_elements(d.items) with ordinality i),
  'payment 600.00, payment 400.00, refund 200.00, recharge 300.00', 'and its transactions in order');
select is((select d.items -> 0 ->> 'tx_no' from public.get_settlement_detail(:'first', 1, 1) d), :'second_no', 'by pages');
select fx.act_as(:'admin');
select is((select count(*)::int from public.list_settlements(:'s1', 200, 0)), 7, 'an admin lists any merchant''s');
select is((select d.net from public.get_settlement_detail(:'first') d), 480.00, 'and sees each');
select fx.act_as(:'other_owner');
select is((select count(*)::int from public.list_settlements(:'s2')), 0, 'a merchant without settlements has an empty list');

create function pg_temp.list(p_merchant text, p_limit text default 'null', p_offset text default 'null') returns text language sql as $$
  select format('select * from public.list_settlements(%L, %s, %s)', p_merchant, p_limit, p_offset) $$;
create function pg_temp.detail(p_id text, p_limit text default 'null', p_offset text default 'null') returns text language sql as $$
  select format('select * from public.get_settlement_detail(%L, %s, %s)', p_id, p_limit, p_offset) $$;
select is(fx.refusal_as('authenticated', r.caller::uuid, r.statement), r.expected, r.why) from (values
  (null, pg_temp.list(:'s1'), 'PT401 NOT_AUTHENTICATED', 'a list without a user'),
  (:'cashier', pg_temp.list(:'s1'), 'PT403 PERMISSION_DENIED', 'a cashier does not list settlements'),
  (:'other_owner', pg_temp.list(:'s1'), 'PT404 MERCHANT_NOT_FOUND', 'another merchant''s owner hears that there is no such merchant'),
  (:'payer', pg_temp.list(:'s1'), 'PT404 MERCHANT_NOT_FOUND', 'so does a member'),
  (:'admin', pg_temp.list(gen_random_uuid()::text), 'PT404 MERCHANT_NOT_FOUND', 'an admin too, when there is none'),
  (:'admin', pg_temp.list(null), 'PT400 MALFORMED_ARGUMENT', 'a list of no merchant'),
  (:'owner', pg_temp.list(:'s1', '0'), 'PT400 MALFORMED_ARGUMENT', 'a list of no rows'),
  (:'owner', pg_temp.list(:'s1', '201'), 'PT400 MALFORMED_ARGUMENT', 'a list of 201 rows'),
  (:'owner', pg_temp.list(:'s1', '200', '-1'), 'PT400 MALFORMED_ARGUMENT', 'a list from before its beginning'),
  (null, pg_temp.detail(:'first'), 'PT401 NOT_AUTHENTICATED', 'a detail without a user'),
  (:'cashier', pg_temp.detail(:'first'), 'PT403 PERMISSION_DENIED', 'a cashier sees no settlement'),
  (:'other_owner', pg_temp.detail(:'first'), 'PT404 SETTLEMENT_NOT_FOUND', 'another merchant''s owner hears that there is no such settlement'),
  (:'payer', pg_temp.detail(:'first'), 'PT404 SETTLEMENT_NOT_FOUND', 'so does a member'),
  (:'owner', pg_temp.detail(gen_random_uuid()::text), 'PT404 SETTLEMENT_NOT_FOUND', 'and the owner, when there is none'),
  (:'admin', pg_temp.detail(gen_random_uuid()::text), 'PT404 SETTLEMENT_NOT_FOUND', 'and an admin'),
  (:'admin', pg_temp.detail(null), 'PT400 MALFORMED_ARGUMENT', 'a detail of nothing'),
  (:'owner', pg_temp.detail(:'first', '0'), 'PT400 MALFORMED_ARGUMENT', 'a detail of no rows'),
  (:'owner', pg_temp.detail(:'first', '201'), 'PT400 MALFORMED_ARGUMENT', 'a detail of 201 rows'),
  (:'owner', pg_temp.detail(:'first', '1', '-1'), 'PT400 MALFORMED_ARGUMENT', 'a detail from before its beginning')
) as r (caller, statement, expected, why);

select is_empty('select * from app.settlement_violations()', 'the settlements are right');
select fx.act_as_service();
select is_empty($$ select * from public.verify_ledger() v where v.rule not in ('payment_consumed_its_code', 'payment_earns_by_the_rule') $$,
  'and the books, but for the payments that this test wrote without a code and points');
select * from finish();
rollback;
