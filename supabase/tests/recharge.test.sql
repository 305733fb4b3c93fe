-- Recharge orders: ordered by members, paid at a provider, credited once for each verified payment; the rest waits for an admin.
begin;
set local search_path = public, extensions;
set local client_min_messages = error;
select plan(317);

select fx.make_member('owner@fixture.example', 10) as owner \gset
select fx.make_member('other@fixture.example') as other \gset
select fx.make_member('helper@fixture.example') as helper \gset
select fx.standard_card(:'owner') as card \gset
select fx.standard_card(:'other') as other_card \gset
select fx.make_user('nobody@fixture.example') as nobody \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_merchant('S1') as s1 \gset
select fx.make_merchant_user('S1', 'owner') as shop_owner \gset

create function pg_temp.creates(p_card text, p_amount text default '100', p_provider text default 'wechat', p_key text default null)
returns text language sql as $$
  select format('select public.create_recharge_order(%L, %L, %L, %L)', p_card, p_amount, p_provider, p_key) $$;
create function pg_temp.completes(
  p_order text, p_tx text, p_amount text default '100', p_currency text default 'CNY', p_provider text default 'wechat',
  p_at text default clock_timestamp()::text)
returns text language sql as $$
  select format('select public.complete_recharge_order(%L, %L, %L, %L, %L, %L)', p_order, p_provider, p_tx, p_amount, p_currency, p_at) $$;
create function pg_temp.resolves(p_order text, p_tx text, p_resolution text, p_note text default null) returns text language sql as $$
  select format('select public.resolve_recharge_order(%L, %L, %L, %L)', p_order, p_tx, p_resolution, p_note) $$;
create function pg_temp.ordered(p_user uuid, p_card uuid, p_amount numeric default 100, p_provider text default 'wechat')
returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select o.order_no from public.create_recharge_order(p_card, p_amount, p_provider) o);
end;
$$;
-- Answers order and payment status, reason, late, amount, replayed, in one text.
create function pg_temp.complete(
  p_order text, p_tx text, p_amount numeric default 100, p_currency text default 'CNY', p_provider text default 'wechat',
  p_at timestamptz default clock_timestamp())
returns text language plpgsql as $$
begin
  perform fx.act_as_service();
  return (select concat_ws(' ', r.order_status, r.payment_status, coalesce(r.review_reason, '-'), case when r.is_late then 'late' end,
      r.amount, case when r.replayed then 'replayed' end)
    from public.complete_recharge_order(p_order, p_provider, p_tx, p_amount, p_currency, p_at) r);
end;
$$;
create function pg_temp.resolve(p_admin uuid, p_order text, p_tx text, p_resolution text, p_note text default null)
returns text language plpgsql as $$
begin
  perform fx.act_as(p_admin);
  return (select concat_ws(' ', r.order_status, r.payment_status, r.amount, case when r.tx_no is not null then 'booked' end)
    from public.resolve_recharge_order(p_order, p_tx, p_resolution, p_note) r);
end;
$$;
create function pg_temp.balance(p_card uuid) returns numeric language sql as $$ select c.balance from app.cards c where c.id = p_card $$;
create function pg_temp.entries(p_tx_no text) returns text language sql as $$
  select string_agg(e.account || ' ' || e.delta, ', ' order by e.entry_no)
  from app.transactions t join app.ledger_entries e on e.tx_id = t.id where t.tx_no = p_tx_no $$;
create function pg_temp.violations() returns text language sql as $$
  select coalesce(string_agg(concat_ws(' ', v.rule, v.detail), ', ' order by v.rule, v.detail), 'none') from app.recharge_violations() v $$;
create function pg_temp.expire(p_order text) returns void language sql as $$
  update app.recharge_orders o set expires_at = o.expires_at - interval '1 hour', created_at = o.created_at - interval '1 hour'
  where o.order_no = p_order $$;

-- Ordering.
select * from fx.refuses('42501 permission denied for function create_recharge_order', 'anon is stopped by the grant', 'anon', null, pg_temp.creates(:'card'));
select * from fx.refuses('42501 permission denied for function create_recharge_order', 'the service orders nothing', 'service_role', null, pg_temp.creates(:'card'));
select * from fx.refuses('PT401 NOT_AUTHENTICATED', 'ordering without a user', 'authenticated', null, pg_temp.creates(:'card'));
select * from fx.refuses('PT401 NOT_AUTHENTICATED', 'and nothing is read before the user', 'authenticated', null, pg_temp.creates(null, 'NaN', 'cash', ''));
select * from fx.refuses('PT400 IDEMPOTENCY_KEY_INVALID', 'a malformed key', 'authenticated', :'owner', pg_temp.creates(:'card', 'NaN', 'wechat', ''));
select fx.refuses('PT422 INVALID_RECHARGE_AMOUNT', 'an amount of ' || coalesce(a.amount, 'NULL'), 'authenticated', :'owner', pg_temp.creates(:'card', a.amount, 'cash'))
from (values ('NaN'), ('Infinity'), ('-Infinity'), ('0'), ('-1'), ('0.99'), ('50000.01'), ('1.001'), ('10.005'), (null)) as a (amount);
select fx.refuses('PT400 MALFORMED_ARGUMENT', 'a provider ' || coalesce(p.provider, 'NULL'), 'authenticated', :'owner', pg_temp.creates(:'card', '1', p.provider))
from (values ('cash'), ('WECHAT'), (''), (null)) as p (provider);
select * from fx.refuses('PT404 MEMBER_NOT_FOUND', 'who is no member orders nothing', 'authenticated', :'nobody', pg_temp.creates(:'card'));
select * from fx.refuses('PT404 MEMBER_NOT_FOUND', 'an admin who is no member neither', 'authenticated', :'admin', pg_temp.creates(:'card'));
select * from fx.refuses('PT404 CARD_NOT_FOUND', 'somebody else''s card', 'authenticated', :'other', pg_temp.creates(:'card'));
select * from fx.refuses('PT404 CARD_NOT_FOUND', 'an unknown card is the same', 'authenticated', :'other', pg_temp.creates(gen_random_uuid()::text));
select * from fx.refuses('PT404 CARD_NOT_FOUND', 'no card', 'authenticated', :'other', pg_temp.creates(null));

select fx.act_as(:'owner');
select * from public.create_recharge_order(:'card', 100, 'wechat', 'key-1') \gset o_
select ok(:'o_order_no' ~ '^ORD[0-9]{10}$', 'an order has a number');
select is(concat_ws(' ', :'o_card_id', :'o_amount', :'o_currency', :'o_provider', :'o_status', :'o_replayed'),
  concat_ws(' ', :'card', '100.00', 'CNY', 'wechat', 'pending', 'f'), 'an order is pending');
select is(:'o_expires_at'::timestamptz - :'o_created_at'::timestamptz, interval '15 minutes', 'for 15 minutes');
select is(pg_temp.balance(:'card'), 10.00, 'and nothing is credited');
select is((select concat_ws(' ', e.actor_role, e.object_type, e.params ->> 'amount', e.params ->> 'provider') from audit.event_log e where e.action = 'recharge.ordered'),
  'member card 100 wechat', 'one audit row tells of it');
select is((select concat_ws(' ', r.order_no, r.status, r.replayed) from public.create_recharge_order(:'card', 100.00, 'wechat', 'key-1') r),
  concat_ws(' ', :'o_order_no', 'pending', 't'), 'the same key and request is the same order');
select is((select count(*)::int from app.recharge_orders), 1, 'of which there is one');
select * from fx.refuses('PT422 IDEMPOTENCY_KEY_REUSED', 'the key with another amount', 'authenticated', :'owner', pg_temp.creates(:'card', '100.01', 'wechat', 'key-1'));
select * from fx.refuses('PT422 IDEMPOTENCY_KEY_REUSED', 'the key with another provider', 'authenticated', :'owner', pg_temp.creates(:'card', '100', 'alipay', 'key-1'));
select * from fx.refuses('PT422 IDEMPOTENCY_KEY_REUSED', 'the key with another card', 'authenticated', :'owner', pg_temp.creates(:'other_card', '100', 'wechat', 'key-1'));
select fx.act_as(:'other');
select is((select r.replayed from public.create_recharge_order(:'other_card', 50000, 'alipay', 'key-1') r), false, 'another member''s keys are his own; 50000.00 is the most');
select fx.act_as(:'owner');
select isnt((select r.order_no from public.create_recharge_order(:'card', 1, 'wechat') r), (select r.order_no from public.create_recharge_order(:'card', 1, 'wechat') r),
  'without a key each call is an order (a NULL never deduplicates); 1.00 is the least');

-- Roles and types.
select fx.make_card('prepaid', 0, null) as shared \gset
select fx.make_card('corporate', 0, 0.9) as corporate \gset
select fx.make_card('voucher', 30, null, :'owner') as voucher \gset
select fx.bind(:'shared', :'owner', 'owner'), fx.bind(:'shared', :'helper', 'member'), fx.bind(:'corporate', :'owner', 'owner'), fx.bind(:'corporate', :'helper', 'admin');
select * from fx.refuses('PT403 PERMISSION_DENIED', 'a member of a card pays and does not recharge', 'authenticated', :'helper', pg_temp.creates(:'shared'));
update app.card_bindings set role = 'viewer' where card_id = :'shared' and member_id = fx.member_id(:'helper');
select * from fx.refuses('PT403 PERMISSION_DENIED', 'nor does a viewer', 'authenticated', :'helper', pg_temp.creates(:'shared'));
select ok(pg_temp.ordered(:'helper', :'corporate') is not null, 'a card''s admin orders');
select ok(pg_temp.ordered(:'owner', :'shared') is not null, 'and its owner');
select * from fx.refuses('PT422 UNSUPPORTED_CARD_TYPE_FOR_RECHARGE', 'a voucher is not recharged', 'authenticated', :'owner', pg_temp.creates(:'voucher'));

-- States of card and member.
update app.cards set status = 'frozen' where id = :'card';
select * from fx.refuses('PT409 CARD_NOT_ACTIVE', 'a frozen card', 'authenticated', :'owner', pg_temp.creates(:'card'));
update app.cards set status = 'lost' where id = :'card';
select * from fx.refuses('PT409 CARD_NOT_ACTIVE', 'a lost card', 'authenticated', :'owner', pg_temp.creates(:'card'));
update app.cards set status = 'expired' where id = :'card';
select * from fx.refuses('PT409 CARD_EXPIRED', 'an expired card', 'authenticated', :'owner', pg_temp.creates(:'card'));
update app.cards set status = 'active', expires_at = now() - interval '1 second' where id = :'card';
select * from fx.refuses('PT409 CARD_EXPIRED', 'a card past its expiry', 'authenticated', :'owner', pg_temp.creates(:'card'));
update app.cards set expires_at = null where id = :'card';
update app.member_profiles set status = 'suspended' where id = fx.member_id(:'owner');
select * from fx.refuses('PT409 MEMBER_NOT_ACTIVE', 'a suspended member orders nothing', 'authenticated', :'owner', pg_temp.creates(:'card'));
select * from fx.refuses('PT409 MEMBER_NOT_ACTIVE', 'nor for a shared card', 'authenticated', :'owner', pg_temp.creates(:'shared'));
select fx.act_as(:'owner');
select is((select r.replayed from public.create_recharge_order(:'card', 100, 'wechat', 'key-1') r), true, 'but his old key still answers');
update app.member_profiles set status = 'active' where id = fx.member_id(:'owner');

-- Completing.
select * from fx.refuses('42501 permission denied for function complete_recharge_order', 'a member cannot credit his card by a call', 'authenticated', :'owner', pg_temp.completes(:'o_order_no', 'W1'));
select * from fx.refuses('42501 permission denied for function complete_recharge_order', 'nor can anon', 'anon', null, pg_temp.completes(:'o_order_no', 'W1'));
select fx.act_as(:'owner');
select is(fx.refusal(pg_temp.completes(:'o_order_no', 'W1')), 'PT403 PERMISSION_DENIED', 'the function itself refuses a user');
select fx.act_as(null);
select is(fx.refusal(pg_temp.completes(:'o_order_no', 'W1')), 'PT401 NOT_AUTHENTICATED', 'and nobody');
select fx.refuses('PT400 MALFORMED_ARGUMENT', 'a payment of provider ' || coalesce(p.provider, 'NULL'), 'service_role', null, pg_temp.completes(:'o_order_no', 'W1', '100', 'CNY', p.provider))
from (values ('cash'), (null)) as p (provider);
select fx.refuses('PT422 INVALID_RECHARGE_AMOUNT', 'a payment of ' || coalesce(a.amount, 'NULL'), 'service_role', null, pg_temp.completes(:'o_order_no', 'W1', a.amount))
from (values ('NaN'), ('Infinity'), ('0'), ('-100'), ('1.001'), (null)) as a (amount);
select fx.refuses('PT400 MALFORMED_ARGUMENT', 'a provider''s number ' || coalesce(left(t.tx, 1), 'NULL'), 'service_role', null, pg_temp.completes(:'o_order_no', t.tx))
from (values (''), (null), (repeat('x', 129)), (e'W\n1')) as t (tx);
select fx.refuses('PT400 MALFORMED_ARGUMENT', 'a currency ' || coalesce(c.currency, 'NULL'), 'service_role', null, pg_temp.completes(:'o_order_no', 'W1', '100', c.currency))
from (values (''), (null), ('cny'), ('RMBX')) as c (currency);
select fx.refuses('PT400 MALFORMED_ARGUMENT', 'a payment at ' || coalesce(t.at, 'NULL'), 'service_role', null, pg_temp.completes(:'o_order_no', 'W1', '100', 'CNY', 'wechat', t.at))
from (values ('infinity'), (null)) as t (at);
select * from fx.refuses('PT404 RECHARGE_ORDER_NOT_FOUND', 'an unknown order', 'service_role', null, pg_temp.completes('ORD9999999999', 'W1'));
select * from fx.refuses('PT404 RECHARGE_ORDER_NOT_FOUND', 'no order', 'service_role', null, pg_temp.completes(null, 'W1'));

select is(pg_temp.complete(:'o_order_no', 'W1'), 'completed credited - 100.00', 'a payment that fits is credited');
select is(pg_temp.balance(:'card'), 110.00, 'onto the card');
select fx.act_as(:'owner');
select tx_no from public.get_recharge_order(:'o_order_no') \gset
select ok(:'tx_no' ~ '^RCG[0-9]{10}$', 'as a recharge');
select is(pg_temp.entries(:'tx_no'), 'card 100.00, wechat_clearing -100.00', 'against the provider''s clearing');
select is((select concat_ws(' ', t.tx_type, t.card_id, t.member_id, t.merchant_id, t.raw_amount, t.final_amount, t.points_earned, t.tag ->> 'order_no', t.tag ->> 'provider_tx_id') from app.transactions t where t.tx_no = :'tx_no'),
  concat_ws(' ', 'recharge', :'card', fx.member_id(:'owner'), '100.00 100.00 0', :'o_order_no', 'W1'), 'with its order, and without points');
select is((select concat_ws(' ', e.actor_role, e.object_id, e.params ->> 'provider_tx_id', e.params ->> 'amount') from audit.event_log e where e.action = 'recharge.credited'),
  concat_ws(' ', 'service', :'o_order_no', 'W1', '100'), 'one audit row tells of it');
select is(pg_temp.complete(:'o_order_no', 'W1'), 'completed credited - 100.00 replayed', 'the same notification answers the same');
select is(pg_temp.complete(:'o_order_no', 'W1', 1, 'USD', 'wechat', '2020-01-01'), 'completed credited - 100.00 replayed', 'whatever it says now');
select is(concat_ws(' ', pg_temp.balance(:'card'), (select count(*) from app.recharge_payments), (select count(*) from audit.event_log e where e.action like 'recharge.%credited')), '110.00 1 1', 'and credits nothing again');
select fx.act_as(:'owner');
select is((select concat_ws(' ', r.order_no, r.status, r.replayed) from public.create_recharge_order(:'card', 100.00, 'wechat', 'key-1') r),
  concat_ws(' ', :'o_order_no', 'pending', 't'), 'a replayed order answers as it did at first');

-- A second payment of the same order.
select is(pg_temp.complete(:'o_order_no', 'W2'), 'completed needs_review second_payment 100.00', 'a second payment waits, and the order stays completed');
select is(pg_temp.complete(:'o_order_no', 'W2'), 'completed needs_review second_payment 100.00 replayed', 'as often as it is told');
select is(pg_temp.complete(:'o_order_no', 'W2', 100, 'CNY', 'alipay'), 'completed needs_review second_payment 100.00', 'the same number of another provider is another payment');
select is(pg_temp.balance(:'card'), 110.00, 'none is credited by itself');
select is(pg_temp.violations(), 'none', 'and the books are right');

-- What does not fit.
select pg_temp.ordered(:'owner', :'card') as amount_no \gset
select pg_temp.ordered(:'owner', :'card') as currency_no \gset
select pg_temp.ordered(:'owner', :'card', 100, 'alipay') as provider_no \gset
select is(pg_temp.complete(:'amount_no', 'W3', 99.99), 'needs_review needs_review wrong_amount 99.99', 'too little waits');
select is(pg_temp.complete(:'amount_no', 'W4', 100), 'needs_review needs_review second_payment 100.00', 'and so does the right amount after it');
select is(pg_temp.complete(:'currency_no', 'W5', 100, 'USD'), 'needs_review needs_review wrong_currency 100.00', 'another currency waits');
select is(pg_temp.complete(:'provider_no', 'W6', 100, 'CNY', 'wechat'), 'needs_review needs_review wrong_provider 100.00', 'another provider than ordered waits');
select is(pg_temp.balance(:'card'), 110.00, 'nothing of it is credited');
select is((select string_agg(e.params ->> 'reason', ' ' order by e.id) from audit.event_log e where e.action = 'recharge.needs_review'),
  'second_payment second_payment wrong_amount second_payment wrong_currency wrong_provider', 'and each has its audit row');
select * from fx.refuses('PT409 RECHARGE_ORDER_STATUS_CONFLICT', 'a transaction that paid one order pays no other', 'service_role', null, pg_temp.completes(:'currency_no', 'W1'));
update app.settings set value = 'USD' where key = 'recharge_currency';
select pg_temp.ordered(:'owner', :'card', 5) as dollars_no \gset
select is(pg_temp.complete(:'dollars_no', 'W7', 5, 'CNY'), 'needs_review needs_review wrong_currency 5.00', 'an order has the currency it was made in');
update app.settings set value = 'CNY' where key = 'recharge_currency';

-- Closed and blocked cards.
select pg_temp.ordered(:'other', :'other_card') as closed_no \gset
select pg_temp.ordered(:'other', :'other_card') as frozen_no \gset
update app.cards set status = 'frozen' where id = :'other_card';
update app.member_profiles set status = 'suspended' where id = fx.member_id(:'other');
select is(pg_temp.complete(:'frozen_no', 'W8'), 'completed credited - 100.00', 'money that was paid for a frozen card of a suspended member is his');
update app.member_profiles set status = 'active' where id = fx.member_id(:'other');
select fx.credit(:'other_card', -100);
update app.cards set status = 'closed' where id = :'other_card';
select is(pg_temp.complete(:'closed_no', 'W9'), 'needs_review needs_review card_closed 100.00', 'a closed card takes nothing');
select * from fx.refuses('PT409 CARD_NOT_ACTIVE', 'nor can an admin credit it', 'authenticated', :'admin', pg_temp.resolves(:'closed_no', 'W9', 'credit'));

-- Time.
select pg_temp.ordered(:'owner', :'card', 1) as late_no \gset
select pg_temp.ordered(:'owner', :'card', 2) as in_time_no \gset
select pg_temp.ordered(:'owner', :'card', 3) as pending_no \gset
select pg_temp.ordered(:'owner', :'card', 4) as slow_no \gset
select pg_temp.expire(:'late_no'), pg_temp.expire(:'in_time_no'), pg_temp.expire(:'slow_no');
select is(pg_temp.complete(:'slow_no', 'W10', 4), 'completed credited - late 4.00', 'a late payment is credited and flagged, expired by the cron or not');
select * from fx.refuses('42501 permission denied for function cron_expire_recharge_orders', 'members expire nothing', 'authenticated', :'owner', 'select public.cron_expire_recharge_orders()');
select fx.act_as(:'admin');
select is(fx.refusal('select public.cron_expire_recharge_orders()'), 'PT403 PERMISSION_DENIED', 'nor do admins');
select fx.act_as_service();
select is(public.cron_expire_recharge_orders(), 2, 'the cron expires what is pending too long');
select is((select e.params::text from audit.event_log e where e.action = 'recharge.expired'), '{"orders": 2}', 'with one audit row');
select is(public.cron_expire_recharge_orders(), 0, 'once');
select is((select count(*)::int from audit.event_log e where e.action = 'recharge.expired'), 1, 'and nothing done is not audited');
select is((select string_agg(o.status, ' ' order by o.order_no) from app.recharge_orders o where o.order_no in (:'late_no', :'in_time_no', :'pending_no', :'slow_no')),
  'expired expired pending completed', 'and nothing else');
select is(pg_temp.complete(:'late_no', 'W11', 1), 'completed credited - late 1.00', 'a late payment of an expired order is credited and flagged');
select fx.act_as(:'owner');
select is((select concat_ws(' ', o.status, o.is_late) from public.get_recharge_order(:'late_no') o), 'completed t', 'its order says so');
select is(pg_temp.complete(:'in_time_no', 'W12', 2, 'CNY', 'wechat', clock_timestamp() - interval '50 minutes'), 'completed credited - 2.00', 'one that was paid in time and told late is not late');
select pg_temp.ordered(:'owner', :'card', 6) as edge_no \gset
select is(pg_temp.complete(:'edge_no', 'W13', 6, 'CNY', 'wechat', (select o.expires_at from app.recharge_orders o where o.order_no = :'edge_no')),
  'completed credited - late 6.00', 'the moment of expiry is late');
select is(pg_temp.balance(:'card'), 123.00, 'all of it once: 110 + 4 + 1 + 2 + 6');

-- Resolving.
select * from fx.refuses('42501 permission denied for function resolve_recharge_order', 'anon is stopped by the grant', 'anon', null, pg_temp.resolves(:'amount_no', 'W3', 'credit'));
select * from fx.refuses('42501 permission denied for function resolve_recharge_order', 'the service decides nothing', 'service_role', null, pg_temp.resolves(:'amount_no', 'W3', 'credit'));
select * from fx.refuses('PT401 NOT_AUTHENTICATED', 'resolving without a user', 'authenticated', null, pg_temp.resolves(:'amount_no', 'W3', 'credit'));
select * from fx.refuses('PT403 PERMISSION_DENIED', 'a member does not resolve his own', 'authenticated', :'owner', pg_temp.resolves(:'amount_no', 'W3', 'credit'));
select * from fx.refuses('PT403 PERMISSION_DENIED', 'nor does a merchant', 'authenticated', :'shop_owner', pg_temp.resolves(:'amount_no', 'W3', 'credit'));
select fx.refuses('PT400 MALFORMED_ARGUMENT', 'a resolution ' || coalesce(r.resolution, 'NULL'), 'authenticated', :'admin', pg_temp.resolves(:'amount_no', 'W3', r.resolution))
from (values ('refund'), (''), (null)) as r (resolution);
select fx.refuses('PT400 MALFORMED_ARGUMENT', 'a note that is ' || n.why, 'authenticated', :'admin', pg_temp.resolves(:'amount_no', 'W3', 'credit', n.note))
from (values ('too long', repeat('x', 501)), ('no text', e'a\tb')) as n (why, note);
select * from fx.refuses('PT404 RECHARGE_ORDER_NOT_FOUND', 'an unknown order has no payment', 'authenticated', :'admin', pg_temp.resolves('ORD9999999999', 'W3', 'credit'));
select * from fx.refuses('PT404 RECHARGE_ORDER_NOT_FOUND', 'no order', 'authenticated', :'admin', pg_temp.resolves(null, 'W3', 'credit'));
select * from fx.refuses('PT404 RECHARGE_ORDER_NOT_FOUND', 'a payment of another order', 'authenticated', :'admin', pg_temp.resolves(:'amount_no', 'W5', 'credit'));
select * from fx.refuses('PT404 RECHARGE_ORDER_NOT_FOUND', 'no payment', 'authenticated', :'admin', pg_temp.resolves(:'amount_no', null, 'credit'));
select * from fx.refuses('PT409 RECHARGE_ORDER_STATUS_CONFLICT', 'what was credited is not credited again', 'authenticated', :'admin', pg_temp.resolves(:'o_order_no', 'W1', 'credit'));
select * from fx.refuses('PT409 RECHARGE_ORDER_STATUS_CONFLICT', 'nor given back', 'authenticated', :'admin', pg_temp.resolves(:'o_order_no', 'W1', 'refunded_outside'));
select * from fx.refuses('PT409 RECHARGE_ORDER_STATUS_CONFLICT', 'other money is never credited', 'authenticated', :'admin', pg_temp.resolves(:'currency_no', 'W5', 'credit'));
update app.settings set value = 'USD' where key = 'recharge_currency';
select * from fx.refuses('PT409 RECHARGE_ORDER_STATUS_CONFLICT', 'whatever the house''s currency is by then', 'authenticated', :'admin', pg_temp.resolves(:'currency_no', 'W5', 'credit'));
update app.settings set value = 'CNY' where key = 'recharge_currency';
select is(pg_temp.complete(:'currency_no', 'W14', 7, 'USD'), 'needs_review needs_review second_payment 7.00', 'a second payment in other money');
select * from fx.refuses('PT409 RECHARGE_ORDER_STATUS_CONFLICT', 'is not credited either', 'authenticated', :'admin', pg_temp.resolves(:'currency_no', 'W14', 'credit'));
select is((pg_temp.balance(:'card')), 123.00, 'nothing was credited');

select is(pg_temp.resolve(:'admin', :'amount_no', 'W3', 'credit', '  short by a cent  '), 'completed credited 99.99 booked', 'credit puts what was paid onto the card');
select is(pg_temp.balance(:'card'), 222.99, 'no more and no less');
select is((select concat_ws(', ', p.review_reason, p.resolution_note, p.resolved_by = :'admin', p.resolved_at is not null, pg_temp.entries(t.tx_no)) from app.recharge_payments p join app.transactions t on t.id = p.tx_id where p.provider_tx_id = 'W3'),
  'wrong_amount, short by a cent, t, t, card 99.99, wechat_clearing -99.99', 'with who, when and why');
select is((select concat_ws(' ', e.actor_role, e.object_id, e.params ->> 'provider_tx_id', e.params ->> 'resolution', e.params ->> 'amount', e.params ->> 'reason') from audit.event_log e where e.action = 'recharge.resolved'),
  concat_ws(' ', 'admin', :'amount_no', 'W3 credit 99.99 wrong_amount'), 'one audit row tells of it');
select * from fx.refuses('PT409 RECHARGE_ORDER_STATUS_CONFLICT', 'a review ends once', 'authenticated', :'admin', pg_temp.resolves(:'amount_no', 'W3', 'credit'));
select is(pg_temp.complete(:'amount_no', 'W3', 99.99), 'completed credited wrong_amount 99.99 replayed', 'the notification again credits nothing more');
select is(pg_temp.resolve(:'admin', :'amount_no', 'W4', 'refunded_outside'), 'completed refunded_outside 100.00', 'the order''s other payment has a review of its own');
select is(pg_temp.resolve(:'admin', :'provider_no', 'W6', 'credit'), 'completed credited 100.00 booked', 'a payment through another provider can be credited');
select is((select pg_temp.entries(t.tx_no) from app.recharge_payments p join app.transactions t on t.id = p.tx_id where p.provider_tx_id = 'W6'), 'card 100.00, wechat_clearing -100.00', 'against who was paid');
select is(pg_temp.resolve(:'admin', :'closed_no', 'W9', 'refunded_outside'), 'refunded_outside refunded_outside 100.00', 'what cannot be credited is given back');
select is(pg_temp.complete(:'closed_no', 'W15'), 'needs_review needs_review second_payment 100.00', 'and a payment after that waits again');
select is(pg_temp.resolve(:'admin', :'currency_no', 'W5', 'refunded_outside'), 'needs_review refunded_outside 100.00', 'while one still waits the order needs review');
select is(pg_temp.resolve(:'admin', :'currency_no', 'W14', 'refunded_outside'), 'refunded_outside refunded_outside 7.00', 'until all have ended');
select is(pg_temp.resolve(:'admin', :'o_order_no', 'W2', 'credit'), 'completed credited 100.00 booked', 'a member may be given his second payment');
select is((select string_agg(p.provider || ' ' || p.status, ', ' order by p.provider) from app.recharge_payments p where p.provider_tx_id = 'W2'),
  'alipay credited, wechat needs_review', 'of two payments with one number each is resolved in turn');
select is(pg_temp.resolve(:'admin', :'o_order_no', 'W2', 'refunded_outside'), 'completed refunded_outside 100.00', 'alipay''s, then wechat''s');
select is(pg_temp.balance(:'card'), 422.99, '222.99 and 100.00 twice');
select is(pg_temp.violations(), 'none', 'and the books are right');

-- Reading.
create function pg_temp.listed(p_user uuid, p_card uuid default null, p_status text default null, p_limit int default null, p_offset int default 0)
returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select coalesce(string_agg(substr(l.order_no, 12) || ' ' || l.status, ', '), 'none')
    from public.list_recharge_orders(p_card, p_status, p_limit, p_offset) l);
end;
$$;
create function pg_temp.lists(p_card text default null, p_status text default null, p_limit int default null, p_offset int default 0)
returns text language sql as $$ select format('select public.list_recharge_orders(%L, %L, %L, %L)', p_card, p_status, p_limit, p_offset) $$;
select fx.make_member('reader@fixture.example') as reader \gset
select fx.make_member('keeper@fixture.example') as keeper \gset
select fx.standard_card(:'reader') as reader_card \gset
select fx.make_card('corporate', 0, 0.9) as club \gset
select fx.bind(:'club', :'reader', 'owner'), fx.bind(:'club', :'keeper', 'admin'), fx.bind(:'club', :'helper', 'member');
select setval('app.recharge_order_no_seq', 9000000);
select pg_temp.ordered(:'reader', :'reader_card', 11) as r1 \gset
select pg_temp.ordered(:'reader', :'club', 12, 'alipay') as r2 \gset
select pg_temp.ordered(:'keeper', :'club', 13) as r3 \gset
select pg_temp.complete(:'r1', 'R1', 11);
select pg_temp.complete(:'r1', 'R2', 11);
select pg_temp.complete(:'r3', 'R3', 14);
select pg_temp.complete(:'r3', 'R4', 13);

select * from fx.refuses('42501 permission denied for function get_recharge_order', 'anon reads no order', 'anon', null, 'select public.get_recharge_order(null)');
select * from fx.refuses('42501 permission denied for function list_recharge_orders', 'anon lists no orders', 'anon', null, pg_temp.lists());
select * from fx.refuses('PT401 NOT_AUTHENTICATED', 'reading without a user', 'authenticated', null, format('select public.get_recharge_order(%L)', :'r1'));
select * from fx.refuses('PT401 NOT_AUTHENTICATED', 'listing without a user', 'authenticated', null, pg_temp.lists(null, 'x', 0));
select fx.refuses('PT404 RECHARGE_ORDER_NOT_FOUND', w.why, 'authenticated', w.who, format('select public.get_recharge_order(%L)', w.order_no))
from (values
  ('a stranger''s order is not found', :'other'::uuid, :'r1'), ('nor for who is no member', :'nobody', :'r1'), ('an unknown one neither', :'reader', 'ORD9999999999'),
  ('nor none', :'reader', null), ('a member of the card sees not its orders', :'helper', :'r2'), ('a card''s admin not its owner''s other orders', :'keeper', :'r1')) as w (why, who, order_no);
select fx.act_as(:'reader');
select is((select concat_ws(' ', o.order_no, o.card_id, o.amount, o.currency, o.provider, o.status, o.is_late, o.tx_no is not null, o.payments is null) from public.get_recharge_order(:'r1') o),
  concat_ws(' ', :'r1', :'reader_card', '11.00 CNY wechat completed f t t'), 'a member reads his order, without what the provider said');
select is((select o.status from public.get_recharge_order(:'r3') o), 'needs_review', 'and one of a card he owns');
select fx.act_as(:'keeper');
select is((select concat_ws(' ', o.status, o.tx_no) from public.get_recharge_order(:'r2') o), 'pending', 'as does the card''s admin');
select fx.act_as(:'admin');
select is((select string_agg(concat_ws(' ', p ->> 'provider_tx_id', p ->> 'status', p ->> 'review_reason', p ->> 'amount', p ->> 'currency'), ', ') from public.get_recharge_order(:'r1') o, jsonb_array_elements(o.payments) p),
  'R1 credited 11.00 CNY, R2 needs_review second_payment 11.00 CNY', 'an admin reads any, with every payment');
select is((select jsonb_array_length(o.payments) from public.get_recharge_order(:'r3') o), 2, 'each its own');
select fx.act_as_service();
select is((select concat_ws(' ', o.status, jsonb_array_length(o.payments)) from public.get_recharge_order(:'r1') o), 'completed 2', 'so does the service');

select is(pg_temp.listed(:'reader'), '02 pending, 01 completed', 'a list has one''s own, newest first');
select is(pg_temp.listed(:'reader', null, 'pending'), '02 pending', 'of a status');
select is(pg_temp.listed(:'reader', null, 'needs_review'), 'none', 'the member''s needs_review is the order''s');
select is(pg_temp.listed(:'reader', :'club'), '03 needs_review, 02 pending', 'those of a card, others'' too');
select is(pg_temp.listed(:'keeper', :'club', 'needs_review'), '03 needs_review', 'of a card and a status');
select is(pg_temp.listed(:'keeper'), '03 needs_review', 'without a card only one''s own');
select is(pg_temp.listed(:'keeper', :'club', null, 1), '03 needs_review', 'a page');
select is(pg_temp.listed(:'keeper', :'club', null, 1, 1), '02 pending', 'and the next');
select is(pg_temp.listed(:'reader', null, null, 1, 1), '01 completed', 'of one''s own too');
select is(pg_temp.listed(:'nobody'), 'none', 'who is no member has none');
select is(pg_temp.listed(:'admin', :'reader_card'), '01 completed', 'an admin lists any card');
select is(pg_temp.listed(:'admin', :'reader_card', 'needs_review'), '01 completed', 'and finds a payment that waits behind a completed order');
select is(pg_temp.listed(:'admin', null, null, 3), '03 needs_review, 02 pending, 01 completed', 'an admin lists all');
select is(pg_temp.listed(:'admin', null, 'completed', 1), '01 completed', 'of a status');
select is(pg_temp.listed(:'admin', null, 'needs_review', 2), '03 needs_review, 01 completed', 'needs_review is each order with a payment that waits');
select is(pg_temp.listed(:'admin', null, 'needs_review', 1, 1), '01 completed', 'by page');
select is((select count(*)::int from public.list_recharge_orders(null, 'needs_review', 200) l), (select count(distinct p.order_id)::int from app.recharge_payments p where p.status = 'needs_review'),
  'an order with two that wait is listed once');
delete from app.card_bindings where card_id = :'club' and member_id = fx.member_id(:'keeper');
select fx.act_as(:'keeper');
select is((select o.status from public.get_recharge_order(:'r3') o), 'needs_review', 'what one ordered one reads, without the card too');
select * from fx.refuses('PT404 RECHARGE_ORDER_NOT_FOUND', 'but not what others did', 'authenticated', :'keeper', format('select public.get_recharge_order(%L)', :'r2'));
select fx.act_as(:'reader');
select ok((select bool_and(l.payments is null) from public.list_recharge_orders() l), 'members see no payments');
select fx.refuses('PT400 MALFORMED_ARGUMENT', 'a page of ' || p.rows || ' from ' || coalesce(p.start::text, 'NULL'), 'authenticated', :'reader', pg_temp.lists(null, null, p.rows, p.start))
from (values (0, 0), (-1, 0), (201, 0), (1, -1)) as p (rows, start);
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'an unknown status', 'authenticated', :'reader', pg_temp.lists(null, 'paid'));
select fx.refuses('PT404 CARD_NOT_FOUND', w.why, 'authenticated', w.who, pg_temp.lists(w.card))
from (values ('a stranger''s card', :'reader'::uuid, :'card'), ('a card one only pays with', :'helper', :'club'), ('an unknown card', :'reader', gen_random_uuid()::text)) as w (why, who, card);
insert into app.recharge_orders (id, card_id, member_id, amount, currency, provider, expires_at, created_at)
select app.uuid_v7(), :'reader_card', fx.member_id(:'reader'), 1, 'CNY', 'wechat', now() + interval '1 hour', now() from generate_series(1, 250);
select fx.act_as(:'reader');
select is((select concat_ws(' ', (select count(*) from public.list_recharge_orders()), (select count(*) from public.list_recharge_orders(null, null, 200)))), '50 200', 'a page has 50 rows unless asked, and at most 200');

-- What a provider reported is held.
select is(fx.refusal(format('update app.recharge_payments set %s where provider_tx_id = %L', c.change, c.tx)),
  '55000 UPDATE of recharge_payments is refused: a reported payment changes once, when its review ends', 'nobody changes a payment: ' || c.change)
from (values ('amount = 1', 'R3'), ('amount = 1, status = ''refunded_outside''', 'R3'), ('review_reason = null', 'R3'), ('paid_at = now()', 'R1'), ('status = ''needs_review''', 'R1'), ('resolution_note = ''x''', 'W3')) as c (change, tx);
select is(fx.refusal('delete from app.recharge_payments'), '55000 DELETE of recharge_payments is refused: a reported payment changes once, when its review ends', 'nor deletes one');
select is(fx.refusal('truncate app.recharge_payments'), '55000 TRUNCATE of recharge_payments is refused: rows of this table are written once', 'nor all');

-- The rules of the books find what is wrong.
create function pg_temp.found(p_change text) returns text language plpgsql as $$
declare
  v_found text;
begin
  begin
    execute p_change;
    v_found := pg_temp.violations();
    raise exception using errcode = 'ZZ999';
  exception when sqlstate 'ZZ999' then
    return v_found;
  end;
end;
$$;
select fx.act_as_service();
select is((select count(*)::int from public.verify_ledger()), 0, 'the ledger is right');
alter table app.recharge_payments disable trigger payments_only_end_their_review;
select is(pg_temp.violations(), 'none', 'before it is broken nothing is wrong');
select is(pg_temp.found('update app.recharge_payments set amount = 12 where provider_tx_id = ''R1'''), 'credited_payment_has_its_transaction ' || (select t.tx_no from app.recharge_payments p join app.transactions t on t.id = p.tx_id where p.provider_tx_id = 'R1'), 'another amount than was credited');
select matches(pg_temp.found('update app.recharge_payments set currency = ''USD'' where provider_tx_id = ''R1'''), '^credited_payment_has_its_transaction RCG[0-9]{10}$', 'other money that was credited');
select matches(pg_temp.found('update app.recharge_payments set provider = ''alipay'' where provider_tx_id = ''R1'''), '^credited_payment_has_its_transaction RCG[0-9]{10}$', 'another provider''s clearing');
select matches(pg_temp.found(format('update app.recharge_orders set card_id = %L where order_no = %L', :'card', :'r1')), '^credited_payment_has_its_transaction RCG[0-9]{10}$', 'another card than was credited');
select matches(pg_temp.found('delete from app.recharge_payments where provider_tx_id = ''R1'''), '^order_status_follows_its_payments completed with 0 credited, 1 to review, recharge_has_its_source wechat_clearing$', 'a recharge that no provider reported');
select is(pg_temp.found(format('update app.recharge_orders set status = %L where order_no = %L', s.status, s.order_no)), 'order_status_follows_its_payments ' || s.status || ' with ' || s.found, 'an order ' || s.status || ' by mistake')
from (values ('completed', :'r2', '0 credited, 0 to review'), ('needs_review', :'r1', '1 credited, 1 to review'), ('pending', :'r3', '0 credited, 2 to review'), ('refunded_outside', :'r3', '0 credited, 2 to review'),
  ('refunded_outside', :'r2', '0 credited, 0 to review'), ('expired', :'r1', '1 credited, 1 to review')) as s (status, order_no, found);
select is(pg_temp.found($$
  update app.recharge_payments p
  set status = 'credited', review_reason = null, tx_id = (select app.credit_recharge(o, 'wechat', 11, 'R2') from app.recharge_orders o where o.id = p.order_id)
  where p.provider_tx_id = 'R2' $$), 'order_is_credited_once_by_itself 2', 'two payments of one order, credited without a review');
select * from finish();
rollback;
