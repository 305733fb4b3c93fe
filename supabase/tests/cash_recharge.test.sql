-- Cash recharges: taken by a merchant's users, who then owe it, or by an admin; never by a member.
begin;
set local search_path = public, extensions;
set local client_min_messages = error;
select plan(144);

select fx.make_member('payer@fixture.example', 10) as payer \gset
select fx.make_member('other@fixture.example') as other \gset
select fx.standard_card(:'payer') as card \gset
select fx.standard_card(:'other') as other_card \gset
select fx.make_user('admin@fixture.example') as admin \gset
select fx.make_user('second@fixture.example') as second_admin \gset
insert into app.admin_users (user_id) values (:'admin'), (:'second_admin');
select fx.make_merchant('S1') as s1 \gset
select fx.make_merchant('S2') as s2 \gset
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_merchant_user('S1') as second_cashier \gset
select fx.make_merchant_user('S1', 'manager') as manager \gset
select fx.make_merchant_user('S1', 'owner') as owner \gset
select fx.make_merchant_user('S2') as stranger \gset

create function pg_temp.takes(
  p_card text, p_merchant text default 'S1', p_amount text default '100', p_method text default 'cash', p_key text default null,
  p_order text default null, p_tag text default null)
returns text language sql as $$
  select format('select public.user_recharge_card(%L, %L, %L, %L, %L, %L, %L)', p_card, p_amount, p_method, p_tag, p_key, p_order, p_merchant) $$;
create function pg_temp.take(
  p_user uuid, p_card uuid, p_merchant text default 'S1', p_amount numeric default 100, p_key text default null, p_order text default null)
returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select r.tx_no || case when r.replayed then ' replayed' else '' end
    from public.user_recharge_card(p_card, p_amount, 'cash', null, p_key, p_order, p_merchant) r);
end;
$$;
create function pg_temp.balance(p_card uuid) returns numeric language sql as $$ select c.balance from app.cards c where c.id = p_card $$;
create function pg_temp.entries(p_tx_no text) returns text language sql as $$
  select string_agg(concat_ws(' ', e.account, m.code, e.delta), ', ' order by e.entry_no)
  from app.transactions t join app.ledger_entries e on e.tx_id = t.id left join app.merchants m on m.id = e.merchant_id where t.tx_no = p_tx_no $$;

-- Who may not.
select * from fx.refuses('42501 permission denied for function user_recharge_card', 'anon is stopped by the grant', 'anon', null, pg_temp.takes(:'card'));
select * from fx.refuses('42501 permission denied for function user_recharge_card', 'the service takes no cash', 'service_role', null, pg_temp.takes(:'card'));
select * from fx.refuses('PT401 NOT_AUTHENTICATED', 'cash without a user', 'authenticated', null, pg_temp.takes(:'card'));
select * from fx.refuses('PT401 NOT_AUTHENTICATED', 'nothing is read before the user', 'authenticated', null, pg_temp.takes(null, null, 'NaN', 'x', ''));
select * from fx.refuses('PT403 PERMISSION_DENIED', 'a member cannot credit his card', 'authenticated', :'payer', pg_temp.takes(:'card', null));
select * from fx.refuses('PT403 PERMISSION_DENIED', 'nor anybody''s', 'authenticated', :'payer', pg_temp.takes(:'other_card', null));
select * from fx.refuses('PT403 NOT_MERCHANT_USER', 'nor in a merchant''s name', 'authenticated', :'payer', pg_temp.takes(:'card'));
select * from fx.refuses('PT403 NOT_MERCHANT_USER', 'another merchant''s cashier', 'authenticated', :'stranger', pg_temp.takes(:'card'));
select * from fx.refuses('PT403 NOT_MERCHANT_USER', 'an unknown merchant is the same', 'authenticated', :'stranger', pg_temp.takes(:'card', 'S9'));
select * from fx.refuses('PT403 NOT_MERCHANT_USER', 'a merchant without a name too', 'authenticated', :'stranger', pg_temp.takes(:'card', ''));
select * from fx.refuses('PT403 NOT_MERCHANT_USER', 'an admin is no merchant', 'authenticated', :'admin', pg_temp.takes(:'card'));
select * from fx.refuses('PT403 PERMISSION_DENIED', 'a cashier takes none for the house', 'authenticated', :'cashier', pg_temp.takes(:'card', null));
select * from fx.refuses('PT403 PERMISSION_DENIED', 'nor does a merchant''s owner', 'authenticated', :'owner', pg_temp.takes(:'card', null));

-- What may not be asked for.
select * from fx.refuses('PT400 IDEMPOTENCY_KEY_INVALID', 'a malformed key', 'authenticated', :'cashier', pg_temp.takes(:'card', 'S1', 'NaN', 'cash', ''));
select fx.refuses('PT422 INVALID_RECHARGE_AMOUNT', 'an amount of ' || coalesce(a.amount, 'NULL'), 'authenticated', :'cashier', pg_temp.takes(:'card', 'S1', a.amount, 'card'))
from (values ('NaN'), ('Infinity'), ('-Infinity'), ('0'), ('-1'), ('0.99'), ('50000.01'), ('1.001'), (null)) as a (amount);
select fx.refuses('PT400 MALFORMED_ARGUMENT', 'a payment method ' || coalesce(m.method, 'NULL'), 'authenticated', :'cashier', pg_temp.takes(:'card', 'S1', '100', m.method))
from (values ('wechat'), ('alipay'), ('CASH'), (''), (null)) as m (method);
select fx.refuses('PT400 MALFORMED_ARGUMENT', 'an order id that is ' || o.why, 'authenticated', :'cashier', pg_temp.takes(:'card', 'S1', '100', 'cash', null, o.id))
from (values ('empty', ''), ('too long', repeat('x', 129)), ('no text', e'a\tb')) as o (why, id);
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'a tag that is no object', 'authenticated', :'cashier', pg_temp.takes(:'card', 'S1', '100', 'cash', null, null, '[]'));
select * from fx.refuses('PT404 CARD_NOT_FOUND', 'an unknown card', 'authenticated', :'cashier', pg_temp.takes(gen_random_uuid()::text));
select * from fx.refuses('PT404 CARD_NOT_FOUND', 'no card', 'authenticated', :'admin', pg_temp.takes(null, null));

-- A shop takes cash.
select fx.act_as(:'cashier');
select * from public.user_recharge_card(:'card', 100, 'cash', '{"till": 3}', 'key-1', 'order-1', 'S1') \gset c_
select ok(:'c_tx_no' ~ '^RCG[0-9]{10}$', 'a cash recharge has a number');
select is(concat_ws(' ', :'c_card_id', :'c_amount', :'c_merchant_code', :'c_external_order_id', :'c_replayed'), concat_ws(' ', :'card', '100.00 S1 order-1 f'), 'and answers what was done');
select is(pg_temp.balance(:'card'), 110.00, 'the card has it');
select is(pg_temp.entries(:'c_tx_no'), 'card 100.00, merchant_payable S1 -100.00', 'and the merchant owes it');
select is((select concat_ws(' ', t.tx_type, t.member_id, t.merchant_id, t.raw_amount, t.final_amount, t.points_earned, t.tag, t.actor_user_id, t.created_at = :'c_created_at') from app.transactions t where t.id = :'c_tx_id'),
  concat_ws(' ', 'recharge', fx.member_id(:'payer'), :'s1', '100.00 100.00 0 {"till": 3}', :'cashier', 't'), 'without points, with who took it');
select is((select concat_ws(' ', e.actor_user_id, e.actor_role, e.object_type, e.params ->> 'amount', e.params ->> 'merchant_code', e.params ->> 'external_order_id') from audit.event_log e where e.action = 'card.recharged'),
  concat_ws(' ', :'cashier', 'merchant card 100 S1 order-1'), 'one audit row tells of it');
select is((select concat_ws(' ', d.user_id, d.day = (now() at time zone 'Asia/Taipei')::date, d.total) from app.cashier_cash_days d), concat_ws(' ', :'cashier', 't 100.00'), 'and the cashier''s day');

-- Again with the key.
select fx.act_as(:'cashier');
select is((select to_jsonb(r) - 'replayed' || jsonb_build_object('was', r.replayed) from public.user_recharge_card(:'card', 100.00, 'cash', null, 'key-1', 'order-1', 'S1') r),
  jsonb_build_object('tx_id', :'c_tx_id', 'tx_no', :'c_tx_no', 'card_id', :'card', 'amount', 100.00, 'merchant_code', 'S1', 'external_order_id', 'order-1', 'created_at', :'c_created_at'::timestamptz, 'was', true),
  'the same key answers the same, whatever the tag');
select is(pg_temp.take(:'manager', :'card', 'S1', 100, 'key-1', 'order-1'), :'c_tx_no' || ' replayed', 'to every user of the merchant');
select is(pg_temp.balance(:'card'), 110.00, 'and credits nothing again');
select fx.refuses('PT422 IDEMPOTENCY_KEY_REUSED', 'the key with ' || k.why, 'authenticated', :'cashier', k.call)
from (values
  ('another amount', pg_temp.takes(:'card', 'S1', '100.01', 'cash', 'key-1', 'order-1')), ('another card', pg_temp.takes(:'other_card', 'S1', '100', 'cash', 'key-1', 'order-1')),
  ('another order', pg_temp.takes(:'card', 'S1', '100', 'cash', 'key-1', 'order-2')), ('no order', pg_temp.takes(:'card', 'S1', '100', 'cash', 'key-1'))) as k (why, call);
select * from fx.refuses('PT409 EXTERNAL_ORDER_ALREADY_PAID', 'another key for the same order', 'authenticated', :'cashier', pg_temp.takes(:'card', 'S1', '100', 'cash', 'key-2', 'order-1'));
select * from fx.refuses('PT409 EXTERNAL_ORDER_ALREADY_PAID', 'no key for the same order, of whatever card', 'authenticated', :'manager', pg_temp.takes(gen_random_uuid()::text, 'S1', '100', 'cash', null, 'order-1'));
select isnt(pg_temp.take(:'stranger', :'card', 'S2', 1, 'key-1', 'order-1'), :'c_tx_no' || ' replayed', 'another merchant has its own keys and orders');
select is(pg_temp.entries((select max(t.tx_no) from app.transactions t)), 'card 1.00, merchant_payable S2 -1.00', 'and owes its own');

-- Suspended merchant, states of card and member.
update app.merchants set status = 'suspended' where id = :'s1';
select * from fx.refuses('PT409 MERCHANT_NOT_FOUND_OR_INACTIVE', 'a suspended merchant takes no cash', 'authenticated', :'cashier', pg_temp.takes(gen_random_uuid()::text));
select is(pg_temp.take(:'cashier', :'card', 'S1', 100, 'key-1', 'order-1'), :'c_tx_no' || ' replayed', 'but what it took it is told');
update app.merchants set status = 'active' where id = :'s1';
update app.cards set status = 'frozen' where id = :'card';
select * from fx.refuses('PT409 CARD_NOT_ACTIVE', 'a frozen card', 'authenticated', :'cashier', pg_temp.takes(:'card'));
update app.cards set status = 'closed' where id = :'card';
select * from fx.refuses('PT409 CARD_NOT_ACTIVE', 'a closed card, for an admin too', 'authenticated', :'admin', pg_temp.takes(:'card', null));
update app.cards set status = 'expired' where id = :'card';
select * from fx.refuses('PT409 CARD_EXPIRED', 'an expired card', 'authenticated', :'cashier', pg_temp.takes(:'card'));
update app.cards set status = 'active', expires_at = now() - interval '1 second' where id = :'card';
select * from fx.refuses('PT409 CARD_EXPIRED', 'a card past its expiry', 'authenticated', :'cashier', pg_temp.takes(:'card'));
update app.cards set expires_at = null where id = :'card';
update app.member_profiles set status = 'suspended' where id = fx.member_id(:'payer');
select * from fx.refuses('PT409 MEMBER_NOT_ACTIVE', 'a suspended member''s card', 'authenticated', :'cashier', pg_temp.takes(:'card'));
update app.member_profiles set status = 'active' where id = fx.member_id(:'payer');
select fx.make_card('voucher', 30, null, :'payer') as voucher \gset
select * from fx.refuses('PT422 UNSUPPORTED_CARD_TYPE_FOR_RECHARGE', 'a voucher', 'authenticated', :'admin', pg_temp.takes(:'voucher', null));
select fx.make_card('corporate', 0, 0.9) as corporate \gset
select ok(pg_temp.take(:'cashier', :'corporate', 'S1', 1) is not null, 'a corporate card takes cash');
select is((select t.member_id from app.transactions t where t.card_id = :'corporate' and t.tx_type = 'recharge'), null, 'and no member is named');

-- The cashier's day: 101.00 so far.
update app.settings set value = '150.00' where key = 'cash_recharge_cashier_day_max';
select * from fx.refuses('PT409 CASHIER_DAILY_LIMIT_EXCEEDED', 'a cent above the cap', 'authenticated', :'cashier', pg_temp.takes(:'card', 'S1', '49.01', 'cash', 'capped'));
select ok(pg_temp.take(:'cashier', :'card', 'S1', 49, 'capped') !~ 'replayed', 'the refused key runs anew, up to the cap');
select * from fx.refuses('PT409 CASHIER_DAILY_LIMIT_EXCEEDED', 'and not a unit more', 'authenticated', :'cashier', pg_temp.takes(:'card', 'S1', '1'));
select ok(pg_temp.take(:'second_cashier', :'card', 'S1', 150) is not null, 'every cashier has his own cap');
select ok(pg_temp.take(:'manager', :'card', 'S1', 151) is not null, 'a manager has none');
select ok(pg_temp.take(:'owner', :'card', 'S1', 151) is not null, 'nor has an owner');
select is((select count(*)::int from app.cashier_cash_days d where d.user_id in (:'manager', :'owner')), 0, 'theirs is not counted');
-- 25 hours apart: never the same day.
update app.cashier_cash_days d set day = (now() at time zone 'Pacific/Pago_Pago')::date where d.user_id = :'cashier';
update app.merchants set time_zone = 'Pacific/Pago_Pago' where id = :'s1';
select * from fx.refuses('PT409 CASHIER_DAILY_LIMIT_EXCEEDED', 'the day is the merchant''s', 'authenticated', :'cashier', pg_temp.takes(:'card', 'S1', '1'));
update app.merchants set time_zone = 'Pacific/Kiritimati' where id = :'s1';
select ok(pg_temp.take(:'cashier', :'card', 'S1', 150) is not null, 'and begins in its time zone');
select is((select d.total from app.cashier_cash_days d where d.user_id = :'cashier' and d.day = (now() at time zone 'Pacific/Kiritimati')::date), 150.00, 'where it is counted');
update app.merchant_users set role = 'manager' where user_id = :'cashier';
select ok(pg_temp.take(:'cashier', :'card', 'S1', 10) is not null, 'whoever was promoted has no cap');
update app.settings set value = (select d.total::text from app.merchant_cash_days d where d.merchant_id = :'s1' order by d.day desc limit 1)
  where key = 'cash_recharge_merchant_day_max';
select * from fx.refuses('PT409 MERCHANT_DAILY_LIMIT_EXCEEDED', 'an owner puts no more onto cards than his shop may owe a day', 'authenticated', :'owner', pg_temp.takes(:'card', 'S1', '1'));
update app.settings set value = '200000.00' where key = 'cash_recharge_merchant_day_max';
update app.settings set value = '50000.00' where key = 'cash_recharge_cashier_day_max';
delete from app.merchant_users where user_id = :'cashier';
select * from fx.refuses('PT403 NOT_MERCHANT_USER', 'whoever was dismissed takes nothing, not even a replay', 'authenticated', :'cashier', pg_temp.takes(:'card', 'S1', '100', 'cash', 'key-1', 'order-1'));
select is(pg_temp.balance(:'card'), 772.00, '10 + 100 + 1 + 49 + 150 + 151 + 151 + 150 + 10');

-- An admin takes cash.
select split_part(pg_temp.take(:'admin', :'card', null, 50000, 'key-1', 'order-1'), ' ', 1) as house_no \gset
select is(pg_temp.entries(:'house_no'), 'card 50000.00, cash_clearing -50000.00', 'an admin''s cash is the house''s, up to 50000.00');
select is(pg_temp.take(:'admin', :'card', null, 50000, 'key-1', 'order-1'), :'house_no' || ' replayed', 'once for its key');
select * from fx.refuses('PT409 EXTERNAL_ORDER_ALREADY_PAID', 'an order of the house is recharged once, by whichever admin', 'authenticated', :'second_admin', pg_temp.takes(:'card', null, '50000', 'cash', 'key-1', 'order-1'));
select ok(pg_temp.take(:'second_admin', :'card', null, 1, 'key-1') !~ 'replayed', 'an admin''s keys are his own');
select is((select string_agg(concat_ws(' ', e.actor_role, e.params ->> 'amount', coalesce(e.params ->> 'merchant_code', '-')), ', ' order by e.id) from audit.event_log e where e.actor_user_id in (:'admin', :'second_admin')),
  'admin 50000 -, admin 1 -', 'and what he does is audited');
select is(fx.refusal('delete from app.cash_orders'), '55000 DELETE of cash_orders is refused: rows of this table are written once', 'an order stays held');

-- Settlement takes what a merchant owes.
select fx.act_as_service();
select is((select coalesce(sum(e.delta), 0) from app.ledger_entries e where e.account = 'merchant_payable' and e.merchant_id = :'s1'), -762.00, 'the merchant owes its cash');
select is((select count(*)::int from public.verify_ledger()), 0, 'the ledger is right');
create function pg_temp.found(p_change text) returns text language plpgsql as $$
declare
  v_found text;
begin
  begin
    execute p_change;
    v_found := (select coalesce(string_agg(concat_ws(' ', v.rule, v.detail), ', ' order by v.rule, v.detail), 'none') from app.recharge_violations() v);
    raise exception using errcode = 'ZZ999';
  exception when sqlstate 'ZZ999' then
    return v_found;
  end;
end;
$$;
create function pg_temp.post(p_merchant uuid, p_card uuid, p_account text) returns void language plpgsql as $$
declare
  v_tx app.transactions;
begin
  v_tx.id := app.uuid_v7();
  v_tx.created_at := clock_timestamp();
  v_tx.card_id := p_card;
  v_tx.merchant_id := p_merchant;
  v_tx.raw_amount := 5;
  perform app.post_recharge(v_tx, p_account);
end;
$$;
select is(pg_temp.found(format('select pg_temp.post(%L, %L, %L)', b.merchant, :'card', b.account)), b.found, 'a recharge of ' || coalesce(b.who, 'nobody') || ' against ' || b.account)
from (values
  (:'s1'::uuid, 'a merchant', 'merchant_payable', 'none'), (:'s1', 'a merchant', 'cash_clearing', 'recharge_has_its_source cash_clearing'),
  (null, null, 'cash_clearing', 'none'), (null, null, 'wechat_clearing', 'recharge_has_its_source wechat_clearing'), (null, null, 'alipay_clearing', 'recharge_has_its_source alipay_clearing'),
  (null, null, 'adjustments', 'recharge_has_its_source adjustments')) as b (merchant, who, account, found);
select is(pg_temp.found(format('insert into app.cash_orders values (%L, %L, %L)', 'house', 'order-9', :'c_tx_id')), 'cash_order_has_its_recharge ' || :'c_tx_id', 'an order that another recharge holds');
select * from finish();
rollback;
