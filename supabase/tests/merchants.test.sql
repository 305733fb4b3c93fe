-- Merchants, their users and terminals: who administers what.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_member('member@fixture.example', 1000) as member \gset
select fx.make_user('new@fixture.example') as newcomer \gset
select fx.make_merchant('OTHER') as other \gset
select fx.make_merchant_user('OTHER', 'owner') as stranger \gset

create function pg_temp.call_as(p_user uuid, p_call text) returns text language plpgsql as $$
declare
  v_answer text;
begin
  perform fx.act_as(p_user);
  execute 'select ' || p_call into v_answer;
  return v_answer;
exception when others then
  return sqlstate || ' ' || sqlerrm;
end;
$$;
-- A refusal, its detail, and whether anything changed.
create function pg_temp.refused(p_user uuid, p_call text) returns text language plpgsql as $$
declare
  v_before text := (select md5(string_agg(s::text, '|')) from fx.state() s);
  v_detail text := '';
begin
  begin
    perform fx.act_as(p_user);
    execute 'select ' || p_call;
    return 'no refusal';
  exception when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    v_detail := sqlstate || ' ' || sqlerrm || case when v_detail in ('', '{}') then '' else ' ' || v_detail end;
  end;
  return v_detail || case when v_before is distinct from (select md5(string_agg(s::text, '|')) from fx.state() s) then ' CHANGED' else '' end;
end;
$$;
create function pg_temp.last_audit() returns text language sql as $$
  select concat_ws(' ', e.actor_role, e.action, e.object_type, e.object_id, e.params::text) from audit.event_log e
  where e.actor_role <> 'service' order by e.created_at desc, e.id desc limit 1 $$;

-- Creating.
select pg_temp.call_as(:'admin', $$ m.merchant_id from public.create_merchant('SHOP1', '  Tea house ', ' +886 2 ') m $$) as shop \gset
select is((select (m.code, m.name, m.contact, m.status, m.time_zone, m.fee_bps, m.settlement_mode, m.day_max)::text from app.merchants m where m.id = :'shop'),
  '(SHOP1,"Tea house","+886 2",active,Asia/Taipei,0,t_plus_1,)', 'an admin makes a merchant, its texts trimmed, in the time zone of the house');
select is(pg_temp.last_audit(), 'admin merchant.created merchant SHOP1 {"name": "Tea house"}', 'and that is recorded, without the contact');
update app.settings set value = 'Europe/Paris' where key = 'time_zone';
select is(pg_temp.call_as(:'admin', format('(c.code, c.name, c.contact, c.status, c.time_zone, c.fee_bps, c.settlement_mode, c.day_max, c.created_at is not null)
  from public.create_merchant(%L, %L) c', repeat('~', 64), repeat('名', 100))), format('(%s,%s,,active,Europe/Paris,0,t_plus_1,,t)', repeat('~', 64), repeat('名', 100)),
  'a code has up to 64 printable characters, a name up to 100; the answer is the row');
update app.settings set value = 'Asia/Taipei' where key = 'time_zone';
select is(pg_temp.refused(:'admin', c.call), c.expected, c.call)
from (values
  ($$ public.create_merchant('SHOP1', 'x') $$, 'PT409 MERCHANT_CODE_ALREADY_USED'),
  ($$ public.create_merchant('', 'x') $$, 'PT400 MALFORMED_ARGUMENT {"field": "code"}'),
  ($$ public.create_merchant(null, 'x') $$, 'PT400 MALFORMED_ARGUMENT {"field": "code"}'),
  ($$ public.create_merchant('A B', 'x') $$, 'PT400 MALFORMED_ARGUMENT {"field": "code"}'),
  ($$ public.create_merchant(E'A\n', 'x') $$, 'PT400 MALFORMED_ARGUMENT {"field": "code"}'),
  ($$ public.create_merchant('店', 'x') $$, 'PT400 MALFORMED_ARGUMENT {"field": "code"}'),
  ($$ public.create_merchant(repeat('A', 65), 'x') $$, 'PT400 MALFORMED_ARGUMENT {"field": "code"}'),
  ($$ public.create_merchant('B', null) $$, 'PT400 MALFORMED_ARGUMENT {"field": "name"}'),
  ($$ public.create_merchant('B', ' ') $$, 'PT400 MALFORMED_ARGUMENT {"field": "name"}'),
  ($$ public.create_merchant('B', repeat('x', 101)) $$, 'PT400 MALFORMED_ARGUMENT {"field": "name"}'),
  ($$ public.create_merchant('B', 'x', repeat('x', 201)) $$, 'PT400 MALFORMED_ARGUMENT {"field": "contact"}'),
  ($$ public.create_merchant('B', 'x', E'x\ty') $$, 'PT400 MALFORMED_ARGUMENT {"field": "contact"}')) as c (call, expected);

-- Nobody but an admin.
select is(pg_temp.refused(u.id, c.call), u.expected, u.name || ' cannot: ' || c.call)
from (values ('a member', :'member'::uuid, 'PT403 PERMISSION_DENIED'), ('an owner of another shop', :'stranger', 'PT403 PERMISSION_DENIED'),
             ('nobody', null, 'PT401 NOT_AUTHENTICATED')) as u (name, id, expected)
cross join (values
  ('public.create_merchant(null, null)'), (format('public.update_merchant(%L, p_fee_bps => -1)', :'other')),
  (format('public.admin_suspend_merchant(%L)', :'other')), (format('public.admin_activate_merchant(%L)', :'other')),
  ('public.search_merchants(p_limit => 0)')) as c (call);

-- Changing.
select is(pg_temp.call_as(:'admin', format('(u.name, u.contact, u.fee_bps, u.time_zone, u.settlement_mode, u.day_max, u.code)
  from public.update_merchant(%L, %L, %L, 250, %L, %L, 1000.5) u', :'shop', ' Tea & more ', 'door 3', 'Asia/Tokyo', 'monthly')),
  '("Tea & more","door 3",250,Asia/Tokyo,monthly,1000.50,SHOP1)', 'an admin changes everything but the code');
select is(pg_temp.last_audit(), 'admin merchant.updated merchant SHOP1 {"name": {"to": "Tea & more", "from": "Tea house"}, '
  '"contact": "changed", "day_max": {"to": "1000.50", "from": null}, "fee_bps": {"to": "250", "from": "0"}, '
  '"time_zone": {"to": "Asia/Tokyo", "from": "Asia/Taipei"}, "settlement_mode": {"to": "monthly", "from": "t_plus_1"}}',
  'from what to what is recorded, but not what the contact says');
select count(*) as audited from audit.event_log \gset
select is(pg_temp.call_as(:'admin', format('(u.name, u.contact, u.fee_bps, u.time_zone, u.settlement_mode, u.day_max, u.code)
  from public.update_merchant(%L) u', :'shop')),
  '("Tea & more","door 3",250,Asia/Tokyo,monthly,1000.50,SHOP1)', 'NULL leaves all as it is');
select is((select count(*) from audit.event_log), :audited::bigint, 'and where nothing changes nothing is recorded');
select is(pg_temp.call_as(:'admin', format('(u.contact, u.day_max, u.fee_bps) from public.update_merchant(%L, p_contact => %L, p_clear_day_max => true) u', :'shop', ' ')),
  '(,,250)', 'an empty contact is none, and the limit of the day can be taken away');
select is(pg_temp.call_as(:'admin', format('u.fee_bps from public.update_merchant(%L, p_fee_bps => %s) u', :'shop', f)), f::text, format('a fee of %s hundredths of a per cent', f))
from (values (10000), (0)) as b (f);
select is(pg_temp.refused(:'admin', format('public.update_merchant(%L, %s)', :'shop', c.arguments)), c.expected, 'update: ' || c.arguments)
from (values
  ($$ p_name => ' ' $$, 'PT400 MALFORMED_ARGUMENT {"field": "name"}'),
  ($$ p_contact => repeat('x', 201) $$, 'PT400 MALFORMED_ARGUMENT {"field": "contact"}'),
  ('p_fee_bps => -1', 'PT400 MALFORMED_ARGUMENT {"field": "fee_bps"}'),
  ('p_fee_bps => 10001', 'PT400 MALFORMED_ARGUMENT {"field": "fee_bps"}'),
  ($$ p_time_zone => 'Mars/X' $$, 'PT400 MALFORMED_ARGUMENT {"field": "time_zone"}'),
  ($$ p_time_zone => '' $$, 'PT400 MALFORMED_ARGUMENT {"field": "time_zone"}'),
  ($$ p_time_zone => 'Asia/Taipei+8' $$, 'PT400 MALFORMED_ARGUMENT {"field": "time_zone"}'),
  ($$ p_time_zone => 'Foo/Bar-3' $$, 'PT400 MALFORMED_ARGUMENT {"field": "time_zone"}'),
  ($$ p_settlement_mode => 'daily' $$, 'PT400 MALFORMED_ARGUMENT {"field": "settlement_mode"}'),
  ('p_day_max => 1, p_clear_day_max => true', 'PT400 MALFORMED_ARGUMENT {"field": "clear_day_max"}'),
  ('p_clear_day_max => null', 'PT400 MALFORMED_ARGUMENT {"field": "clear_day_max"}'),
  ($$ p_day_max => 'NaN' $$, 'PT422 INVALID_PRICE {"field": "day_max"}'),
  ($$ p_day_max => 'Infinity' $$, 'PT422 INVALID_PRICE {"field": "day_max"}'),
  ('p_day_max => 0', 'PT422 INVALID_PRICE {"field": "day_max"}'),
  ('p_day_max => -5', 'PT422 INVALID_PRICE {"field": "day_max"}'),
  ('p_day_max => 1.001', 'PT422 INVALID_PRICE {"field": "day_max"}'),
  ('p_day_max => 1000000000000', 'PT422 INVALID_PRICE {"field": "day_max"}')) as c (arguments, expected);
select is(pg_temp.refused(:'admin', c.call), 'PT404 MERCHANT_NOT_FOUND', 'no such merchant: ' || c.call)
from (values
  (format('public.update_merchant(%L)', gen_random_uuid())), ('public.update_merchant(null)'),
  (format('public.admin_suspend_merchant(%L)', gen_random_uuid())), ('public.admin_suspend_merchant(null)'),
  ('public.admin_activate_merchant(null)'), (format('public.get_merchant_detail(%L)', gen_random_uuid())),
  (format('public.add_merchant_user(%L, %L, %L)', gen_random_uuid(), :'member', 'owner')),
  (format('public.remove_merchant_user(%L, %L)', gen_random_uuid(), :'member')),
  (format('public.register_terminal(%L, %L)', gen_random_uuid(), 'x'))) as c (call);

-- Users.
create function pg_temp.staff(p_merchant uuid) returns text language sql as $$
  select string_agg(split_part(u.email, '@', 1) || ' ' || m.role, ', ' order by u.email) from app.merchant_users m join auth.users u on u.id = m.user_id
  where m.merchant_id = p_merchant $$;
select fx.make_user('boss@fixture.example') as boss \gset
select fx.make_user('clerk@fixture.example') as clerk \gset
select is(pg_temp.call_as(:'admin', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'boss', 'owner')), 'true', 'an admin makes the first owner');
select is(pg_temp.last_audit(), format('admin merchant.user_added merchant SHOP1 {"role": "owner", "user_id": "%s", "role_before": null}', :'boss'), 'which is recorded');
select is(pg_temp.call_as(:'boss', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'clerk', 'cashier')), 'true', 'an owner adds a cashier');
select is(pg_temp.call_as(:'boss', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'clerk', 'cashier')), 'false', 'once');
select is(pg_temp.refused(:'clerk', c.call), 'PT403 PERMISSION_DENIED', 'a cashier cannot: ' || c.call)
from (values
  (format('public.add_merchant_user(%L, %L, %L)', :'shop', :'clerk', 'owner')), (format('public.remove_merchant_user(%L, %L)', :'shop', :'boss')),
  (format('public.register_terminal(%L, %L)', :'shop', 'x'))) as c (call);
select is(pg_temp.call_as(:'boss', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'clerk', 'manager')), 'true', 'an owner changes a role');
select is(pg_temp.last_audit(), format('merchant merchant.user_added merchant SHOP1 {"role": "manager", "user_id": "%s", "role_before": "cashier"}', :'clerk'), 'as an owner');
select is(pg_temp.staff(:'shop'), 'boss owner, clerk manager', 'so far');
select is(pg_temp.refused(:'clerk', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'newcomer', 'cashier')), 'PT403 PERMISSION_DENIED', 'a manager adds nobody');
select is(pg_temp.refused(:'stranger', c.call), 'PT404 MERCHANT_NOT_FOUND', 'somebody else''s merchant is not found: ' || c.call)
from (values
  (format('public.add_merchant_user(%L, %L, %L)', :'shop', :'stranger', 'owner')), (format('public.remove_merchant_user(%L, %L)', :'shop', :'boss')),
  (format('public.register_terminal(%L, %L)', :'shop', 'x')), (format('public.get_merchant_detail(%L)', :'shop'))) as c (call);
select is(pg_temp.refused(:'boss', format('public.add_merchant_user(%L, %L, %L)', :'shop', u, r)), e, format('add %s as %s', u, r))
from (values
  (gen_random_uuid()::text, 'cashier', 'PT404 USER_NOT_FOUND'), (null, 'cashier', 'PT404 USER_NOT_FOUND'),
  (:'newcomer', 'king', 'PT400 MALFORMED_ARGUMENT {"field": "role"}'), (:'newcomer', null, 'PT400 MALFORMED_ARGUMENT {"field": "role"}'),
  (:'boss', 'manager', 'PT409 CANNOT_REMOVE_LAST_OWNER')) as c (u, r, e);
select is(pg_temp.refused(:'boss', format('public.remove_merchant_user(%L, %L)', :'shop', :'boss')), 'PT409 CANNOT_REMOVE_LAST_OWNER', 'the last owner stays');
select is(pg_temp.call_as(:'boss', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'newcomer', 'owner')), 'true', 'with a second owner');
savepoint two;
delete from auth.users where id = :'newcomer';
select is(pg_temp.refused(:'boss', format('public.remove_merchant_user(%L, %L)', :'shop', :'boss')), 'PT409 CANNOT_REMOVE_LAST_OWNER', 'who has an account,');
rollback to savepoint two;
select is(pg_temp.call_as(:'boss', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'boss', 'manager')), 'true', 'the first may step back');
select is(pg_temp.refused(:'boss', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'boss', 'owner')), 'PT403 PERMISSION_DENIED', 'but not forth');
select is(pg_temp.call_as(:'newcomer', format('public.remove_merchant_user(%L, %L)', :'shop', :'clerk')), 'true', 'an owner removes a user');
select is(pg_temp.last_audit(), format('merchant merchant.user_removed merchant SHOP1 {"user_id": "%s", "role_before": "manager"}', :'clerk'), 'which is recorded');
select is(pg_temp.call_as(:'newcomer', format('public.remove_merchant_user(%L, %L)', :'shop', :'clerk')), 'false', 'once');
select is(pg_temp.call_as(:'newcomer', format('public.remove_merchant_user(%L, %L)', :'shop', :'stranger')), 'false', 'and nobody of another merchant');
select is(pg_temp.staff(:'other'), split_part((select email from auth.users where id = :'stranger'), '@', 1) || ' owner', 'who stays there');
select is(pg_temp.refused(null, format('public.add_merchant_user(%L, %L, null)', :'shop', :'clerk')), 'PT401 NOT_AUTHENTICATED', 'nobody adds nobody');
select is(pg_temp.refused(null, format('public.remove_merchant_user(%L, %L)', :'shop', :'boss')), 'PT401 NOT_AUTHENTICATED', 'nor removes');
select is(pg_temp.call_as(:'admin', format('public.remove_merchant_user(%L, %L)', :'shop', :'newcomer')), 'true', 'an admin removes the last owner too');
select is(pg_temp.call_as(:'admin', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'boss', 'owner')), 'true', 'and puts another in his place');
select is(pg_temp.call_as(:'admin', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'boss', 'manager')), 'true', 'and lowers him');
select is(pg_temp.call_as(:'admin', format('public.add_merchant_user(%L, %L, %L)', :'shop', :'boss', 'owner')), 'true', 'and raises him');
select is(pg_temp.staff(:'shop'), 'boss owner', 'in the end');

-- Terminals.
select pg_temp.call_as(:'boss', format('t.terminal_code from public.register_terminal(%L, %L) t', :'shop', ' Till 1 ')) as till \gset
select matches(:'till'::text, '^[0-9A-Z]{6}$', 'an owner registers a terminal with a drawn code');
select is((select (t.merchant_id, t.label, t.status)::text from app.terminals t where t.code = :'till'), format('(%s,"Till 1",active)', :'shop'), 'at his merchant');
select is(pg_temp.last_audit(), format('merchant terminal.registered terminal %s {"label": "Till 1", "merchant_code": "SHOP1"}', :'till'), 'which is recorded');
select is(pg_temp.call_as(:'admin', format('(t.merchant_id, t.label, t.status, t.created_at is not null) from public.register_terminal(%L, %L) t', :'shop', repeat('x', 64))),
  format('(%s,%s,active,t)', :'shop', repeat('x', 64)), 'so does an admin');
select is(pg_temp.refused(:'boss', format('public.register_terminal(%L, %L)', :'shop', l)), 'PT400 MALFORMED_ARGUMENT {"field": "label"}', format('no label %L', l))
from (values (null), (' '), (repeat('x', 65)), (e'a\nb')) as c (l);
select is(rules.terminal_code_of(n), e, format('%s is %s', n, e)) from (values
  (0::bigint, '000000'), (35, '00000Z'), (36, '000010'), (2176782335, 'ZZZZZZ'), (2176782336, '000000'), (72057594037927935, 'PM8JR3')) as c (n, e);
select ok((select count(distinct app.draw_terminal_code()) from generate_series(1, 200)) > 190, 'codes are drawn, not counted');
select ok(bool_and(app.draw_terminal_code() ~ '^[0-9A-Z]{6}$'), 'and well-formed') from generate_series(1, 200);
select is(pg_temp.refused(:'stranger', format('public.retire_terminal(%L)', :'till')), 'PT404 TERMINAL_NOT_FOUND', 'somebody else''s terminal is not found');
select is(pg_temp.refused(:'boss', 'public.retire_terminal(''NOSUCH'')'), 'PT404 TERMINAL_NOT_FOUND', 'nor an unknown one');
select is(pg_temp.refused(:'admin', 'public.retire_terminal(null)'), 'PT404 TERMINAL_NOT_FOUND', 'nor none');
select is(pg_temp.refused(null, format('public.retire_terminal(%L)', :'till')), 'PT401 NOT_AUTHENTICATED', 'nobody retires none');
insert into app.merchant_users (merchant_id, user_id, role) values (:'shop', :'clerk', 'manager');
select is(pg_temp.refused(:'clerk', format('public.retire_terminal(%L)', :'till')), 'PT403 PERMISSION_DENIED', 'a manager retires none');
select is(pg_temp.call_as(:'boss', format('public.retire_terminal(%L)', :'till')), 'true', 'an owner does');
select is(pg_temp.last_audit(), format('merchant terminal.retired terminal %s {"merchant_code": "SHOP1"}', :'till'), 'which is recorded');
select is(pg_temp.call_as(:'boss', format('public.retire_terminal(%L)', :'till')), 'false', 'once');
select fx.code(:'member') as code \gset
select is(pg_temp.call_as(:'clerk', format('public.merchant_charge_by_qr(%L, %L, 1, p_terminal_code => %L)', 'SHOP1', :'code', :'till')), 'PT404 TERMINAL_NOT_FOUND', 'a retired terminal does not charge');
-- The next draws hit a retired code, then an active one of another merchant, then a free one.
create sequence pg_temp.draw;
select fx.make_terminal('OTHER', 'OTHER1');
create temporary table draws as select * from (values (1, :'till'), (2, 'OTHER1'), (3, 'FREE01')) as d (n, code);
create or replace function app.draw_terminal_code() returns text language sql as $$ select (select array_agg(d.code order by d.n) from pg_temp.draws d)[nextval('pg_temp.draw')] $$;
select is(pg_temp.call_as(:'boss', format('t.terminal_code from public.register_terminal(%L, %L) t', :'shop', 'Till 2')), 'FREE01', 'a code that was ever used is drawn anew');
select is((select (t.merchant_id, t.status)::text from app.terminals t where t.code = :'till'), format('(%s,retired)', :'shop'), 'and stays what it was');

-- Suspension.
select is(pg_temp.call_as(:'clerk', format('(c.final_amount) from public.merchant_charge_by_qr(%L, %L, 10, p_terminal_code => %L) c', 'SHOP1', :'code', 'FREE01')), '10.00', 'an active merchant charges');
select t.tx_no from app.transactions t where t.tx_type = 'payment' \gset
select is(pg_temp.call_as(:'admin', format('public.admin_suspend_merchant(%L)', :'shop')), 'true', 'an admin suspends');
select is(pg_temp.last_audit(), 'admin merchant.suspended merchant SHOP1 {}', 'which is recorded');
select is(pg_temp.call_as(:'admin', format('public.admin_suspend_merchant(%L)', :'shop')), 'false', 'once');
select fx.code(:'member') as code \gset
select is(pg_temp.refused(:'clerk', format('public.merchant_charge_by_qr(%L, %L, 10)', 'SHOP1', :'code')), 'PT409 MERCHANT_NOT_FOUND_OR_INACTIVE', 'a suspended merchant does not charge');
select is(pg_temp.refused(:'clerk', format('public.user_recharge_card(%L, 10, p_merchant_code => %L)', fx.standard_card(:'member'), 'SHOP1')), 'PT409 MERCHANT_NOT_FOUND_OR_INACTIVE', 'nor takes cash');
select is(pg_temp.call_as(:'clerk', format('(r.refunded_amount) from public.merchant_refund_tx(%L, %L, 4) r', 'SHOP1', :'tx_no')), '4.00', 'but it refunds');
select is(pg_temp.call_as(:'admin', format('public.admin_activate_merchant(%L)', :'shop')), 'true', 'an admin activates');
select is(pg_temp.last_audit(), 'admin merchant.activated merchant SHOP1 {}', 'which is recorded');
select is(pg_temp.call_as(:'admin', format('public.admin_activate_merchant(%L)', :'shop')), 'false', 'once');
select is(pg_temp.call_as(:'clerk', format('(c.final_amount) from public.merchant_charge_by_qr(%L, %L, 5) c', 'SHOP1', :'code')), '5.00', 'and it charges again');

-- Looking.
update app.merchant_users set created_at = created_at - interval '1 day' where user_id = :'clerk';
select is(pg_temp.call_as(u.id, format('(m.code, m.own_role, m.fee_bps, jsonb_array_length(m.users), m.users #>> %L, m.users #>> %L, m.terminals @> %L)
  from public.get_merchant_detail(%L) m', '{0,role}', '{1,role}', format('[{"code": "%s", "label": "Till 1", "status": "retired"}, {"code": "FREE01", "status": "active"}]', :'till'), :'shop')),
  format('(SHOP1,%s,0,2,owner,manager,t)', u.role), 'its detail, as ' || u.name)
from (values ('an owner', :'boss'::uuid, 'owner'), ('a manager', :'clerk', 'manager'), ('an admin', :'admin', '')) as u (name, id, role);
select is(pg_temp.refused(null, format('public.get_merchant_detail(%L)', :'shop')), 'PT401 NOT_AUTHENTICATED', 'for nobody else');
insert into app.merchant_users (merchant_id, user_id, role) values (:'other', :'clerk', 'cashier');
select fx.act_as(:'clerk');
select results_eq('select m.code, m.role, m.status, m.terminals ->> 0 from public.get_my_merchants() m',
  format($$ values ('OTHER', 'cashier', 'active', '{"code": "OTHER1", "label": "OTHER1"}'), ('SHOP1', 'manager', 'active', %L) $$,
    (select jsonb_build_object('code', t.code, 'label', t.label)::text from app.terminals t where t.merchant_id = :'shop' and t.status = 'active' order by t.created_at, t.code limit 1)),
  'whoever works somewhere sees where, with the active terminals');
select is(pg_temp.call_as(:'boss', format('public.remove_merchant_user(%L, %L)', :'shop', :'clerk')), 'true', 'who works for two merchants is removed from one');
select is(pg_temp.staff(:'other') like '%clerk cashier%', true, 'and stays at the other');
select fx.act_as(:'newcomer');
select is_empty('select * from public.get_my_merchants()', 'and nothing of others');
select is(pg_temp.refused(null, 'public.get_my_merchants()'), 'PT401 NOT_AUTHENTICATED', 'nobody works nowhere');

-- Searching.
create function pg_temp.found(p_arguments text) returns text language plpgsql as $$
declare
  v_codes text;
begin
  execute format('select string_agg(m.code, %L) from public.search_merchants(%s) m', ' ', p_arguments) into v_codes;
  return v_codes;
end;
$$;
select fx.make_merchant('A_C'), fx.make_merchant('ABC');
update app.merchants set name = '茶 House', status = 'suspended' where code = 'A_C';
select fx.act_as(:'admin');
select is(pg_temp.found(c.arguments), c.expected, 'search ' || c.arguments)
from (values
  ('', 'ABC A_C OTHER SHOP1 ' || repeat('~', 64)),
  ($$ 'shop' $$, 'SHOP1'), ($$ ' hOuSe ' $$, 'A_C'), ($$ 'TEA &' $$, 'SHOP1'), ($$ 'a_c' $$, 'A_C'), ($$ '%' $$, null), ($$ '茶' $$, 'A_C'),
  ($$ p_status => 'suspended' $$, 'A_C'), ($$ p_status => 'active', p_keyword => 'c' $$, 'ABC'),
  ('p_limit => 2', 'ABC A_C'), ('p_limit => 2, p_offset => 2', 'OTHER SHOP1'), ('p_limit => 200, p_offset => 4', repeat('~', 64)),
  ('p_limit => null, p_offset => null', 'ABC A_C OTHER SHOP1 ' || repeat('~', 64)), ('p_offset => 5', null)) as c (arguments, expected);
select is(pg_temp.refused(:'admin', format('public.search_merchants(%s)', c.arguments)), format('PT400 MALFORMED_ARGUMENT {"field": "%s"}', c.field), 'search ' || c.arguments)
from (values
  ('p_limit => 0', 'limit'), ('p_limit => 201', 'limit'), ('p_offset => -1', 'offset'), ($$ p_status => 'gone' $$, 'status'),
  ($$ repeat('x', 101) $$, 'keyword'), ($$ e'a\n' $$, 'keyword')) as c (arguments, field);
insert into app.merchants (code, name) select 'N' || g, 'many' from generate_series(1, 60) g;
select is((select count(*)::int from public.search_merchants('many')), 50, 'a page has 50 rows unless asked otherwise');

-- The books.
select is_empty('select * from app.merchant_violations()', 'every terminal is its merchant''s');
update app.terminals set merchant_id = :'other' where code = 'FREE01';
select results_eq('select * from app.merchant_violations()', format($$ values ('terminal_is_the_merchants', %L, 'FREE01') $$, :'tx_no'), 'and one that is not would be named');

select * from finish();
rollback;
