-- What admins do to members and cards.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_user('admin2@fixture.example') as other_admin \gset
insert into app.admin_users (user_id) values (:'other_admin');
select fx.make_member('member@fixture.example', 100) as member \gset
select fx.member_id(:'member') as member_id \gset

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
create function pg_temp.balance(p_card uuid) returns numeric language sql as $$ select c.balance from app.cards c where c.id = p_card $$;

-- Nobody else.
select is(pg_temp.call_as(:'member', c.call), 'PT403 PERMISSION_DENIED', c.call || ' is for admins')
from (values
  (format('public.admin_suspend_member(%L)', :'member_id')), (format('public.admin_activate_member(%L)', :'member_id')),
  (format('public.create_prepaid_card(%L)', :'member_id')), (format('public.create_corporate_card(%L)', :'member_id')),
  (format('public.create_voucher_card(%L)', :'member_id')),
  (format('public.adjust_card_balance(%L, 1, %L)', fx.standard_card(:'member'), 'x')),
  (format('public.adjust_card_balance(%L, %L, %L)', fx.standard_card(:'member'), 'NaN', 'x'))) as c (call);

-- Suspension.
select is(pg_temp.call_as(:'admin', format('public.admin_suspend_member(%L)', :'member_id')), 'true', 'an admin suspends');
select is(pg_temp.call_as(:'admin', format('public.admin_suspend_member(%L)', :'member_id')), 'false', 'once');
select sec.draw_master_key();
select is(pg_temp.call_as(:'member', format('public.rotate_card_qr(%L)', fx.standard_card(:'member'))), 'PT409 MEMBER_NOT_ACTIVE', 'a suspended member gets no code');
select is(pg_temp.call_as(:'admin', format('public.admin_activate_member(%L)', :'member_id')), 'true', 'an admin activates');
select is(pg_temp.call_as(:'admin', format('public.admin_activate_member(%L)', :'member_id')), 'false', 'once');
select is(pg_temp.call_as(:'admin', format('public.admin_suspend_member(%L)', gen_random_uuid())), 'PT404 MEMBER_NOT_FOUND', 'nobody is not found');
select is((select string_agg(action, ' ' order by id) from audit.event_log where action like 'member.%'), 'member.suspended member.activated', 'each is audited');

-- Cards.
select pg_temp.call_as(:'admin', format('card_id from public.create_prepaid_card(%L, %L, 250.50, 0.9, %L)', :'member_id', ' Family ', 'k1')) as prepaid \gset
select results_eq(
  format('select c.card_type, c.name, c.balance, c.fixed_discount, b.role from app.cards c join app.card_bindings b on b.card_id = c.id where c.id = %L', :'prepaid'),
  $$ values ('prepaid', 'Family', 250.50, 0.900, 'owner') $$, 'a prepaid card with its owner, balance and discount');
select bag_eq(format('select e.account, e.delta from app.ledger_entries e join app.transactions t on t.id = e.tx_id where t.card_id = %L', :'prepaid'),
  $$ values ('card', 250.50), ('adjustments', -250.50) $$, 'whose balance is booked');
select is(pg_temp.call_as(:'admin', format('card_id from public.create_prepaid_card(%L, %L, 250.50, 0.900, %L)', :'member_id', ' Family ', 'k1')), :'prepaid'::text, 'the same key answers the same card');
select is(pg_temp.call_as(:'admin', format('replayed from public.create_prepaid_card(%L, %L, 250.50, 0.900, %L)', :'member_id', ' Family ', 'k1')), 'true', 'and says that it did');
select is(pg_temp.call_as(:'admin', format('public.create_prepaid_card(%L, %L, 250.51, 0.9, %L)', :'member_id', ' Family ', 'k1')), 'PT422 IDEMPOTENCY_KEY_REUSED', 'with another balance it is another request');
select is(pg_temp.call_as(:'admin', format('public.create_corporate_card(%L, %L, 250.50, 0.9, %L)', :'member_id', ' Family ', 'k1')), 'PT422 IDEMPOTENCY_KEY_REUSED', 'and so it is for another type');
select isnt(pg_temp.call_as(:'other_admin', format('card_id from public.create_prepaid_card(%L, %L, 250.50, 0.9, %L)', :'member_id', ' Family ', 'k1')), :'prepaid'::text, 'another admin''s keys are his own');
select pg_temp.call_as(:'admin', format('card_id from public.create_corporate_card(%L)', :'member_id')) as corporate \gset
select matches((select c.card_no from app.cards c where c.id = :'corporate'), '^COR[0-9]{8}$', 'a corporate card');
select pg_temp.call_as(:'admin', format('card_id from public.create_voucher_card(%L, null, 50, now() + interval %L)', :'member_id', '1 day')) as voucher \gset
select is((select (c.card_type, c.balance, c.personal_member_id)::text from app.cards c where c.id = :'voucher'), format('(voucher,50.00,%s)', :'member_id'), 'a voucher');
select is(pg_temp.call_as(:'admin', c.call), c.expected, c.call)
from (values
  (format('public.create_prepaid_card(%L, null, %L)', :'member_id', 'NaN'), 'PT422 INVALID_PRICE'),
  (format('public.create_prepaid_card(%L, null, -1)', :'member_id'), 'PT422 INVALID_PRICE'),
  (format('public.create_prepaid_card(%L, null, null)', :'member_id'), 'PT422 INVALID_PRICE'),
  (format('public.create_prepaid_card(%L, null, 1.001)', :'member_id'), 'PT422 INVALID_PRICE'),
  (format('public.create_prepaid_card(%L, null, 1, 1.001)', :'member_id'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.create_prepaid_card(%L, null, 1, 0.1234)', :'member_id'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.create_prepaid_card(%L, null, 1, %L)', :'member_id', 'NaN'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.create_voucher_card(%L, null, 1, now() - interval %L)', :'member_id', '1 s'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.create_voucher_card(%L)', gen_random_uuid()), 'PT404 MEMBER_NOT_FOUND'),
  ('public.create_prepaid_card(null)', 'PT404 MEMBER_NOT_FOUND')) as c (call, expected);

-- An issued voucher stays the answer to its key when its time is over.
select format('card_id from public.create_voucher_card(%L, null, 50, %L, %L)', :'member_id', clock_timestamp() + interval '300 ms', 'late-1') as issue \gset
select pg_temp.call_as(:'admin', :'issue') as late \gset
select pg_sleep(0.4);
select is(pg_temp.call_as(:'admin', :'issue'), :'late', 'asked again after its expiry, with the same key');
select is(pg_temp.call_as(:'admin', replace(:'issue', 'late-1', 'late-2')), 'PT400 MALFORMED_ARGUMENT', 'another key gets no expired voucher');

update app.member_profiles set status = 'suspended' where id = :'member_id';
select is(pg_temp.call_as(:'admin', format('public.create_prepaid_card(%L)', :'member_id')), 'PT409 MEMBER_NOT_ACTIVE', 'a suspended member gets no card');
update app.member_profiles set status = 'active' where id = :'member_id';

-- Adjustments.
select fx.standard_card(:'member') as card \gset
select is(pg_temp.call_as(:'admin', format('(a.amount, a.replayed) from public.adjust_card_balance(%L, -40, %L, %L) a', :'card', 'goodwill', 'a1')), '(-40.00,f)', 'a debit');
select is(pg_temp.call_as(:'admin', format('(a.amount, a.replayed) from public.adjust_card_balance(%L, -40.00, %L, %L) a', :'card', 'goodwill', 'a1')), '(-40.00,t)', 'the same key replays');
select is(pg_temp.balance(:'card'), 60.00, 'and debits once');
select is(pg_temp.call_as(:'admin', format('public.adjust_card_balance(%L, 40, %L, %L)', :'card', 'goodwill', 'a1')), 'PT422 IDEMPOTENCY_KEY_REUSED', 'the other sign is another request');
select is(pg_temp.call_as(:'admin', format('public.adjust_card_balance(%L, -60.01, %L)', :'card', 'x')), 'PT402 INSUFFICIENT_BALANCE', 'no balance below zero');
select is(pg_temp.call_as(:'admin', format('public.adjust_card_balance(%L, 0, %L)', :'card', 'x')), 'PT422 INVALID_PRICE', 'nothing is no adjustment');
select is(pg_temp.call_as(:'admin', format('public.adjust_card_balance(%L, %L, %L)', :'card', 'NaN', 'x')), 'PT422 INVALID_PRICE', 'nor is NaN');
select is(pg_temp.call_as(:'admin', format('public.adjust_card_balance(%L, 1, %L)', :'card', ' ')), 'PT400 MALFORMED_ARGUMENT', 'nor one without a reason');
select is(pg_temp.call_as(:'admin', format('public.adjust_card_balance(%L, 1, %L)', gen_random_uuid(), 'x')), 'PT404 CARD_NOT_FOUND', 'nor one of no card');
update app.cards set status = 'closed' where id = :'card';
select is(pg_temp.call_as(:'admin', format('public.adjust_card_balance(%L, 1, %L)', :'card', 'x')), 'PT409 CARD_NOT_ACTIVE', 'nor of a closed one');
select is(pg_temp.balance(:'card'), 60.00, 'all that changed nothing');

select fx.act_as_service();
select is_empty('select * from public.verify_ledger()', 'and the books are right');
select * from finish();
rollback;
