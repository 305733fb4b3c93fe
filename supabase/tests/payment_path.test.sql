-- What the functions on the charge's path hold, where no other file asks: types that do not pay, ids of requests.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_merchant('S1');
select fx.make_merchant_user('S1') as cashier \gset
select fx.make_member('payer@fixture.example', 1000) as payer \gset
select fx.code(:'payer') as code \gset

update app.card_type_rules set pays = 'no' where card_type = 'standard';
select is(fx.refusal_as('authenticated', :'cashier', format('select * from public.merchant_charge_by_qr(%L, %L, 1)', 'S1', :'code')),
  'PT422 UNSUPPORTED_CARD_TYPE_FOR_PAYMENT', 'a type of card that does not pay is refused');
select is(fx.refusal_as('authenticated', :'cashier', format('select * from public.quote_payment(%L, %L, 1)', 'S1', :'code')),
  'PT422 UNSUPPORTED_CARD_TYPE_FOR_PAYMENT', 'by the quote too');
update app.card_type_rules set pays = 'yes' where card_type = 'standard';
select is(fx.refusal_as('authenticated', :'cashier', format('select * from public.merchant_charge_by_qr(%L, %L, 1)', 'S1', :'code')),
  'no refusal', 'and pays when the data say so');

create function pg_temp.request_id_of(p_headers text)
returns text language plpgsql as $$
begin
  perform set_config('request.headers', p_headers, true);
  return sec.request_id();
end;
$$;
select is(pg_temp.request_id_of('{"x-request-id": "Az09._-"}'), 'Az09._-', 'the request id is the edge''s');
select is(pg_temp.request_id_of(jsonb_build_object('x-request-id', repeat('a', 128))::text), repeat('a', 128), 'up to 128 characters');
select is(pg_temp.request_id_of(jsonb_build_object('x-request-id', repeat('a', 129))::text), null, 'not one more');
select is(pg_temp.request_id_of('{"x-request-id": "a b"}'), null, 'nor with other characters');
select is(pg_temp.request_id_of(E'{"x-request-id": "a\\n"}'), null, 'nor a line break');
select is(pg_temp.request_id_of('{"x-request-id": ""}'), null, 'nor empty');
select is(pg_temp.request_id_of('{}'), null, 'nor none');
select is(pg_temp.request_id_of(''), null, 'nor without headers');

select * from finish();
rollback;
