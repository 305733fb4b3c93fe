-- Settings: what each may be, who changes it, that it acts and is recorded.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_merchant('S1');
select fx.make_merchant_user('S1', 'owner') as owner \gset
insert into app.settings (key, value, kind, comment, min_value, max_value) values
  ('test_integer', '7', 'integer', 'for this test', 5, 10), ('test_free_integer', '7', 'integer', 'for this test', null, null);
insert into app.settings (key, value, kind, comment) values ('test_choice', 'a', 'choice', 'for this test, without its choices');

create function pg_temp.set_as(p_user uuid, p_key text, p_value text) returns text language plpgsql as $$
declare
  v_value text;
  v_detail text;
begin
  perform fx.act_as(p_user);
  return (select s.value from public.set_setting(p_key, p_value) s);
exception when others then
  get stacked diagnostics v_detail = pg_exception_detail;
  return sqlstate || ' ' || sqlerrm || case when v_detail in ('', '{}') then '' else ' ' || v_detail end;
end;
$$;

-- Reading.
select fx.act_as(:'admin');
select results_eq(
  $$ select key, value, kind, min_value, max_value, choices from public.get_settings()
     where key in ('time_zone', 'payment_amount_max', 'payment_card_day_max', 'cashier_refund_max', 'refund_points') $$,
  $$ values
    ('cashier_refund_max', '1000.00', 'amount', 0.00, 1000000.00, null::text[]),
    ('payment_amount_max', '50000.00', 'amount', 0.00, 1000000.00, null),
    ('payment_card_day_max', '200000.00', 'amount', 0.00, 10000000.00, null),
    ('refund_points', 'clawback', 'choice', null, null, '{clawback,keep}'),
    ('time_zone', 'Asia/Taipei', 'time_zone', null, null, null) $$,
  'an admin sees each setting and what it may be, by key');
select is((select count(*) from public.get_settings() where comment <> ''), (select count(*) from app.settings), 'all of them, explained');
select is_empty($$ select key from app.settings where kind = 'choice' and choices is null and key not like 'test%' $$, 'every choice has its choices');
select is_empty($$ select s.key from app.settings s where app.normal_setting(s, s.value) is distinct from s.value and s.key not like 'test%' $$,
  'every default could be set');
select is(fx.refusal_as('authenticated', u.id, c.call), u.expected, u.name || ' cannot: ' || c.call)
from (values ('an owner', :'owner'::uuid, 'PT403 PERMISSION_DENIED'), ('nobody', null, 'PT401 NOT_AUTHENTICATED')) as u (name, id, expected)
cross join (values ('select public.get_settings()'), ($$ select public.set_setting('payment_amount_max', '1') $$), ('select public.set_setting(null, null)')) as c (call);

-- Changing.
select is(pg_temp.set_as(:'admin', c.key, c.value), c.expected, format('%s := %s', c.key, c.value))
from (values
  ('payment_amount_max', '300', '300.00'), ('payment_amount_max', '0', '0.00'), ('payment_amount_max', '007.5', '7.50'),
  ('payment_amount_max', '1000000.00', '1000000.00'), ('payment_amount_max', '12.34', '12.34'),
  ('test_integer', '5', '5'), ('test_integer', '10', '10'), ('test_free_integer', '0', '0'), ('test_free_integer', '999999999', '999999999'),
  ('time_zone', 'Europe/Paris', 'Europe/Paris'), ('refund_points', 'keep', 'keep')) as c (key, value, expected);
select results_eq(
  $$ select e.actor_user_id, e.actor_role, e.object_type, e.object_id, e.params ->> 'from', e.params ->> 'to' from audit.event_log e
     where e.action = 'setting.changed' and e.object_id in ('payment_amount_max', 'refund_points') order by e.created_at $$,
  format($$ select %L::uuid, 'admin', 'setting', c.* from (values
    ('payment_amount_max', '50000.00', '300.00'), ('payment_amount_max', '300.00', '0.00'), ('payment_amount_max', '0.00', '7.50'),
    ('payment_amount_max', '7.50', '1000000.00'), ('payment_amount_max', '1000000.00', '12.34'), ('refund_points', 'clawback', 'keep')) as c $$, :'admin'),
  'each change is recorded, from what to what');
select count(*) as audited from audit.event_log \gset
select is(pg_temp.set_as(:'admin', 'payment_amount_max', '12.340'), 'PT422 INVALID_SETTING {"setting": "payment_amount_max"}', 'three decimals are no amount');
select is(pg_temp.set_as(:'admin', 'payment_amount_max', '12.34'), '12.34', 'the same value again');
select is((select count(*) from audit.event_log), :audited::bigint, 'is no change');

-- What it may not be.
create temporary table before as select * from fx.state();
select is(pg_temp.set_as(:'admin', c.key, c.value), format('PT422 INVALID_SETTING {"setting": "%s"}', c.key), format('%s cannot be %L', c.key, c.value))
from (values
  ('payment_amount_max', null), ('payment_amount_max', ''), ('payment_amount_max', 'NaN'), ('payment_amount_max', 'Infinity'),
  ('payment_amount_max', '-1'), ('payment_amount_max', '+1'), ('payment_amount_max', '1e3'), ('payment_amount_max', ' 1'),
  ('payment_amount_max', '1.'), ('payment_amount_max', '.5'), ('payment_amount_max', '1,000'), ('payment_amount_max', '1000000.01'),
  ('payment_amount_max', '9999999999999'), ('payment_amount_max', '١'), ('payment_amount_max', e'1\n'),
  ('payment_card_day_max', '10000000.01'), ('cashier_refund_max', '1000000.01'),
  ('test_integer', '4'), ('test_integer', '11'), ('test_integer', '7.0'), ('test_integer', '-7'), ('test_integer', '07'),
  ('test_integer', '1000000000'), ('test_integer', 'x'), ('test_integer', null), ('test_free_integer', '1000000000'),
  ('time_zone', 'Mars/X'), ('time_zone', ''), ('time_zone', null), ('time_zone', '+08'), ('time_zone', 'Asia/Taipei+8'),
  ('refund_points', 'Keep'), ('refund_points', ''), ('refund_points', null), ('test_choice', 'a'), ('test_choice', 'b')) as c (key, value);
select is(pg_temp.set_as(:'admin', 'no_such', '1'), 'PT404 SETTING_NOT_FOUND {"setting": "no_such"}', 'an unknown setting');
select is(pg_temp.set_as(:'admin', repeat('x', 100), '1'), format('PT404 SETTING_NOT_FOUND {"setting": "%s"}', repeat('x', 64)), 'whose name is cut in the answer');
select is(pg_temp.set_as(:'admin', null, '1'), 'PT404 SETTING_NOT_FOUND {"setting": null}', 'and none');
select results_eq('select * from fx.state()', 'select * from before', 'all that changed nothing');

-- The table holds by itself what no RPC may break.
select is(left(fx.refusal(c.statement), 5), '23514', c.statement)
from (values
  ($$ update app.settings set value = '1.5' where key = 'test_integer' $$), ($$ update app.settings set value = 'maybe' where key = 'refund_points' $$),
  ($$ update app.settings set value = '5' where key = 'payment_amount_max' $$), ($$ update app.settings set kind = 'text' where key = 'test_integer' $$),
  ($$ update app.settings set min_value = 11 where key = 'test_integer' $$)) as c (statement);

-- The currency.
select is(pg_temp.set_as(:'admin', 'recharge_currency', 'USD'), 'USD', 'before the first transaction the house chooses its currency');
select is(pg_temp.set_as(:'admin', 'recharge_currency', 'CNY'), 'CNY', 'or another');

-- It acts from the next call on.
select fx.make_member('payer@fixture.example', 100) as payer \gset
select fx.code(:'payer') as code \gset
select is(fx.refusal_as('authenticated', :'owner', format('select public.merchant_charge_by_qr(%L, %L, 12.35)', 'S1', :'code')), 'PT422 AMOUNT_OVER_LIMIT', 'a lowered limit holds');
select is(pg_temp.set_as(:'admin', 'payment_amount_max', '12.35'), '12.35', 'raised again');
select is(fx.refusal_as('authenticated', :'owner', format('select public.merchant_charge_by_qr(%L, %L, 12.35)', 'S1', :'code')), 'no refusal', 'it lets pass');
select is(pg_temp.set_as(:'admin', 'recharge_currency', 'USD'), 'PT422 INVALID_SETTING {"setting": "recharge_currency"}', 'no amount changes its unit');
select is(pg_temp.set_as(:'admin', 'recharge_currency', 'CNY'), 'CNY', 'the same currency is no change');

select * from finish();
rollback;
