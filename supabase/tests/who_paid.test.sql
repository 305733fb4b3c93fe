-- Who paid with a shared card: told to those who see the card and to admins, never to the merchant.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.ensure_master_key();
select fx.make_merchant('S1') as shop \gset
select fx.make_merchant_user('S1', 'manager') as manager \gset
select fx.make_member('owner@fixture.example', 100) as owner \gset
select fx.make_member('sharer@fixture.example') as sharer \gset
select fx.make_member('viewer@fixture.example') as viewer \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_card('prepaid', 100) as card \gset
select fx.bind(:'card', :'owner', 'owner'), fx.bind(:'card', :'sharer', 'member'), fx.bind(:'card', :'viewer', 'viewer') \g /dev/null
select member_no from app.member_profiles where auth_user_id = :'sharer' \gset

select fx.code(:'sharer', :'card') as code \gset
select fx.act_as(:'manager') \g /dev/null
select tx_no from public.merchant_charge_by_qr('S1', :'code', 10) \gset
select refund_tx_no from public.merchant_refund_tx('S1', :'tx_no', 4) \gset

create function pg_temp.told(p_user uuid, p_call text) returns text language plpgsql as $$
declare
  v_told text;
begin
  perform fx.act_as(p_user);
  execute format('select string_agg(concat_ws('' '', r.tx_type, coalesce(r.payer_no, ''-''), coalesce(r.payer_name, ''-'')), '', '' order by r.tx_id desc) from public.%s r where r.tx_type <> ''adjustment''', p_call) into v_told;
  return v_told;
end;
$$;
select is(pg_temp.told(p.user_id, p.call), format('refund %1$s sharer, payment %1$s sharer', :'member_no'), p.who)
from (values
  (:'owner'::uuid, 'get_member_transactions()', 'the owner is told'), (:'viewer', 'get_member_transactions()', 'who only sees the card too'),
  (:'sharer', 'get_member_transactions_page()', 'and the payer'), (:'owner', 'get_member_transactions_page()', 'in either listing'),
  (:'admin', format('get_member_transactions(%L)', fx.member_id(:'viewer')), 'an admin who looks at a member'),
  (:'admin', format('get_merchant_transactions(%L)', :'shop'), 'or at a merchant')) as p (user_id, call, who);
select is(pg_temp.told(:'manager', p.call), 'refund - -, payment - -', p.who)
from (values
  (format('get_merchant_transactions(%L)', :'shop'), 'the merchant is not told'),
  (format('get_merchant_transactions_page(%L)', :'shop'), 'in no listing')) as p (call, who);
select is(pg_temp.told(p.user_id, format('get_transaction_detail(%L)', :'tx_no')), p.expected, p.who)
from (values
  (:'owner'::uuid, format('payment %s sharer', :'member_no'), 'one transaction: the owner'), (:'viewer', format('payment %s sharer', :'member_no'), 'who sees the card'),
  (:'sharer', format('payment %s sharer', :'member_no'), 'the payer'), (:'admin', format('payment %s sharer', :'member_no'), 'an admin'),
  (:'manager', 'payment - -', 'the merchant is not told')) as p (user_id, expected, who);

-- Who has left the card sees what they paid, and that it was them.
delete from app.card_bindings where card_id = :'card' and member_id = fx.member_id(:'sharer');
select is(pg_temp.told(:'sharer', 'get_member_transactions()'), format('refund %1$s sharer, payment %1$s sharer', :'member_no'), 'who left sees their own');
delete from app.card_bindings where card_id = :'card' and member_id = fx.member_id(:'viewer');
select is(pg_temp.told(:'viewer', 'get_member_transactions()'), null, 'and nothing of others');
select fx.act_as(:'viewer') \g /dev/null
select throws_ok(format('select * from public.get_transaction_detail(%L)', :'tx_no'), 'PT404', 'TX_NOT_FOUND', 'nor one by its number');
-- Cash that somebody put onto the card names no payer.
select fx.act_as(:'manager') \g /dev/null
select tx_no as cash_no from public.user_recharge_card(:'card', 5, p_merchant_code => 'S1') \gset
select is(pg_temp.told(:'owner', format('get_transaction_detail(%L)', :'cash_no')), 'recharge - -', 'cash names no payer');
select * from finish();
rollback;
