-- What comes after a member is deleted: refunds, payments reported late, codes shown before.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(24);

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_member('hua@fixture.example') as hua \gset
select fx.make_member('gone@fixture.example', 30) as gone \gset
select fx.member_id(:'gone') as gone_id \gset
select fx.standard_card(:'gone') as gone_card \gset
select fx.make_merchant('S1') as s1 \gset
select fx.make_merchant_user('S1', 'owner') as cashier \gset
select fx.make_card('voucher', 20, null, :'gone') as voucher \gset
select fx.make_card('prepaid', 50) as family \gset
select fx.bind(:'family', :'hua', 'owner'), fx.bind(:'family', :'gone', 'admin') \g /dev/null
select fx.make_card('prepaid') as purse \gset
select fx.bind(:'purse', :'gone', 'owner') \g /dev/null

create function pg_temp.paid(p_cashier uuid, p_code text, p_amount numeric) returns text language plpgsql as $$
begin
  perform fx.act_as(p_cashier);
  return (select c.tx_no from public.merchant_charge_by_qr('S1', p_code, p_amount) c);
end;
$$;
create function pg_temp.ordered(p_user uuid, p_card uuid, p_amount numeric) returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select o.order_no from public.create_recharge_order(p_card, p_amount, 'wechat') o);
end;
$$;
create function pg_temp.reported(p_order text, p_tx text, p_amount numeric) returns text language plpgsql as $$
begin
  perform fx.act_as_service();
  return (select concat_ws(' ', r.payment_status, r.review_reason)
    from public.complete_recharge_order(p_order, 'wechat', p_tx, p_amount, 'CNY', clock_timestamp()) r);
end;
$$;
create function pg_temp.state() returns text language sql as $$ select string_agg(s::text, ',') from fx.state() s $$;

-- He pays with everything he has, orders, tries passwords, and shows codes that nobody scans.
select pg_temp.paid(:'cashier', fx.code(:'gone'), 30) as own_tx \gset
select pg_temp.paid(:'cashier', fx.code(:'gone', :'voucher'), 20) as voucher_tx \gset
select pg_temp.paid(:'cashier', fx.code(:'gone', :'family'), 10) as family_tx \gset
select pg_temp.ordered(:'gone', :'gone_card', 5) as own_order \gset
select pg_temp.ordered(:'gone', :'family', 7) as family_order \gset
update app.cards set binding_password_hash = 'x' where id = :'purse';
insert into app.binding_attempts (card_id, member_id, wrong_in_a_row) values (:'family', :'gone_id', 1);
select fx.code(:'gone') as code \gset
select fx.code(:'gone', :'family') as family_code \gset
select * from fx.enroll(:'gone', :'family') \gset device_
select fx.offline_code(:'device_handle', :'device_device_key') as offline \gset
select fx.act_as(:'gone') \g /dev/null
select is(public.delete_member(:'gone_id'), true, 'he goes with an order unpaid and payments that may be refunded');

select pg_temp.state() as before \gset
select is(fx.refusal_as('authenticated', :'cashier', format('select public.merchant_charge_by_qr(%L, %L, 1)', 'S1', c.code)), c.expected, c.why)
from (values (:'code', 'PT409 QR_EXPIRED_OR_INVALID', 'his code pays nothing'), (:'family_code', 'PT409 QR_EXPIRED_OR_INVALID', 'nor for a card of others'),
  (:'offline', 'PT409 QR_EXPIRED_OR_INVALID', 'nor does his device')) as c (code, expected, why);
select is(fx.refusal_as('authenticated', :'cashier', format('select public.merchant_refund_tx(%L, %L, %s)', 'S1', c.tx_no, c.amount)), c.expected, c.why)
from (values (:'own_tx', 1, 'PT409 CARD_NOT_ACTIVE', 'nothing is refunded onto his closed card'),
  (:'voucher_tx', 20, 'PT409 MEMBER_NOT_ACTIVE', 'nor as a new voucher of his')) as c (tx_no, amount, expected, why);
select is(pg_temp.state(), :'before', 'and none of this left a trace');
select fx.act_as(:'cashier') \g /dev/null
select is((select r.refunded_amount from public.merchant_refund_tx('S1', :'family_tx', 10) r), 10.00::numeric, 'what he paid with a card of others goes back onto it');
select is((select c.balance from app.cards c where c.id = :'family'), 50.00::numeric, 'to the last cent');

select is(pg_temp.reported(:'own_order', 'W1', 5), 'needs_review card_closed', 'a payment for his card is recorded, and the house decides');
select is(pg_temp.reported(:'family_order', 'W2', 7), 'credited', 'one for a card of others is theirs');
select is((select c.balance from app.cards c where c.id = :'gone_card'), 0.00::numeric, 'nothing reaches a closed card');
select is((select c.balance from app.cards c where c.id = :'family'), 57.00::numeric, 'everything reaches the others');

select is_empty(format('select from app.binding_attempts a where a.member_id = %L', :'gone_id'), 'his wrong passwords are forgotten');
select is((select c.binding_password_hash from app.cards c where c.id = :'purse'), null, 'and his right one');
select fx.make_card('prepaid') as nobodys \gset
select is(fx.refusal(format('insert into app.card_bindings (card_id, member_id, role) values (%L, %L, %L)', :'nobodys', :'gone_id', 'owner')),
  'PT409 MEMBER_NOT_ACTIVE', 'no card becomes his');
select is((select count(*) from app.transactions t where t.member_id = :'gone_id' and t.tx_type = 'payment'), 3::bigint, 'his payments stay in the books');
select is((select string_agg(e.params::text, '') from audit.event_log e where e.action = 'member.deleted'), '{}', 'the log tells that he went, not who');
select is((select string_agg(distinct v.rule, ' ') from app.member_violations() v), null, 'no rule about members is broken');
select fx.act_as(:'admin') \g /dev/null
select is_empty('select * from public.verify_ledger()', 'nor one of the books');
select is(fx.refusal_as('authenticated', :'gone', 'select public.get_member_cards(null)'), 'PT404 MEMBER_NOT_FOUND', 'and he sees no card any more');

-- Two share a card that is closed: its owner goes, then the other.
select fx.make_member('guest@fixture.example') as guest \gset
select fx.make_member('host@fixture.example') as host \gset
select fx.make_card('prepaid') as over \gset
select fx.bind(:'over', :'host', 'owner'), fx.bind(:'over', :'guest', 'viewer') \g /dev/null
update app.cards set status = 'closed' where id = :'over';
select fx.act_as(u.id), public.delete_member(fx.member_id(u.id)) from unnest(array[:'host', :'guest']::uuid[]) u (id) \g /dev/null
select is((select count(*) from app.member_profiles m where m.status = 'deleted'), 3::bigint, 'a closed card holds back nobody');
select is_empty(format('select from app.card_bindings b where b.card_id = %L', :'over'), 'and what was not his own knows nobody any more');
select is_empty('select * from app.member_violations()', 'and the rules hold');

select * from finish();
rollback;
