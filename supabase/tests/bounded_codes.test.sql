-- A code that carries what it may pay, and what became of one's own code.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.ensure_master_key();
select fx.make_merchant('S1');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 100) as payer \gset
select fx.make_member('sharer@fixture.example') as sharer \gset
select fx.make_member('stranger@fixture.example') as stranger \gset
select fx.standard_card(:'payer') as card \gset

create function pg_temp.bounded(p_user uuid, p_card uuid, p_amount_max text) returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select r.qr_plain from public.rotate_card_qr(p_card, 900, p_amount_max::numeric) r);
end;
$$;
create function pg_temp.state(p_user uuid, p_card uuid) returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select concat_ws(' ', s.state, s.amount_max, s.tx_no, s.final_amount, s.expires_at is not null, s.tx_id is not null) from public.get_code_state(p_card) s);
end;
$$;
create function pg_temp.pays(p_rpc text, p_code text, p_amount text) returns text language sql as $$
  select fx.refusal_as('authenticated', (select u.user_id from app.merchant_users u), format('select * from public.%s(%L, %L, %L)', p_rpc, 'S1', p_code, p_amount)) $$;

select is(pg_temp.state(:'payer', :'card'), 'none f f', 'who never had a code has none');

-- The bound.
select r.* from (values ('0'), ('-1'), ('0.001'), ('NaN'), ('Infinity'), ('1000000000000')) as a (amount)
cross join lateral fx.refuses('PT422 INVALID_PRICE', format('no code is bounded by %s', a.amount), 'authenticated', :'payer',
  format('select * from public.rotate_card_qr(%L, 900, %L)', :'card', a.amount)) r;
select pg_temp.bounded(:'payer', :'card', '20.00') as code \gset
select is(pg_temp.state(:'payer', :'card'), 'live 20.00 t f', 'a fresh code is live, with its bound');
select is((select e.params from audit.event_log e where e.action = 'code.issued' order by e.id desc limit 1), '{"ttl_seconds": 900, "amount_max": "20.00"}', 'the bound is audited');
select * from fx.refuses('PT422 AMOUNT_OVER_CODE_LIMIT', 'a charge above it', 'authenticated', :'cashier', format('select * from public.merchant_charge_by_qr(%L, %L, 20.01)', 'S1', :'code'));
select * from fx.refuses('PT422 AMOUNT_OVER_CODE_LIMIT', 'a quote too', 'authenticated', :'cashier', format('select * from public.quote_payment(%L, %L, 20.01)', 'S1', :'code'));
select * from fx.refuses('PT422 AMOUNT_OVER_CODE_LIMIT', 'before what the house allows', 'authenticated', :'cashier', format('select * from public.merchant_charge_by_qr(%L, %L, 50000.01)', 'S1', :'code'));
select is(pg_temp.state(:'payer', :'card'), 'live 20.00 t f', 'and the code lives on');
select is(pg_temp.pays('quote_payment', :'code', '20.00'), 'no refusal', 'a quote of all that it allows');
select is(pg_temp.pays('merchant_charge_by_qr', :'code', '20.00'), 'no refusal', 'and the charge');

-- The bound is of the raw amount: a discount does not stretch it.
select fx.make_card('prepaid', 100, 0.500) as half \gset
select fx.bind(:'half', :'payer', 'owner');
select pg_temp.bounded(:'payer', :'half', '20.00') as code \gset
select is(pg_temp.pays('merchant_charge_by_qr', :'code', '40.00'), 'PT422 AMOUNT_OVER_CODE_LIMIT', 'half the price is not twice the bound');

-- The state.
select tx_no from app.transactions where tx_type = 'payment' \gset
select is(pg_temp.state(:'payer', :'card'), 'spent 20.00 ' || :'tx_no' || ' 20.00 t t', 'a spent one names its transaction');
select fx.code(:'payer') as code \gset
select is(pg_temp.state(:'payer', :'card'), 'live t f', 'a newer one is the one that is told, and without a bound names none');
select fx.age_code(:'code');
select is(pg_temp.state(:'payer', :'card'), 'expired t f', 'an expired one');
select fx.code(:'payer') as code \gset
select fx.act_as(:'payer') \g /dev/null
select is(public.revoke_card_qr(:'card'), true, 'the payer ends it');
select is(pg_temp.state(:'payer', :'card'), 'revoked t f', 'a revoked one');

-- Whose.
select fx.bind(:'half', :'sharer', 'member');
select is(pg_temp.state(:'sharer', :'half'), 'none f f', 'another payer of the card sees nothing of it');
select * from fx.refuses('PT404 CARD_NOT_FOUND', 'nor does a stranger', 'authenticated', :'stranger', format('select * from public.get_code_state(%L)', :'card'));
select * from fx.refuses('PT401 NOT_AUTHENTICATED', 'nor nobody', 'authenticated', null, format('select * from public.get_code_state(%L)', :'card'));

select fx.act_as_service() \g /dev/null
select is_empty('select * from public.verify_ledger()', 'and the books are right');
select * from finish();
rollback;
