-- Claims, headers and pages that are not what they should be.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_member('payer@fixture.example', 10) as payer \gset
create function pg_temp.with_claims(p_claims text) returns text language plpgsql as $$
begin
  perform set_config('request.jwt.claims', p_claims, true);
  return fx.refusal('select public.get_user_profile()');
end $$;
select is(pg_temp.with_claims(c), 'PT401 NOT_AUTHENTICATED', 'nobody is signed in by the claims ' || c)
from unnest(array['{', '', '[]', '1', 'null', '"x"', '{}', '{"sub": "not-a-uuid", "role": "authenticated"}', '{"sub": 1, "role": "authenticated"}',
  '{"sub": {}, "role": "authenticated"}', '{"sub": null, "role": "authenticated"}', '{"sub": "", "role": "authenticated"}']) c;
select is(pg_temp.with_claims(format('{"sub": "%s"}', :'payer')), 'PT401 NOT_AUTHENTICATED', 'nor without a role');
select is(pg_temp.with_claims(format('{"sub": "%s", "role": "authenticated"}', :'payer')), 'no refusal', 'a user is');
select is((select set_config('request.headers', h, true) is null or sec.request_id() is null), true, 'no request id is read from ' || h)
from unnest(array['{', '[]', '1', '{}', '{"x-request-id": {}}']) h;

-- Pages: NULL is the default, in every listing.
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_merchant('S1') as merchant \gset
select fx.act_as(:'admin');
select is(fx.refusal('select ' || call), 'no refusal', call)
from (
  select format('public.%I(%s)', p.proname, string_agg(
    format('%I => %s', a.name, case
      when a.name in ('p_limit', 'p_offset') then 'null'
      when a.name = 'p_card_id' and p.proname = 'get_point_ledger' then quote_literal(fx.standard_card(:'payer'))
      when a.name = 'p_merchant_id' then quote_literal(:'merchant')
      when a.name = 'p_member_id' then quote_literal(fx.member_id(:'payer'))
      when a.name = 'p_keyword' then quote_literal('x') end), ', ')
    filter (where a.name in ('p_limit', 'p_offset', 'p_keyword') or (a.name = 'p_card_id' and p.proname = 'get_point_ledger')
      or a.name = 'p_merchant_id' or a.name = 'p_member_id')) as call
  from pg_catalog.pg_proc p
  cross join lateral unnest(p.proargnames, p.proargmodes) as a (name, mode)
  where p.pronamespace = 'public'::regnamespace and p.proargnames @> array['p_limit'] and a.mode = 'i'
    and p.proname not in ('get_settlement_detail', 'take_recharge_orders_to_query')
  group by p.oid, p.proname) c;

-- Numbers at the end of their type.
select fx.act_as_service();
select is(fx.refusal(format('select public.verify_seals(%s, %s)', f, m)), 'PT400 MALFORMED_ARGUMENT', format('no seals from %s', f))
from (values ('9223372036854775807', '5'), ('9223372036854775807', 'null'), ('0', '1'), ('-9223372036854775808', '1')) v (f, m);
select is(fx.refusal('select public.verify_seals(1000000000000000, 2147483647)'), 'no refusal', 'far ahead there is none');
select fx.act_as(:'admin');
select is(fx.refusal(format('select public.get_transaction_trends(%L, %L)', f, t)), 'PT400 MALFORMED_ARGUMENT', format('no trends from %s to %s', f, t))
from (values ('294276-01-01Z', '294276-12-31Z'), ('4713-01-01 00:00:00+00 BC', '4713-02-01 00:00:00+00 BC'), ('infinity', 'infinity'), ('-infinity', '2026-01-01Z')) v (f, t);
select * from finish();
rollback;
