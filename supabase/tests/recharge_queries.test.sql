-- When an order's provider is asked whether it was paid: four times an order, each time by one caller.
begin;
set local search_path = public, extensions;
set local client_min_messages = error;
select plan(35);

select fx.make_member('owner@fixture.example') as owner \gset
select fx.standard_card(:'owner') as card \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');

create function pg_temp.ordered(p_user uuid, p_card uuid, p_amount numeric) returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select o.order_no from public.create_recharge_order(p_card, p_amount, 'alipay') o);
end;
$$;
-- All times of an order, so much earlier.
create function pg_temp.age(p_order text, p_by interval) returns void language sql as $$
  update app.recharge_orders o set created_at = o.created_at - p_by, expires_at = o.expires_at - p_by, query_at = o.query_at - p_by
  where o.order_no = p_order $$;
-- The orders handed out, in one text.
create function pg_temp.taken(p_limit int default null) returns text language plpgsql as $$
begin
  perform fx.act_as_service();
  return coalesce((select string_agg(concat_ws(' ', t.order_no, t.status), ', ') from public.take_recharge_orders_to_query(p_limit) t), 'none');
end;
$$;
create function pg_temp.asked_after_expiry(p_order text) returns interval language sql as $$
  select o.query_at - o.expires_at from app.recharge_orders o where o.order_no = p_order $$;

-- Who may.
select * from fx.refuses('42501 permission denied for function take_recharge_orders_to_query', 'anon takes no orders', 'anon', null, 'select public.take_recharge_orders_to_query()');
select * from fx.refuses('42501 permission denied for function take_recharge_orders_to_query', 'nor does a member', 'authenticated', :'owner', 'select public.take_recharge_orders_to_query()');
select * from fx.refuses('42501 permission denied for function take_recharge_orders_to_query', 'nor does a stranger', 'authenticated', gen_random_uuid(), 'select public.take_recharge_orders_to_query()');
select fx.act_as(:'admin');
select is(fx.refusal('select public.take_recharge_orders_to_query()'), 'PT403 PERMISSION_DENIED', 'the function itself refuses an admin');
select fx.act_as(null);
select is(fx.refusal('select public.take_recharge_orders_to_query()'), 'PT401 NOT_AUTHENTICATED', 'and nobody');
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'no rows', 'service_role', null, 'select public.take_recharge_orders_to_query(0)');
select * from fx.refuses('PT400 MALFORMED_ARGUMENT', 'too many rows', 'service_role', null, 'select public.take_recharge_orders_to_query(201)');

-- One order through its life.
select pg_temp.ordered(:'owner', :'card', 10) as o \gset
select cmp_ok(abs(extract(epoch from pg_temp.asked_after_expiry(:'o') + interval '3 minutes')), '<', 1::numeric, 'a new order is asked for three minutes before it expires');
select is(pg_temp.taken(), 'none', 'and not at once');
select pg_temp.age(:'o', interval '11 minutes 50 seconds');
select is(pg_temp.taken(), 'none', 'nor ten seconds too early');
select pg_temp.age(:'o', interval '15 seconds');
select is(pg_temp.taken(), :'o' || ' pending', 'three minutes before its end it is handed out');
select is(pg_temp.taken(), 'none', 'once');
select is(pg_temp.asked_after_expiry(:'o'), interval '1 minute', 'the next time is a minute after its end');
select pg_temp.age(:'o', interval '4 minutes');
select fx.act_as_service();
select is(public.cron_expire_recharge_orders(), 1, 'whether the cron has expired it or not');
select is(pg_temp.taken(), :'o' || ' expired', 'it is handed out');
select is(pg_temp.asked_after_expiry(:'o'), interval '10 minutes', 'then ten minutes after its end');
select pg_temp.age(:'o', interval '10 minutes');
select is(pg_temp.taken(), :'o' || ' expired', 'again');
select is(pg_temp.asked_after_expiry(:'o'), interval '6 hours', 'then after six hours');
select pg_temp.age(:'o', interval '6 hours');
select is(pg_temp.taken(), :'o' || ' expired', 'for the last time');
select is(pg_temp.asked_after_expiry(:'o'), null, 'and never again');
select is(pg_temp.taken(), 'none', 'as often as one asks');
select is((select string_agg(e.params::text, ' ') from audit.event_log e where e.action = 'recharge.queried'), '{"orders": 1} {"orders": 1} {"orders": 1} {"orders": 1}',
  'each time has its audit row, and nothing taken has none');

-- Nobody asked for a day.
select pg_temp.ordered(:'owner', :'card', 11) as forgotten \gset
select pg_temp.age(:'forgotten', interval '1 day');
select is(pg_temp.taken(), :'forgotten' || ' pending', 'an order that nobody asked for in time is asked for once');
select is(pg_temp.taken(), 'none', 'and no more');

-- What was paid needs no question.
select pg_temp.ordered(:'owner', :'card', 12) as paid \gset
select pg_temp.ordered(:'owner', :'card', 13) as odd \gset
select fx.act_as_service();
select is((select concat_ws(' ', r.order_status, r.payment_status) from public.complete_recharge_order(:'paid', 'alipay', 'Q1', 12, 'CNY', now()) r), 'completed credited', 'an order that is paid');
select is((select concat_ws(' ', r.order_status, r.payment_status) from public.complete_recharge_order(:'odd', 'alipay', 'Q2', 1, 'CNY', now()) r), 'needs_review needs_review', 'and one with a wrong amount');
select pg_temp.age(o, interval '1 day') from unnest(array[:'paid', :'odd']) as o;
select is(pg_temp.taken(), 'none', 'are not asked for');

-- Pages.
select pg_temp.ordered(:'owner', :'card', 14) as first \gset
select pg_temp.ordered(:'owner', :'card', 15) as second \gset
select pg_temp.age(:'first', interval '13 minutes'), pg_temp.age(:'second', interval '12 minutes 30 seconds');
select is(pg_temp.taken(1), :'first' || ' pending', 'the one that waits longest comes first');
select is(pg_temp.taken(1), :'second' || ' pending', 'then the next');
select is((select count(*)::int from audit.event_log e where e.action = 'recharge.queried' and e.actor_role = 'service'), 7, 'all of it by the service');
select * from finish();
rollback;
