-- Devices: enrolling, listing and ending them, and charging their codes.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_merchant('S1');
select fx.make_terminal('S1', 'K7Q2ZD');
select fx.make_terminal('S1', 'OTHER1');
select fx.make_merchant('S2');
select fx.make_terminal('S2', 'S2TERM');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 50000) as payer \gset
select fx.make_member('sharer@fixture.example') as sharer \gset
select fx.make_member('viewer@fixture.example') as viewer \gset
select fx.make_member('stranger@fixture.example') as stranger \gset
select fx.make_user('nobody@fixture.example') as nobody \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.standard_card(:'payer') as card \gset
select fx.make_card('prepaid', 50000) as shared \gset
select fx.bind(:'shared', :'payer', 'owner'), fx.bind(:'shared', :'sharer', 'member'), fx.bind(:'shared', :'viewer', 'viewer');

create function pg_temp.all_state() returns text language sql as $$ select string_agg(s::text, ',') from fx.state() s $$;
create function pg_temp.enroll_as(p_user uuid, p_card uuid, p_label text default 'phone') returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.enroll_device(%L, %L)', p_card, p_label)) $$;
create function pg_temp.revoke_as(p_user uuid, p_handle text) returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select public.revoke_device(%L)', p_handle)) $$;
create function pg_temp.list_as(p_user uuid, p_card uuid) returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.list_devices(%L)', p_card)) $$;
create function pg_temp.pay(p_code text, p_amount numeric, p_key text default null, p_terminal text default null) returns text
language plpgsql as $$
begin
  return fx.refusal_as('authenticated', (select u.user_id from app.merchant_users u join app.merchants m on m.id = u.merchant_id
    where m.code = 'S1'), format('select * from public.merchant_charge_by_qr(%L, %L, %L, %L, null, null, %L)', 'S1', p_code, p_amount,
    p_key, p_terminal));
end;
$$;
create function pg_temp.quote(p_code text, p_amount numeric, p_terminal text default null) returns text language plpgsql as $$
begin
  return fx.refusal_as('authenticated', (select u.user_id from app.merchant_users u join app.merchants m on m.id = u.merchant_id
    where m.code = 'S1'), format('select * from public.quote_payment(%L, %L, %L, %L)', 'S1', p_code, p_amount, p_terminal));
end;
$$;
-- A refused payment: quote and charge give this code, and nothing changed anywhere.
create function pg_temp.refuses(p_expected text, p_why text, p_code text, p_amount numeric, p_terminal text default null)
returns setof text language plpgsql as $$
declare
  v_before text := pg_temp.all_state();
begin
  return next is(pg_temp.quote(p_code, p_amount, p_terminal), p_expected, p_why || ': quote');
  return next is(pg_temp.pay(p_code, p_amount, 'refused', p_terminal), p_expected, p_why);
  return next is(pg_temp.all_state(), v_before, p_why || ': and nothing changed');
end;
$$;
create function pg_temp.refuses_enrolment(p_expected text, p_why text, p_user uuid, p_card uuid, p_label text default 'phone')
returns setof text language plpgsql as $$
declare
  v_before text := pg_temp.all_state();
begin
  return next is(pg_temp.enroll_as(p_user, p_card, p_label), p_expected, p_why);
  return next is(pg_temp.all_state(), v_before, p_why || ': and nothing changed');
end;
$$;

-- Enrolling.
select is(pg_temp.enroll_as(:'payer', :'card'), 'PT503 NOT_CONFIGURED', 'without a master key no device is enrolled');
insert into sec.secrets values ('vectors', decode('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex'));
insert into sec.master_keys values (1, 'vectors', true, null);
select fx.act_as(:'payer');
select handle, device_key from public.enroll_device(:'card', '  Anna''s phone ') \gset
select matches(:'handle'::text, '^[0-9]{10}$', 'a handle is ten digits');
select is(:'device_key'::text, encode(extensions.hmac('mps/device/v1'::bytea || '\x00'::bytea || :'handle'::bytea,
  decode('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex'), 'sha256'), 'hex'),
  'the key follows from the master key and the handle, as hex');
select results_eq(
  format('select d.key_id::int, d.card_id, d.member_id, d.label, d.revoked_at, d.offline_total from app.payment_devices d where d.handle = %L', :'handle'),
  format('values (1, %L::uuid, %L::uuid, %L, null::timestamptz, 0.00)', :'card', fx.member_id(:'payer'), 'Anna''s phone'),
  'a device belongs to card and member, under a trimmed label');
select is((select count(*)::int from app.payment_devices d where to_jsonb(d)::text like '%' || :'device_key' || '%'), 0, 'its key is stored nowhere');
select results_eq(
  format('select e.actor_user_id, e.params from audit.event_log e where e.action = %L and e.object_id = %L', 'device.enrolled', :'handle'),
  format('select %L::uuid, jsonb_build_object(%L, c.card_no) from app.cards c where c.id = %L', :'payer', 'card_no', :'card'),
  'enrolling is audited without key and label');

select * from pg_temp.refuses_enrolment('PT401 NOT_AUTHENTICATED', 'no user', null, :'card');
select is(left(fx.refusal_as('anon', null, format('select public.enroll_device(%L, %L)', :'card', 'x')), 5), '42501', 'anon is stopped by the grant');
select is(left(fx.refusal_as('service_role', null, format('select public.enroll_device(%L, %L)', :'card', 'x')), 5), '42501', 'and the service');
select * from pg_temp.refuses_enrolment('PT400 MALFORMED_ARGUMENT', 'no label', :'payer', :'card', null);
select * from pg_temp.refuses_enrolment('PT400 MALFORMED_ARGUMENT', 'a blank label', :'payer', :'card', '   ');
select * from pg_temp.refuses_enrolment('PT400 MALFORMED_ARGUMENT', 'a label of 65 characters', :'payer', :'card', repeat('x', 65));
select * from pg_temp.refuses_enrolment('PT400 MALFORMED_ARGUMENT', 'a label with a line break', :'payer', :'card', E'a\nb');
select * from pg_temp.refuses_enrolment('PT404 CARD_NOT_FOUND', 'a stranger', :'stranger', :'card');
select * from pg_temp.refuses_enrolment('PT404 CARD_NOT_FOUND', 'a user who is no member', :'nobody', :'card');
select * from pg_temp.refuses_enrolment('PT404 CARD_NOT_FOUND', 'an admin of the house, who pays with no card', :'admin', :'card');
select * from pg_temp.refuses_enrolment('PT404 CARD_NOT_FOUND', 'an unknown card', :'payer', gen_random_uuid());
select * from pg_temp.refuses_enrolment('PT404 CARD_NOT_FOUND', 'no card', :'payer', null);
select * from pg_temp.refuses_enrolment('PT403 PERMISSION_DENIED', 'who only sees', :'viewer', :'shared');
update app.cards set status = 'frozen' where id = :'card';
select * from pg_temp.refuses_enrolment('PT409 CARD_NOT_ACTIVE', 'a frozen card', :'payer', :'card');
update app.cards set status = 'active', expires_at = now() where id = :'card';
select * from pg_temp.refuses_enrolment('PT409 CARD_EXPIRED', 'an expired card', :'payer', :'card');
update app.cards set expires_at = null where id = :'card';
update app.member_profiles set status = 'suspended' where auth_user_id = :'payer';
select * from pg_temp.refuses_enrolment('PT409 MEMBER_NOT_ACTIVE', 'a suspended member', :'payer', :'card');
update app.member_profiles set status = 'active' where auth_user_id = :'payer';
update app.card_type_rules set pays = 'no' where card_type = 'standard';
select * from pg_temp.refuses_enrolment('PT422 UNSUPPORTED_CARD_TYPE_FOR_PAYMENT', 'a type that does not pay', :'payer', :'card');
update app.card_type_rules set pays = 'yes' where card_type = 'standard';
select is(pg_temp.enroll_as(:'payer', :'card', repeat('x', 64)), 'no refusal', 'a label of 64 characters is allowed');

-- At most five.
select is(pg_temp.enroll_as(u.user_id, :'shared'), 'no refusal', 'five devices of a card are allowed')
from unnest(array[:'payer', :'payer', :'sharer', :'sharer', :'sharer']::uuid[]) as u (user_id);
select * from pg_temp.refuses_enrolment('PT409 DEVICE_LIMIT_REACHED', 'a sixth, whoever shares the card', :'payer', :'shared');
select is((select count(*)::int from app.payment_devices where card_id = :'shared'), 5, 'and there are five');

-- Listing.
select fx.act_as(:'payer');
select results_eq(format('select handle, label, member_id from public.list_devices(%L) limit 1', :'card'),
  format('values (%L, %L, %L::uuid)', :'handle', 'Anna''s phone', fx.member_id(:'payer')), 'a member lists his devices, oldest first');
select is((select count(*)::int from public.list_devices(:'shared')), 5, 'the owner lists everybody''s');
select fx.act_as(:'sharer');
select results_eq(format('select count(*)::int, count(*) filter (where member_id = %L)::int from public.list_devices(%L)', fx.member_id(:'sharer'), :'shared'),
  'values (3, 3)', 'a member his own');
select fx.act_as(:'viewer');
select is((select count(*)::int from public.list_devices(:'shared')), 0, 'who only sees has none');
update app.card_bindings set role = 'admin' where member_id = fx.member_id(:'viewer');
select is((select count(*)::int from public.list_devices(:'shared')), 5, 'the card''s admin lists everybody''s');
update app.card_bindings set role = 'viewer' where member_id = fx.member_id(:'viewer') and card_id = :'shared';
select fx.act_as(:'admin');
select is((select count(*)::int from public.list_devices(:'shared')), 5, 'and so does an admin of the house');
select is(pg_temp.list_as(:'stranger', :'shared'), 'PT404 CARD_NOT_FOUND', 'a stranger lists nothing');
select is(pg_temp.list_as(:'nobody', :'shared'), 'PT404 CARD_NOT_FOUND', 'nor who is no member');
select is(pg_temp.list_as(:'payer', gen_random_uuid()), 'PT404 CARD_NOT_FOUND', 'an unknown card has no list');
select is(pg_temp.list_as(:'admin', gen_random_uuid()), 'PT404 CARD_NOT_FOUND', 'for an admin either');
select is(pg_temp.list_as(:'payer', null), 'PT404 CARD_NOT_FOUND', 'nor has no card');
select is(pg_temp.list_as(null, :'shared'), 'PT401 NOT_AUTHENTICATED', 'nobody lists without a user');

-- Ending.
select handle as payers from app.payment_devices where card_id = :'shared' and member_id = fx.member_id(:'payer') limit 1 \gset
select handle as sharers from app.payment_devices where card_id = :'shared' and member_id = fx.member_id(:'sharer') order by handle limit 1 \gset
select handle as sharers_second from app.payment_devices where card_id = :'shared' and member_id = fx.member_id(:'sharer') order by handle offset 1 limit 1 \gset
create function pg_temp.refuses_revocation(p_expected text, p_why text, p_user uuid, p_handle text) returns setof text language plpgsql as $$
declare
  v_before text := pg_temp.all_state();
begin
  return next is(pg_temp.revoke_as(p_user, p_handle), p_expected, p_why);
  return next is(pg_temp.all_state(), v_before, p_why || ': and nothing changed');
end;
$$;
select * from pg_temp.refuses_revocation('PT401 NOT_AUTHENTICATED', 'nobody ends a device', null, :'payers');
select * from pg_temp.refuses_revocation('PT400 MALFORMED_ARGUMENT', 'no handle is no handle', :'payer', null);
select * from pg_temp.refuses_revocation('PT400 MALFORMED_ARGUMENT', 'nor nine digits', :'payer', '123456789');
select * from pg_temp.refuses_revocation('PT400 MALFORMED_ARGUMENT', 'nor ten and a line break', :'payer', E'1234567890\n');
select * from pg_temp.refuses_revocation('PT404 DEVICE_NOT_FOUND', 'a stranger finds no device', :'stranger', :'payers');
select * from pg_temp.refuses_revocation('PT404 DEVICE_NOT_FOUND', 'nor does who is no member', :'nobody', :'payers');
select * from pg_temp.refuses_revocation('PT404 DEVICE_NOT_FOUND', 'nor who shares the card without a say', :'sharer', :'payers');
select * from pg_temp.refuses_revocation('PT404 DEVICE_NOT_FOUND', 'nor who only sees', :'viewer', :'payers');
select * from pg_temp.refuses_revocation('PT404 DEVICE_NOT_FOUND', 'an unknown handle has no device', :'admin', '0000000000');
select fx.act_as(:'sharer');
select is(public.revoke_device(:'sharers'), true, 'a member ends his own device');
select is(public.revoke_device(:'sharers'), false, 'once');
select is((select count(*)::int from audit.event_log where action = 'device.revoked' and object_id = :'sharers' and actor_user_id = :'sharer'), 1,
  'which is audited once');
select is((select count(*)::int from public.list_devices(:'shared')), 2, 'it is listed no more');
select is(pg_temp.enroll_as(:'sharer', :'shared'), 'no refusal', 'and makes room for another');
select fx.act_as(:'payer');
select is(public.revoke_device(:'sharers_second'), true, 'the card''s owner ends anybody''s');
select fx.act_as(:'admin');
select is(public.revoke_device(:'payers'), true, 'and so does an admin of the house');
select is((select actor_role from audit.event_log where action = 'device.revoked' and object_id = :'payers'), 'admin', 'in that role');

-- Offline codes.
select fx.offline_step() as step \gset
select fx.offline_code(:'handle', :'device_key', :step) as code \gset
select fx.act_as(:'cashier');
select is(public.validate_qr_plain(:'code'), :'card'::uuid, 'an offline code names its card');
select results_eq(format('select card_id, final_amount from public.quote_payment(%L, %L, 100)', 'S1', :'code'),
  format('values (%L::uuid, 100.00)', :'card'), 'and has a price');
select tx_id, tx_no from public.merchant_charge_by_qr('S1', :'code', 100, 'first') \gset
select results_eq(
  format('select t.card_id, t.member_id, t.payment_code_id, t.device_handle, t.device_step from app.transactions t where t.id = %L', :'tx_id'),
  format('values (%L::uuid, %L::uuid, null::uuid, %L, %L::bigint)', :'card', fx.member_id(:'payer'), :'handle', :step),
  'a charge stores which device and step paid');
select results_eq(format('select d.offline_total, d.offline_on = app.card_day(t.created_at)
    from app.payment_devices d, app.transactions t where d.handle = %L and t.id = %L', :'handle', :'tx_id'),
  'values (100.00, true)', 'and counts for the device''s day');
select is((select balance from app.cards where id = :'card'), 49900.00, 'the card is debited');
select is((select count(*)::int from audit.event_log e where e::text like '%' || :'code' || '%'), 0, 'the code is in no log');
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a used step', :'code', 100);
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a used step with another amount', :'code', 1);
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a used step as a terminal''s code',
  fx.offline_code(:'handle', :'device_key', :step, 'K7Q2ZD'), 1, 'K7Q2ZD');
select is(fx.refusal_as('authenticated', :'cashier', format('select public.validate_qr_plain(%L)', :'code')), 'PT409 QR_EXPIRED_OR_INVALID',
  'and it is not valid');
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a step of two minutes ago', fx.offline_code(:'handle', :'device_key', :step - 4), 1);
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a step of two minutes ahead', fx.offline_code(:'handle', :'device_key', :step + 4), 1);
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a handle of no device', fx.offline_code('0000000000', :'device_key', fx.offline_step(1)), 1);
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'another device''s password', fx.offline_code(:'sharers', :'device_key', fx.offline_step(1)), 1);
select handle, device_key from fx.enroll(:'payer', :'card') \gset second_
select is(pg_temp.pay(fx.offline_code(:'second_handle', :'second_device_key', :step + 1), 1, 'second'), 'no refusal',
  'the next step and another device pay');

-- The clock, to the second.
create function pg_temp.finds(p_handle text, p_key text, p_step bigint, p_at timestamptz) returns text language sql as $$
  select fx.refusal(format('select app.find_code(%L, null, %L)', fx.offline_code(p_handle, p_key, p_step), p_at)) $$;
select is(pg_temp.finds(:'second_handle', :'second_device_key', 1000 + a.skew, to_timestamp(30000) + a.after), a.expected,
  format('step %s beside the clock, %s into its step', a.skew, a.after))
from (values
  (-2, interval '0', 'PT409 QR_EXPIRED_OR_INVALID'), (-1, '0', 'no refusal'), (0, '0', 'no refusal'), (1, '0', 'no refusal'),
  (2, '0', 'PT409 QR_EXPIRED_OR_INVALID'), (-2, '29.999999', 'PT409 QR_EXPIRED_OR_INVALID'), (-1, '29.999999', 'no refusal'),
  (1, '29.999999', 'no refusal'), (2, '29.999999', 'PT409 QR_EXPIRED_OR_INVALID'), (2, '30', 'no refusal'), (-1, '30', 'PT409 QR_EXPIRED_OR_INVALID')
) as a (skew, after, expected);
select is((app.find_code(fx.offline_code(:'second_handle', :'second_device_key', 1001), null, to_timestamp(30000))).device_step, 1001::bigint,
  'it is the shown step that is found');
select is(fx.refusal(format('select app.consume_code(row(%L, %L, null, %L, %s, null), gen_random_uuid(), %L)', :'card', fx.member_id(:'payer'), :'second_handle',
  1000 + a.skew, to_timestamp(30000))), a.expected, format('after the locks, step %s beside the clock', a.skew))
from (values (-2, 'PT409 QR_EXPIRED_OR_INVALID'), (-1, 'no refusal'), (0, 'no refusal'), (1, 'no refusal'), (2, 'PT409 QR_EXPIRED_OR_INVALID'),
  (0, 'PT409 QR_EXPIRED_OR_INVALID')) as a (skew, expected);
delete from app.device_steps where step < 2000;

-- spec/vectors/payment-code.json, offline: h4242424242.
insert into app.payment_devices (handle, key_id, card_id, member_id, enrolled_at)
values ('4242424242', 1, :'card', fx.member_id(:'payer'), now());
select is((app.find_code('714242424242537077061906', null, to_timestamp(1795385178))).device_step, 59846172::bigint, 'the vector''s code is right');
select is((app.find_code('724242424242709359466017', 'K7Q2ZD', to_timestamp(1795385178))).device_step, 59846172::bigint, 'so is its terminal''s');
select is((app.find_code('724242424242692177500805', 'K7Q2ZD', to_timestamp(1795385207))).device_step, 59846173::bigint, 'and the next step''s');
select is(fx.refusal($$ select app.find_code('724242424242709359466017', 'OTHER1', to_timestamp(1795385178)) $$), 'PT409 QR_EXPIRED_OR_INVALID',
  'which is no other terminal''s');
select is(fx.refusal($$ select app.find_code('714242424242709359466013', 'K7Q2ZD', to_timestamp(1795385178)) $$), 'PT409 QR_EXPIRED_OR_INVALID',
  'nor a code for every terminal');
delete from app.payment_devices where handle = '4242424242';

-- One terminal.
select fx.offline_code(:'handle', :'device_key', :step + 1, 'K7Q2ZD') as code \gset
select * from pg_temp.refuses('PT400 TERMINAL_CODE_REQUIRED', 'a terminal''s code without a terminal', :'code', 1);
select * from pg_temp.refuses('PT404 TERMINAL_NOT_FOUND', 'at no terminal', :'code', 1, 'NOTERM');
select * from pg_temp.refuses('PT404 TERMINAL_NOT_FOUND', 'at another merchant''s', :'code', 1, 'S2TERM');
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'at the wrong terminal', :'code', 1, 'OTHER1');
select is(fx.refusal_as('authenticated', :'cashier', format('select public.validate_qr_plain(%L, %L)', :'code', 'OTHER1')), 'PT409 QR_EXPIRED_OR_INVALID',
  'where it is not valid');
update app.terminals set status = 'retired' where code = 'K7Q2ZD';
select * from pg_temp.refuses('PT404 TERMINAL_NOT_FOUND', 'at a retired terminal', :'code', 1, 'K7Q2ZD');
update app.terminals set status = 'active' where code = 'K7Q2ZD';
select fx.act_as(:'cashier');
select is(public.validate_qr_plain(:'code', 'K7Q2ZD'), :'card'::uuid, 'at its terminal it is valid');
select is(pg_temp.quote(:'code', 1, 'K7Q2ZD'), 'no refusal', 'has a price');
select is(pg_temp.pay(:'code', 1, 'terminal', 'K7Q2ZD'), 'no refusal', 'and pays');
select handle, device_key from fx.enroll(:'payer', :'card') \gset any_
select is(pg_temp.pay(fx.offline_code(:'any_handle', :'any_device_key'), 1, 'any', 'OTHER1'), 'no refusal',
  'a code for every terminal pays at any');

-- Limits, exact, of raw amounts.
select fx.make_member('spender@fixture.example', 50000, 1200) as spender \gset
select fx.standard_card(:'spender') as card \gset
select d.handle as one, d.device_key as one_key from fx.enroll(:'spender') d \gset
select d.handle as two, d.device_key as two_key from fx.enroll(:'spender') d \gset
select d.handle as three, d.device_key as three_key from fx.enroll(:'spender') d \gset
create function pg_temp.offline_limit(p_code text, p_amount numeric) returns text language plpgsql as $$
declare
  v_detail text;
begin
  perform fx.act_as((select u.user_id from app.merchant_users u join app.merchants m on m.id = u.merchant_id where m.code = 'S1'));
  perform public.merchant_charge_by_qr('S1', p_code, p_amount);
  return 'none';
exception when others then
  get stacked diagnostics v_detail = pg_exception_detail;
  return v_detail::jsonb ->> 'limit';
end;
$$;
select results_eq(
  $$ select s.key, s.value, s.kind || coalesce(' from ' || s.min_value, ' unbounded') from app.settings s where s.key like 'offline%' order by s.key $$,
  $$ select v.key, l.value, 'amount from 0.00' from (values ('offline_amount_max'), ('offline_card_day_max'), ('offline_device_day_max')) v (key)
     join rules.limits() l on l.name = 'payment.' || v.key order by v.key $$, 'the limits of offline codes are bounded settings, by default as in spec/limits.toml');
select fx.offline_code(:'one', :'one_key') as code \gset
select * from pg_temp.refuses('PT409 OFFLINE_LIMIT_EXCEEDED', 'a cent over the limit of a payment', :'code', 500.01);
select is(pg_temp.offline_limit(:'code', 500.01), '500.00', 'naming the limit of a payment');
select * from pg_temp.refuses('PT422 AMOUNT_OVER_LIMIT', 'the limit of every payment comes first', :'code', 50000.01);
select is(pg_temp.pay(:'code', 500, 'limit'), 'no refusal', 'the limit itself is allowed, and the refusals left the step unused');
select is((select offline_total from app.payment_devices where handle = :'one'), 500.00, 'counted by its raw amount');
-- Counted for tomorrow, so that midnight changes nothing here.
update app.payment_devices set offline_on = app.card_day(now()) + 1, offline_total = 1800.01 where handle = :'one';
select fx.offline_code(:'one', :'one_key', fx.offline_step(1)) as code \gset
select * from pg_temp.refuses('PT409 OFFLINE_LIMIT_EXCEEDED', 'a cent over the limit of a device''s day', :'code', 200);
select is(pg_temp.offline_limit(:'code', 200), '2000.00', 'naming the limit of a device');
select is(pg_temp.pay(:'code', 199.99, 'device day'), 'no refusal', 'up to the limit of its day a device pays');
update app.payment_devices set offline_on = app.card_day(now()) + 1, offline_total = 1700 where handle = :'two';
select fx.offline_code(:'three', :'three_key') as code \gset
select * from pg_temp.refuses('PT409 OFFLINE_LIMIT_EXCEEDED', 'a cent over the limit of a card''s day', :'code', 300.01);
select is(pg_temp.offline_limit(:'code', 300.01), '4000.00', 'naming the limit of a card');
select fx.act_as(:'spender');
select public.revoke_device(:'two');
select * from pg_temp.refuses('PT409 OFFLINE_LIMIT_EXCEEDED', 'a device ended today still counts for its card', :'code', 300.01);
select is(pg_temp.pay(:'code', 300, 'card day'), 'no refusal', 'up to the limit of its day a card pays');
update app.payment_devices set offline_on = app.card_day(now()) + 1 where handle = :'three';
select fx.offline_code(:'three', :'three_key', fx.offline_step(1)) as code \gset
select * from pg_temp.refuses('PT409 OFFLINE_LIMIT_EXCEEDED', 'then not a cent more', :'code', 0.01);
select is(pg_temp.pay(fx.code(:'spender'), 501, 'online'), 'no refusal', 'but an online code pays, above the limits');
update app.payment_devices set offline_on = offline_on - 2 where card_id = :'card';
select is(pg_temp.pay(:'code', 500, 'new day'), 'no refusal', 'and the next day the device does');
select is((select offline_total from app.payment_devices where handle = :'three'), 500.00, 'whose total begins anew');
update app.settings set value = '10.00' where key = 'offline_amount_max';
select d.handle as four, d.device_key as four_key from fx.enroll(:'spender') d \gset
select is(pg_temp.offline_limit(fx.offline_code(:'four', :'four_key'), 10.01), '10.00', 'a changed limit acts at once');
delete from app.settings where key = 'offline_amount_max';
select is(pg_temp.pay(fx.offline_code(:'four', :'four_key'), 1), 'PT503 NOT_CONFIGURED', 'and a missing one stops the charge');
insert into app.settings values ('offline_amount_max', '500.00', 'amount', 'x');
select is(pg_temp.pay(fx.offline_code(:'four', :'four_key'), 50, 'discounted'), 'no refusal', 'a level''s price is paid');
select is((select final_amount from app.transactions where device_handle = :'four'), 47.50, 'below the raw amount');
select is((select offline_total from app.payment_devices where handle = :'four'), 50.00, 'which is what counts');
select fx.make_member('poor@fixture.example', 1) as poor \gset
select d.handle as poors, d.device_key as poors_key from fx.enroll(:'poor') d \gset
select fx.offline_code(:'poors', :'poors_key') as code \gset
select * from pg_temp.refuses('PT402 INSUFFICIENT_BALANCE', 'a balance that is too low', :'code', 2);
select * from pg_temp.refuses('PT409 OFFLINE_LIMIT_EXCEEDED', 'which comes after the limits', :'code', 501);

-- What is lost is lost at once, also for devices.
select fx.make_member('loser@fixture.example', 1000) as loser \gset
select fx.standard_card(:'loser') as card \gset
select d.handle, d.device_key from fx.enroll(:'loser') d \gset
select fx.offline_code(:'handle', :'device_key') as code \gset
update app.cards set status = 'frozen' where id = :'card';
select * from pg_temp.refuses('PT409 CARD_NOT_ACTIVE', 'a frozen card', :'code', 1);
update app.cards set status = 'active', expires_at = now() where id = :'card';
select * from pg_temp.refuses('PT409 CARD_EXPIRED', 'an expired card', :'code', 1);
update app.cards set expires_at = null where id = :'card';
update app.member_profiles set status = 'suspended' where auth_user_id = :'loser';
select * from pg_temp.refuses('PT409 MEMBER_NOT_ACTIVE', 'a suspended member', :'code', 1);
update app.member_profiles set status = 'active' where auth_user_id = :'loser';
update app.card_bindings set role = 'viewer' where card_id = :'card';
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'who only sees by now', :'code', 1);
update app.card_bindings set role = 'owner' where card_id = :'card';
update app.merchants set status = 'suspended' where code = 'S1';
select * from pg_temp.refuses('PT409 MERCHANT_NOT_FOUND_OR_INACTIVE', 'a suspended merchant', :'code', 1);
update app.merchants set status = 'active' where code = 'S1';
select is(pg_temp.pay(:'code', 1, 'lost and found'), 'no refusal', 'after all those refusals the code is alive');
select d.handle, d.device_key from fx.enroll(:'loser') d \gset
select fx.offline_code(:'handle', :'device_key') as code \gset
select is(pg_temp.pay(:'code', 2, 'replay'), 'no refusal', 'a second device pays');
select fx.act_as(:'loser');
select public.revoke_device(:'handle');
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a revoked device', fx.offline_code(:'handle', :'device_key', fx.offline_step(1)), 1);
select fx.act_as(:'cashier');
select results_eq(format('select replayed, final_amount from public.merchant_charge_by_qr(%L, %L, 2, %L)', 'S1', :'code', 'replay'),
  'values (true, 2.00)', 'while its payment is replayed');
select is(pg_temp.pay(:'code', 3, 'replay'), 'PT422 IDEMPOTENCY_KEY_REUSED', 'but not with another amount');

-- What ends devices for good.
create function pg_temp.live(p_card uuid) returns bigint language sql as $$
  select count(*) from app.payment_devices d where d.card_id = p_card and d.revoked_at is null $$;
select fx.make_card('prepaid', 0) as shared \gset
select fx.bind(:'shared', :'payer', 'owner'), fx.bind(:'shared', :'sharer', 'member'), fx.bind(:'shared', :'viewer', 'member');
select fx.enroll(u.user_id, :'shared') from unnest(array[:'payer', :'sharer', :'sharer', :'viewer']::uuid[]) as u (user_id);
select fx.enroll(:'sharer');
select fx.code(u.user_id, :'shared') from unnest(array[:'payer', :'sharer', :'viewer']::uuid[]) as u (user_id);
create function pg_temp.open_codes(p_card uuid) returns bigint language sql as $$
  select count(*) from app.payment_codes c where c.card_id = p_card and c.consumed_at is null and c.revoked_at is null $$;
select fx.act_as(:'payer');
select public.bind_member_to_card(:'shared', fx.member_id(:'viewer'), 'admin');
select is(pg_temp.live(:'shared'), 4::bigint, 'a role that pays keeps its device');
select public.bind_member_to_card(:'shared', fx.member_id(:'viewer'), 'viewer');
select is(pg_temp.live(:'shared'), 3::bigint, 'one that only sees loses it');
select public.unbind_member_from_card(:'shared', fx.member_id(:'sharer'));
select is(pg_temp.live(:'shared'), 1::bigint, 'who is unbound loses all of his');
select is(pg_temp.live(fx.standard_card(:'sharer')), 1::bigint, 'of that card');
select is(pg_temp.open_codes(:'shared'), 1::bigint, 'and their codes with them');
select public.bind_member_to_card(:'shared', fx.member_id(:'sharer'), 'member');
select is(pg_temp.live(:'shared'), 1::bigint, 'and gets none back when he is bound again');
select fx.code(:'sharer', :'shared');
select fx.enroll(:'sharer', :'shared');
select public.freeze_card(:'shared');
select is((pg_temp.live(:'shared'), pg_temp.open_codes(:'shared'))::text, '(2,2)', 'a frozen card keeps its devices');
select public.report_card_lost(:'shared');
select is((pg_temp.live(:'shared'), pg_temp.open_codes(:'shared'))::text, '(0,0)', 'a lost one loses everybody''s, and their codes');
select fx.act_as(:'admin');
select public.unfreeze_card(:'shared');
select is((pg_temp.live(:'shared'), pg_temp.open_codes(:'shared'))::text, '(0,0)', 'which stay over when it is found');
select fx.enroll(:'payer', :'shared');
select fx.act_as(:'admin');
select public.close_card(:'shared');
select is(pg_temp.live(:'shared'), 0::bigint, 'and so does a closed one');
select app.erase_devices_of_member(fx.member_id(:'sharer'));
select is((select count(*)::int from app.payment_devices where member_id = fx.member_id(:'sharer') and (revoked_at is null or label is not null)), 0,
  'an erased member''s devices are over and nameless');
select isnt((select count(*)::int from app.payment_devices where label is not null), 0, 'nobody else''s are');

-- Keys.
select d.handle, d.device_key from fx.enroll(:'poor') d \gset
select fx.offline_code(:'handle', :'device_key') as code \gset
select sec.draw_master_key();
select is(pg_temp.quote(:'code', 1), 'no refusal', 'a new master key leaves devices of the old one valid');
select d.handle as fresh, d.device_key as fresh_key from fx.enroll(:'poor') d \gset
select is((select key_id::int from app.payment_devices where handle = :'fresh'), 2, 'new devices use the new key');
select is(pg_temp.quote(fx.offline_code(:'fresh', :'fresh_key'), 1), 'no refusal', 'and pay with it');
select is(pg_temp.quote(fx.offline_code(:'handle', encode(rules.device_key(sec.secret('mps_master_key_2'), :'handle'), 'hex')), 1),
  'PT409 QR_EXPIRED_OR_INVALID', 'a device pays with its own key only');
update sec.master_keys set retired_at = now() where key_id = 1;
select * from pg_temp.refuses('PT409 QR_EXPIRED_OR_INVALID', 'a retired key', :'code', 1);
update sec.master_keys set retired_at = null where key_id = 1;

-- The rules that verify_ledger asks.
select is_empty('select * from app.device_violations()', 'all that was right');
create function pg_temp.broken(p_statement text) returns text language plpgsql as $$
declare
  v_rules text;
begin
  execute p_statement;
  select string_agg(distinct v.rule, ' ' order by v.rule) into v_rules from app.device_violations() v;
  raise exception 'undo %', v_rules;
exception when raise_exception then
  return substr(sqlerrm, 6);
end;
$$;
select is(pg_temp.broken($$ delete from app.device_steps where tx_id = (select t.id from app.transactions t where t.tx_no = (select min(tx_no) from app.transactions where device_handle is not null)) $$),
  'device_payment_has_its_step', 'a payment without its step is found');
select is(pg_temp.broken($$ update app.device_steps set tx_id = gen_random_uuid() where handle = (select min(handle) from app.device_steps) $$),
  'device_payment_has_its_step device_step_has_its_payment', 'a step of another payment is found');
select is(pg_temp.broken($$ insert into app.device_steps select min(handle), 1, gen_random_uuid() from app.device_steps $$),
  'device_step_has_its_payment', 'a step without a payment is found');
select is(pg_temp.broken($$ update app.payment_devices set card_id = (select min(c.id::text)::uuid from app.cards c where c.card_type = 'prepaid')
    where handle = (select min(handle) from app.device_steps) $$), 'device_paid_with_its_card', 'a device of another card is found');
select is(pg_temp.broken($$ update app.payment_devices set member_id = (select m.id from app.member_profiles m where m.email = 'stranger@fixture.example')
    where handle = (select min(handle) from app.device_steps) $$), 'device_paid_with_its_card', 'a device of another member is found');
select is(pg_temp.broken($$ insert into app.payment_devices (handle, key_id, card_id, member_id, enrolled_at)
    select '000000000' || n, 1, c.id, m.id, now() from generate_series(1, 6) n, app.member_profiles m, app.cards c
    where m.email = 'stranger@fixture.example' and c.personal_member_id = m.id $$),
  'at_most_five_devices_a_card', 'a sixth live device is found');
create function pg_temp.paid_again(p_shift bigint) returns void language plpgsql as $$
declare
  v_tx app.transactions;
begin
  select t.* into v_tx from app.transactions t where t.device_handle is not null limit 1;
  v_tx.id := app.uuid_v7();
  v_tx.tx_no := app.next_tx_no('PAY');
  v_tx.device_step := v_tx.device_step + p_shift;
  insert into app.transactions select v_tx.*;
  if p_shift <> 0 then
    insert into app.device_steps values (v_tx.device_handle, v_tx.device_step, v_tx.id);
  end if;
end;
$$;
select is(pg_temp.broken('select pg_temp.paid_again(0)'), 'device_payment_has_its_step one_payment_a_device_step', 'a step that paid twice is found');
select is(pg_temp.broken('select pg_temp.paid_again(9)'), 'device_paid_in_its_step', 'a step that is not the payment''s is found');
select is(left(fx.refusal('insert into app.transactions select (jsonb_populate_record(t, jsonb_build_object('
  || quote_literal('payment_code_id') || ', gen_random_uuid()))).* from app.transactions t where t.device_handle is not null limit 1'), 5), '23514',
  'no payment names both a code and a device');

select * from finish();
rollback;
