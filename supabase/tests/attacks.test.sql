-- What a stranger, and whoever wants more than his role gives, tries against every RPC. docs/security/attacks.md tells the rest.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

-- A victim with money, and people who would like it.
select fx.ensure_master_key();
select fx.make_member('victim@fixture.example', 5000) as victim, fx.make_member('stranger@fixture.example', 100) as stranger,
       fx.make_member('gone@fixture.example') as gone, fx.make_user('nobody@fixture.example') as nobody,
       fx.make_user('admin@fixture.example') as admin, fx.make_user('admin2@fixture.example') as admin2 \gset
insert into app.admin_users (user_id) values (:'admin'), (:'admin2');
select fx.make_merchant('S1') as shop, fx.make_merchant('S2') as other_shop \gset
select fx.make_merchant_user('S1') as cashier, fx.make_merchant_user('S1', 'manager') as manager, fx.make_merchant_user('S1', 'owner') as boss,
       fx.make_merchant_user('S1') as fired, fx.make_merchant_user('S2', 'owner') as rival \gset
select fx.make_terminal('S1', 'TERM01');
select fx.standard_card(:'victim') as card, fx.make_card('corporate', 3000, 0.800) as corporate \gset
select fx.bind(:'corporate', :'victim', 'owner');
select fx.code(:'victim') as paid_code \gset
select fx.act_as(:'cashier');
select c.tx_no from public.merchant_charge_by_qr('S1', :'paid_code', 3000, 'key-1', null, 'order-1', 'TERM01') c \gset
select fx.code(:'victim') as code \gset
select d.handle from fx.enroll(:'victim') d \gset
select fx.act_as(:'victim');
select o.order_no from public.create_recharge_order(:'card', 100, 'wechat') o \gset
select fx.act_as(:'admin');
select public.generate_settlement(:'shop', 'realtime', now() - interval '1 day', clock_timestamp()) as settlement \gset
select public.update_settlement_status(:'settlement', 'settled'), public.update_settlement_status(:'settlement', 'paid');
select public.delete_member(fx.member_id(:'gone')), public.remove_merchant_user(:'shop', :'fired');

create temporary table argument (name text primary key, mine text, unknown text) on commit drop;
insert into argument values
  ('p_card_id', :'card', gen_random_uuid()), ('p_member_id', fx.member_id(:'victim'), gen_random_uuid()),
  ('p_owner_member_id', fx.member_id(:'victim'), gen_random_uuid()), ('p_merchant_id', :'shop', gen_random_uuid()),
  ('p_settlement_id', :'settlement', gen_random_uuid()), ('p_merchant_code', 'S1', 'NONE'), ('p_tx_no', :'tx_no', 'PAY9999999999'),
  ('p_original_tx_no', :'tx_no', 'PAY9999999999'), ('p_order_no', :'order_no', 'RCO9999999999'), ('p_handle', :'handle', '0000000000'),
  ('p_terminal_code', 'TERM01', 'ZZZZZZ'), ('p_qr_plain', :'code', '700000000000000000000005'), ('p_raw_amount', '1', null),
  ('p_amount', '1', null), ('p_refund_amount', '1', null), ('p_initial_balance', '1', null), ('p_name', 'Name', null), ('p_role', 'member', null),
  ('p_provider', 'wechat', null), ('p_user_id', :'stranger', null), ('p_auth_user_id', :'stranger', null), ('p_label', 'label', null),
  ('p_reason', 'reason', null), ('p_password', 'secret12', null), ('p_payment_method', 'cash', null), ('p_delta_points', '1', null),
  ('p_group_by', 'day', null), ('p_start_date', '2026-01-01', null), ('p_end_date', '2026-02-01', null), ('p_status', null, null),
  ('p_ttl_seconds', '900', null), ('p_clear_day_max', 'false', null), ('p_code', 'S3', null), ('p_key', 'refund_points', null),
  ('p_value', 'keep', null), ('p_mode', 'realtime', null), ('p_period_start', '2026-01-01', null), ('p_period_end', '2026-02-01', null),
  ('p_keyword', 'a', null), ('p_offset', '0', null), ('p_resolution', 'credit', null), ('p_provider_tx_id', 'T1', null),
  ('p_levels', '[{"level": 0, "name": "x", "points_min": 0, "discount": 0.1}]', null), ('p_seal_first', '1', null);

-- A call of a function with the victim's things, one argument changed.
create function pg_temp.call(p_function oid, p_name text default null, p_value text default null) returns text language sql as $$
  select format('select * from public.%I(%s)', p.proname, coalesce(string_agg(format('%I => %L::%s', a.name,
    case when a.name = p_name then p_value else (select g.mine from argument g where g.name = a.name) end,
    format_type(a.type, null)), ', ' order by a.place) filter (where a.name is not null), ''))
  from pg_proc p
  left join lateral unnest(p.proargnames[1 : p.pronargs], p.proargtypes::oid[]) with ordinality as a (name, type, place) on true
  where p.oid = p_function group by p.proname
$$;
create function pg_temp.rpcs() returns setof pg_proc language sql as $$
  select p.* from pg_proc p
  where p.pronamespace = 'public'::regnamespace and has_function_privilege('authenticated', p.oid, 'execute')
    -- What only tells the caller of himself, or everybody the same.
    and p.proname not in ('get_user_profile', 'get_my_merchants', 'list_card_invitations', 'list_membership_levels', 'test_connection', 'register_member')
$$;

-- Every RPC, by whom it does not concern.
create temporary table before on commit drop as select * from fx.state();
create function pg_temp.answers(p_user uuid) returns table (rpc text, answer text) language sql as $$
  select p.proname::text, fx.refusal_as('authenticated', p_user, pg_temp.call(p.oid)) from pg_temp.rpcs() p
$$;
select is_empty(
  format('select a.* from pg_temp.answers(%L) a where a.answer !~ ''^PT4(0[0-4]|22) ''', w.uid),
  w.name || ' gets nothing of the victim''s by any RPC')
from (values ('a user who is nothing', :'nobody'::uuid), ('another member', :'stranger'), ('a deleted member''s token', :'gone'),
  ('a dismissed cashier', :'fired'), ('the owner of another shop', :'rival')) as w (name, uid);
select is_empty($$ select * from fx.state() except select * from before $$, 'and nothing has changed');

-- Oracles: what is somebody else's and what does not exist answer alike, to the detail.
create function pg_temp.answer_of(p_user uuid, p_call text) returns text language plpgsql as $$
declare
  v_answer text;
  v_detail text;
begin
  perform fx.act_as(p_user);
  perform set_config('role', 'authenticated', true);
  begin
    execute p_call;
    v_answer := 'no refusal';
  exception when others then
    get stacked diagnostics v_answer = message_text, v_detail = pg_exception_detail;
  end;
  perform set_config('role', 'none', true);
  return v_answer || ' ' || coalesce(v_detail, '');
end;
$$;
select is_empty(format($$
  select p.proname, a.name, pg_temp.answer_of(%1$L, pg_temp.call(p.oid)), pg_temp.answer_of(%1$L, pg_temp.call(p.oid, a.name, a.unknown))
  from pg_temp.rpcs() p join argument a on a.name = any (p.proargnames[1 : p.pronargs]) and a.unknown is not null
  where pg_temp.answer_of(%1$L, pg_temp.call(p.oid)) <> pg_temp.answer_of(%1$L, pg_temp.call(p.oid, a.name, a.unknown))
    and p.proname <> 'validate_qr_plain' $$, w.uid), w.name || ' cannot tell the victim''s things from none')
from (values ('a user who is nothing', :'nobody'), ('another member', :'stranger'), ('a dismissed cashier', :'fired'), ('the owner of another shop', :'rival'))
  as w (name, uid);

-- Amounts that are none, by those who may move money.
select is_empty(format($$
  select p.proname, a.name, v.value, fx.refusal_as('authenticated', %L, pg_temp.call(p.oid, a.name, v.value))
  from pg_temp.rpcs() p
  cross join lateral unnest(p.proargnames[1 : p.pronargs], p.proargtypes::oid[]) as a (name, type)
  cross join (values ('NaN'), ('Infinity'), ('-Infinity'), ('-0.001'), ('0.0001'), ('1e131071'), ('1e-16383'), ('1000000000000')) as v (value)
  where a.type = 'numeric'::regtype and p.proname not in ('validate_qr_plain')
    and fx.refusal_as('authenticated', %1$L, pg_temp.call(p.oid, a.name, v.value)) !~ '^PT4' $$, w.uid),
  w.name || ' passes no amount that is none')
from (values ('an admin', :'admin'), ('a cashier', :'cashier'), ('the card''s owner', :'victim')) as w (name, uid);

-- NULL in every argument: an answer of ours or the default, never a fault.
select is_empty(format($$
  select p.proname, a.name, r.answer from pg_temp.rpcs() p
  cross join lateral unnest(p.proargnames[1 : p.pronargs]) as a (name)
  cross join lateral (select fx.refusal_as('authenticated', %L, pg_temp.call(p.oid, a.name, null)) as answer) r
  where r.answer !~ '^(PT4|no refusal)' $$, :'stranger'), 'NULL anywhere is no fault of ours');

-- Locks: a refused stranger leaves no mark on the card, so he neither waits for its lock nor holds it.
select c.xmax as mark from app.cards c where c.id = :'corporate' \gset
select is(
  (select string_agg(fx.refusal_as('authenticated', :'stranger', pg_temp.call(p.oid, 'p_card_id', :'corporate')), '; ')
   from pg_temp.rpcs() p where p.proname in ('freeze_card', 'report_card_lost', 'set_card_binding_password', 'unbind_member_from_card', 'bind_member_to_card')),
  'PT404 CARD_NOT_FOUND; PT404 CARD_NOT_FOUND; PT404 CARD_NOT_FOUND; PT404 CARD_NOT_FOUND; PT404 CARD_NOT_FOUND', 'a stranger is refused');
select is((select c.xmax::text from app.cards c where c.id = :'corporate'), :'mark', 'without touching the card''s lock');

-- A suspended owner shares nothing.
select fx.make_member('accomplice@fixture.example') as accomplice \gset
update app.member_profiles set status = 'suspended' where auth_user_id = :'victim';
create function pg_temp.ask(p_user uuid, p_call text) returns text language sql as $$ select fx.refusal_as('authenticated', p_user, 'select ' || p_call) $$;
select is(pg_temp.ask(:'victim', format('public.bind_member_to_card(%L, %L, %L)', :'corporate', fx.member_id(:'accomplice'), 'member')),
  'PT409 MEMBER_NOT_ACTIVE', 'a suspended owner binds nobody who would pay in his place');
select is(pg_temp.ask(:'victim', format('public.set_card_binding_password(%L, %L)', :'corporate', 'secret12')),
  'PT409 MEMBER_NOT_ACTIVE', 'nor sets the password for it');
select is(pg_temp.ask(:'victim', format('public.freeze_card(%L)', :'corporate')), 'no refusal', 'but still freezes his card');
update app.member_profiles set status = 'active' where auth_user_id = :'victim';
update app.cards set status = 'active' where id = :'corporate';
select is(pg_temp.ask(:'victim', format('public.bind_member_to_card(%L, %L, %L)', :'corporate', fx.member_id(:'accomplice'), 'viewer')),
  'no refusal', 'active again he shares it');

-- A viewer has no part in the card's discount, and does not promote himself.
select fx.act_as(:'accomplice');
select is((select c.discount from public.get_card_detail(fx.standard_card(:'accomplice')) c), 1.000, 'a viewer gets no corporate discount');
select is(pg_temp.ask(:'accomplice', format('public.bind_member_to_card(%L, %L, %L, %L)', :'corporate', fx.member_id(:'accomplice'), 'member', 'secret12')),
  'PT403 PERMISSION_DENIED', 'and does not make himself a member');

-- A cashier refunds a payment up to his bound in all, not per call.
create function pg_temp.refund(p_user uuid, p_tx_no text, p_amount numeric) returns text language sql as $$
  select pg_temp.ask(p_user, format('public.merchant_refund_tx(%L, %L, %L)', 'S1', p_tx_no, p_amount)) $$;
select is(pg_temp.refund(:'cashier', :'tx_no', 600), 'no refusal', 'a cashier refunds a part');
select is(pg_temp.refund(:'cashier', :'tx_no', 400.01), 'PT403 REFUND_NEEDS_MANAGER', 'but no second part above his bound in all');
select is(pg_temp.refund(:'cashier', :'tx_no', 400), 'no refusal', 'to the cent');
select is(pg_temp.refund(:'cashier', :'tx_no', 0.01), 'PT403 REFUND_NEEDS_MANAGER', 'and then nothing more');
select is(pg_temp.refund(:'manager', :'tx_no', 1000.01), 'no refusal', 'a manager does');

-- What a shop is paid is not for its cashiers.
select t.tx_no as payout_no from app.transactions t where t.tx_type = 'settlement' \gset
select is(pg_temp.ask(w.uid, format('public.get_transaction_detail(%L)', :'payout_no')), w.answer, w.name)
from (values ('a cashier does not find a payout', :'cashier'::uuid, 'PT404 TX_NOT_FOUND'), ('a manager does', :'manager', 'no refusal'),
  ('an admin does', :'admin', 'no refusal'), ('another shop does not', :'rival', 'PT404 TX_NOT_FOUND')) as w (name, uid, answer);
create function pg_temp.payouts(p_user uuid, p_shop uuid) returns bigint language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select count(*) from public.get_merchant_transactions(p_shop) t where t.tx_type = 'settlement')
    + (select count(*) from public.get_merchant_transactions_page(p_shop) t where t.tx_type = 'settlement');
end;
$$;
select is(pg_temp.payouts(:'cashier', :'shop'), 0::bigint, 'nor lists one');
select is(pg_temp.payouts(:'boss', :'shop'), 2::bigint, 'the owner lists it on both pages');

-- Phones of others.
select fx.make_user('rightful@fixture.example') as rightful, fx.make_user('squatter@fixture.example') as squatter \gset
update auth.users set phone = '886911222333', phone_confirmed_at = now() where id = :'rightful';
select is(pg_temp.ask(:'squatter', $$ public.register_member('S', '+886911222333') $$), 'PT409 PHONE_ALREADY_REGISTERED',
  'nobody registers with a phone that another user has confirmed');
select is(pg_temp.ask(:'rightful', $$ public.register_member('R', '+886911222333') $$), 'no refusal', 'whose phone it is does');

-- Keys: an answer belongs to the scope, the RPC and the request that it was given to.
create function pg_temp.cash(p_user uuid, p_shop text, p_card uuid, p_key text) returns text language sql as $$
  select pg_temp.ask(p_user, format('public.user_recharge_card(%L, 10, %L, null, %L, null, %L)', p_card, 'cash', p_key, p_shop)) $$;
select is(pg_temp.cash(:'cashier', 'S1', :'card', 'key-1'), 'PT422 IDEMPOTENCY_KEY_REUSED', 'a charge''s key answers no recharge');
select is(pg_temp.ask(:'manager', format('public.merchant_refund_tx(%L, %L, 1, null, %L)', 'S1', :'tx_no', 'key-1')),
  'PT422 IDEMPOTENCY_KEY_REUSED', 'nor a refund');
select is(pg_temp.ask(:'rival', format('public.merchant_charge_by_qr(%L, %L, 3000, %L, null, %L, %L)', 'S2', :'paid_code', 'key-1', 'order-1', null)),
  'PT409 QR_EXPIRED_OR_INVALID', 'another shop''s same key and code replay nothing');
select is(pg_temp.ask(:'fired', format('public.merchant_charge_by_qr(%L, %L, 3000, %L, null, %L, %L)', 'S1', :'paid_code', 'key-1', 'order-1', 'TERM01')),
  'PT403 NOT_MERCHANT_USER', 'who was dismissed replays nothing');
select fx.act_as(:'admin');
select a.tx_no as first_no from public.adjust_card_balance(:'card', 1, 'x', 'same') a \gset
select fx.act_as(:'admin2');
select isnt((select a.tx_no from public.adjust_card_balance(:'card', 1, 'x', 'same') a), :'first_no', 'one admin''s key answers no other admin');

-- Claims that are no identity.
create function pg_temp.with_claims(p_claims text) returns text language plpgsql as $$
declare
  v_answer text;
begin
  perform set_config('request.jwt.claims', p_claims, true);
  perform set_config('role', 'authenticated', true);
  v_answer := fx.refusal('select public.get_member_cards()');
  perform set_config('role', 'none', true);
  return v_answer;
end;
$$;
select is(pg_temp.with_claims(c.claims), c.answer, c.name)
from (values ('no subject', '{"role": "authenticated"}', 'PT401 NOT_AUTHENTICATED'), ('an empty one', '{"role": "authenticated", "sub": ""}', 'PT401 NOT_AUTHENTICATED'),
  ('a subject without role', format('{"sub": "%s"}', :'victim'), 'PT401 NOT_AUTHENTICATED'),
  ('anon with a subject', format('{"sub": "%s", "role": "anon"}', :'victim'), 'PT401 NOT_AUTHENTICATED'),
  ('the role in user_metadata only', format('{"sub": "%s", "user_metadata": {"role": "authenticated"}}', :'victim'), 'PT401 NOT_AUTHENTICATED'),
  ('no claims', '', 'PT401 NOT_AUTHENTICATED')) as c (name, claims, answer);

-- After all of it the books are right.
select fx.act_as_service();
select is_empty('select * from public.verify_ledger()', 'the books are right');
select * from finish();
rollback;
