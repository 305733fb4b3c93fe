-- "replayed" is said of an earlier request of the caller, never of an attempt that the edge itself repeated under one request id.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_merchant('S1');
select fx.make_merchant_user('S1', 'manager') as manager \gset
select fx.make_member('payer@fixture.example', 1000) as payer \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.standard_card(:'payer') as card \gset
select fx.member_id(:'payer') as payer_id \gset
select fx.code(:'payer') as code \gset
select fx.act_as(:'manager') \g /dev/null
select tx_no as paid_no from public.merchant_charge_by_qr('S1', :'code', 100) \gset
select tx_no as cash_no from public.user_recharge_card(:'card', 50, p_merchant_code => 'S1') \gset
select fx.code(:'payer') as code \gset

create function pg_temp.replayed(p_user uuid, p_request_id text, p_call text) returns boolean language plpgsql as $$
declare
  v_replayed boolean;
begin
  perform fx.act_as(p_user), set_config('request.headers', case when p_request_id is null then '' else jsonb_build_object('x-request-id', p_request_id)::text end, true);
  execute 'select r.replayed from public.' || p_call || ' r' into strict v_replayed;
  return v_replayed;
end;
$$;
create temp table keyed (rpc text, caller uuid, arguments text);
insert into keyed values
  ('merchant_charge_by_qr', :'manager', format('%L, %L, 10, p_idempotency_key => ', 'S1', :'code')),
  ('merchant_refund_tx', :'manager', format('%L, %L, 5, p_idempotency_key => ', 'S1', :'paid_no')),
  ('user_recharge_card', :'manager', format('%L, 5, p_merchant_code => %L, p_idempotency_key => ', :'card', 'S1')),
  ('reverse_cash_recharge', :'manager', format('%L, %L, %L, p_idempotency_key => ', 'S1', :'cash_no', 'wrong card')),
  ('create_recharge_order', :'payer', format('%L, 100, %L, p_idempotency_key => ', :'card', 'wechat')),
  ('adjust_card_balance', :'admin', format('%L, 5, %L, p_idempotency_key => ', :'card', 'gift')),
  ('update_points_and_level', :'admin', format('%L, 5, %L, p_idempotency_key => ', :'card', 'gift')),
  ('create_prepaid_card', :'admin', format('%L, p_idempotency_key => ', :'payer_id')),
  ('create_corporate_card', :'admin', format('%L, p_idempotency_key => ', :'payer_id')),
  ('create_voucher_card', :'admin', format('%L, p_initial_balance => 5, p_idempotency_key => ', :'payer_id'));

select bag_eq(
  $$ select p.proname::text from pg_proc p where p.pronamespace = 'public'::regnamespace and 'p_idempotency_key' = any (p.proargnames)
     and p.proname not in ('cancel_request', 'find_payment') $$,
  'select rpc from keyed', 'these are all that take a key and do something with it');

select ok(not pg_temp.replayed(k.caller, 'first', k.rpc || '(' || k.arguments || quote_literal(k.rpc) || ')'), k.rpc || ': the first answer is no replay')
from keyed k;
select ok(not pg_temp.replayed(k.caller, 'first', k.rpc || '(' || k.arguments || quote_literal(k.rpc) || ')'), k.rpc || ': nor is the answer to the same request, sent again')
from keyed k;
select ok(pg_temp.replayed(k.caller, c.request_id, k.rpc || '(' || k.arguments || quote_literal(k.rpc) || ')'), k.rpc || ': another request''s is')
from keyed k, (values ('second'), (null)) as c (request_id);
select ok(not pg_temp.replayed(k.caller, null, k.rpc || '(' || k.arguments || quote_literal('no id ' || k.rpc) || ')'), k.rpc || ': one without an id is done')
from keyed k where k.rpc not in ('merchant_charge_by_qr', 'reverse_cash_recharge');
select ok(pg_temp.replayed(k.caller, null, k.rpc || '(' || k.arguments || quote_literal('no id ' || k.rpc) || ')'), k.rpc || ': and again a replay, for nobody knows')
from keyed k where k.rpc not in ('merchant_charge_by_qr', 'reverse_cash_recharge');

select * from finish();
rollback;
