-- Looking cards up, giving points, expiring cards and ending codes.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_user('admin2@fixture.example') as other_admin \gset
insert into app.admin_users (user_id) values (:'other_admin');
select fx.make_member('ming@fixture.example', 100, 4990) as ming \gset
select fx.standard_card(:'ming') as card \gset
select fx.make_member('hua@fixture.example') as hua \gset
select fx.make_card('prepaid', 300, 0.9) as shared \gset
select fx.bind(:'shared', :'hua', 'owner'), fx.bind(:'shared', :'ming', 'viewer') \g /dev/null
update app.cards set name = 'Family_%' where id = :'shared';
select fx.make_card('corporate', 0, 0.8) as corporate \gset
select fx.bind(:'corporate', :'ming', 'member') \g /dev/null
select fx.make_card('voucher', 50, null, :'hua') as voucher \gset

create function pg_temp.end_of(p_user text, p_call text) returns text language plpgsql as $$
declare
  v_before text;
  v_answer text;
begin
  select string_agg(s::text, ';') into v_before from fx.state() s;
  if p_user = 'service' then
    perform fx.act_as_service();
    set local role service_role;
  else
    perform fx.act_as(nullif(p_user, '')::uuid);
    set local role authenticated;
  end if;
  begin
    execute 'select ' || p_call into v_answer;
  exception when others then
    reset role;
    if v_before is distinct from (select string_agg(s::text, ';') from fx.state() s) then
      return 'CHANGED SOMETHING ' || sqlerrm;
    end if;
    return sqlstate || ' ' || sqlerrm;
  end;
  reset role;
  return v_answer;
end;
$$;
create function pg_temp.card(p_id uuid) returns app.cards language sql as $$ select c from app.cards c where c.id = p_id $$;

-- Who may.
select is(pg_temp.end_of('', c.call), 'PT401 NOT_AUTHENTICATED', c.call || ' needs a user')
from (values
  ('public.get_card_detail(null)'), ('public.get_point_ledger(null, 0)'), ('public.search_cards(null)'), ('public.get_all_cards(0)'),
  ('public.update_points_and_level(null, null, null)'), ('public.list_membership_levels()')) as c (call);
select is(pg_temp.end_of(:'hua', c.call), 'PT403 PERMISSION_DENIED', c.call || ' is for admins')
from (values
  ('public.search_cards(''STD'')'), ('public.get_all_cards()'), (format('public.update_points_and_level(%L, 1, ''x'')', fx.standard_card(:'hua')))) as c (call);
select is(pg_temp.end_of(c.caller, c.call), 'PT404 CARD_NOT_FOUND', c.call)
from (values
  (:'hua', format('public.get_card_detail(%L)', :'card')), (:'hua', format('public.get_point_ledger(%L)', :'card')),
  (:'hua', 'public.get_card_detail(null)'), (:'hua', 'public.get_point_ledger(null)'),
  (:'admin', format('public.get_card_detail(%L)', gen_random_uuid())), (:'admin', format('public.get_point_ledger(%L)', gen_random_uuid())),
  (:'admin', 'public.get_card_detail(null)'), (:'admin', 'public.get_point_ledger(null)'),
  (:'admin', format('public.update_points_and_level(%L, 1, ''x'')', gen_random_uuid())), (:'admin', 'public.update_points_and_level(null, 1, ''x'')')) as c (caller, call);
select is(fx.refusal_as('authenticated', :'admin', c.call), c.expected, c.call || ' is for the service')
from (values
  ('select public.cron_expire_cards()', '42501 permission denied for function cron_expire_cards'),
  ('select public.cron_rotate_qr_tokens()', '42501 permission denied for function cron_rotate_qr_tokens')) as c (call, expected);
select fx.act_as(:'admin') \g /dev/null
select is(fx.refusal('select public.cron_expire_cards()'), 'PT403 PERMISSION_DENIED', 'nor does the function itself let an admin');
select is(fx.refusal('select public.cron_rotate_qr_tokens()'), 'PT403 PERMISSION_DENIED', 'nor the other');

-- One card.
select fx.act_as(:'ming') \g /dev/null
select results_eq(format('select role, status, balance, points, level, level_name, discount, discount_source, fixed_discount, next_level_points, pays, is_rechargeable, is_shareable, has_binding_password, members from public.get_card_detail(%L)', :'card'),
  $$ values ('owner', 'active', 100.00, 4990::bigint, 1, '銀卡會員', 0.800, 'corporate', null::numeric, 5000::bigint, true, true, false, false, 1) $$, 'a member sees his card');
select results_eq(format('select card_type, role, discount, discount_source, fixed_discount, next_level_points, pays, is_shareable, members from public.get_card_detail(%L)', :'shared'),
  $$ values ('prepaid', 'viewer', 0.900, 'card', 0.900, 1000::bigint, false, true, 2) $$, 'and one he only sees');
select results_eq(format('select role, next_level_points, pays from public.get_card_detail(%L)', :'corporate'), $$ values ('member', null::bigint, true) $$, 'a card without points has no next level');
select fx.act_as(:'admin') \g /dev/null
select results_eq(format('select role, discount, discount_source, pays from public.get_card_detail(%L)', :'card'), $$ values (null::text, 0.950, 'level', false) $$, 'an admin sees any, and pays with none');
update app.cards set binding_password_hash = 'x' where id = :'shared';
select is((select has_binding_password from public.get_card_detail(:'shared')), true, 'and whether there is a password');

-- Lists.
select is((select string_agg(s.card_id::text, ' ') from public.search_cards(c.keyword) s), c.expected, 'searching ' || c.keyword)
from (values
  ('family_%', :'shared'), ('FAM', :'shared'), ('family__', null), ('_', null), ('%', null), ('std0', :'card' || ' ' || fx.standard_card(:'hua')),
  (lower((pg_temp.card(:'voucher')).card_no), :'voucher'), ('TD', null)) as c (keyword, expected);
select is((select count(*) from public.search_cards('STD', 1)), 1::bigint, 'at most so many');
select is((select array_agg(a.card_id) from public.get_all_cards() a), (select array_agg(c.id order by c.id desc) from app.cards c), 'all cards, newest first');
select is((select array_agg(a.card_id) from public.get_all_cards(2, 1) a), (select (array_agg(c.id order by c.id desc))[2:3] from app.cards c), 'in pages');
update app.cards set status = 'frozen' where id in (:'shared', :'card');
select is((select array_agg(a.card_id) from public.get_all_cards(null, null, 'frozen', 'prepaid') a), array[:'shared'::uuid], 'of one status and type');
select is((select count(*) from public.get_all_cards(null, null, 'frozen') a), 2::bigint, 'of one status');
select is((select count(*) from public.get_all_cards(null, null, null, 'standard') a), 2::bigint, 'of one type');
update app.cards set status = 'active' where id in (:'shared', :'card');
select is(pg_temp.end_of(:'admin', c.call), 'PT400 MALFORMED_ARGUMENT', c.call)
from (values
  ('public.search_cards(null)'), ('public.search_cards('' '')'), ('public.search_cards(''x'', 0)'), ('public.search_cards(''x'', 201)'),
  ('public.get_all_cards(0)'), ('public.get_all_cards(201)'), ('public.get_all_cards(1, -1)'), ('public.get_all_cards(1, 0, ''gone'')'),
  ('public.get_all_cards(1, 0, null, ''gold'')'), (format('public.get_point_ledger(%L, 0)', :'card')), (format('public.get_point_ledger(%L, 201)', :'card')),
  (format('public.get_point_ledger(%L, 1, -1)', :'card'))) as c (call);

-- Points.
select is(pg_temp.end_of(:'admin', format('(p.delta_points, p.level_before, p.level_after, p.reason, p.replayed) from public.update_points_and_level(%L, 10, %L, %L) p', :'card', ' birthday ', 'p1')),
  '(10,1,2,birthday,f)', 'an admin gives points');
select is((pg_temp.card(:'card')).points || ' ' || (pg_temp.card(:'card')).level, '5000 2', 'and the level follows');
select is(pg_temp.end_of(:'admin', format('(p.delta_points, p.level_before, p.level_after, p.reason, p.replayed) from public.update_points_and_level(%L, 10, %L, %L) p', :'card', 'birthday', 'p1')),
  '(10,1,2,birthday,t)', 'the same key replays');
select is((pg_temp.card(:'card')).points, 5000::bigint, 'and gives once');
select is((select e.params::text from audit.event_log e where e.action = 'points.changed'), '{"reason": "birthday", "delta_points": 10}', 'audited once');
select is(pg_temp.end_of(:'other_admin', format('(p.delta_points, p.replayed) from public.update_points_and_level(%L, -1, %L, %L) p', :'card', 'x', 'p1')), '(-1,f)', 'another admin''s keys are his own');
select is((pg_temp.card(:'card')).points || ' ' || (pg_temp.card(:'card')).level, '4999 1', 'points are taken too, and the level with them');
select is(pg_temp.end_of(:'admin', format('(p.delta_points) from public.update_points_and_level(%L, -4999, %L) p', :'card', 'x')), '-4999', 'to the last one');
select is(pg_temp.end_of(:'admin', format('(p.delta_points) from public.update_points_and_level(%L, 1000000, %L) p', :'shared', 'x')), '1000000', 'a million at most');
select is(pg_temp.end_of(:'admin', format('(p.delta_points) from public.update_points_and_level(%L, -1000000, %L) p', :'shared', 'x')), '-1000000', 'either way');
select is(pg_temp.end_of(:'admin', c.call), c.expected, c.call)
from (values
  (format('public.update_points_and_level(%L, 11, %L, %L)', :'card', 'birthday', 'p1'), 'PT422 IDEMPOTENCY_KEY_REUSED'),
  (format('public.update_points_and_level(%L, 10, %L, %L)', :'card', 'another', 'p1'), 'PT422 IDEMPOTENCY_KEY_REUSED'),
  (format('public.update_points_and_level(%L, 10, %L, %L)', :'shared', 'birthday', 'p1'), 'PT422 IDEMPOTENCY_KEY_REUSED'),
  (format('public.update_points_and_level(%L, 1, %L, %L)', :'card', 'x', ''), 'PT400 IDEMPOTENCY_KEY_INVALID'),
  (format('public.update_points_and_level(%L, 0, %L)', :'card', 'x'), 'PT422 INVALID_POINTS'),
  (format('public.update_points_and_level(%L, null, %L)', :'card', 'x'), 'PT422 INVALID_POINTS'),
  (format('public.update_points_and_level(%L, 1000001, %L)', :'card', 'x'), 'PT422 INVALID_POINTS'),
  (format('public.update_points_and_level(%L, -1000001, %L)', :'card', 'x'), 'PT422 INVALID_POINTS'),
  (format('public.update_points_and_level(%L, 1, %L)', :'card', ' '), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.update_points_and_level(%L, 1, null)', :'card'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.update_points_and_level(%L, 1, %L)', :'card', repeat('x', 201)), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.update_points_and_level(%L, 1, %L)', :'card', e'a\nb'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.update_points_and_level(%L, -1, %L)', :'card', 'x'), 'PT409 INSUFFICIENT_POINTS'),
  (format('public.update_points_and_level(%L, 1, %L)', :'corporate', 'x'), 'PT422 UNSUPPORTED_CARD_TYPE_FOR_POINTS'),
  (format('public.update_points_and_level(%L, 1, %L)', :'voucher', 'x'), 'PT422 UNSUPPORTED_CARD_TYPE_FOR_POINTS')) as c (call, expected);
update app.cards set status = 'closed' where id = :'card';
select is(pg_temp.end_of(:'admin', format('public.update_points_and_level(%L, 1, %L)', :'card', 'x')), 'PT409 CARD_NOT_ACTIVE', 'a closed card gets no points');
select is(pg_temp.end_of(:'admin', format('(p.replayed) from public.update_points_and_level(%L, 10, %L, %L) p', :'card', 'birthday', 'p1')), 'true', 'but what was answered is answered again');
update app.cards set status = 'active' where id = :'card';

-- Their ledger.
select fx.make_merchant('S1') \g /dev/null
select fx.make_merchant_user('S1') as cashier \gset
select fx.code(:'ming') as code \gset
select fx.act_as(:'cashier') \g /dev/null
select tx_no from public.merchant_charge_by_qr('S1', :'code', 10) \gset
select fx.act_as(:'ming') \g /dev/null
select results_eq(format('select delta_points, level_before, level_after, reason, tx_no from public.get_point_ledger(%L)', :'card'),
  format($$ values (10::bigint, 0, 0, 'payment', %L), (-4999, 1, 0, 'x', null), (-1, 2, 1, 'x', null), (10, 1, 2, 'birthday', null), (4990, 0, 1, 'fixture', null) $$, :'tx_no'),
  'a member sees what became of his points, newest first');
select results_eq(format('select delta_points from public.get_point_ledger(%L, 2, 1)', :'card'), 'values (-4999::bigint), (-1)', 'in pages');
select is((select count(*) from public.get_point_ledger(:'shared')), 2::bigint, 'and those of a card he only sees');
select fx.act_as(:'admin') \g /dev/null
select is((select count(*) from public.get_point_ledger(:'card')), 5::bigint, 'an admin sees any');

-- Cards expire.
update app.cards set expires_at = now() - interval '1 day', status = s.status
from (values (:'card'::uuid, 'active'), (:'shared', 'frozen'), (:'voucher', 'lost'), (:'corporate', 'closed')) as s (id, status) where cards.id = s.id;
update app.cards set expires_at = now() + interval '1 day' where id = fx.standard_card(:'hua');
select is(pg_temp.end_of('service', 'public.cron_expire_cards()'), '3', 'active, frozen and lost cards expire');
select is((select string_agg(c.status, ' ' order by c.card_no) from app.cards c), 'closed expired expired active expired', 'closed ones and those in time do not');
select is(pg_temp.end_of('service', 'public.cron_expire_cards()'), '0', 'once');
select is((select string_agg(e.actor_role || ' ' || (e.params ->> 'from'), ', ' order by e.params ->> 'from') from audit.event_log e where e.action = 'card.expired'),
  'service active, service frozen, service lost', 'each is audited');
select is((select string_agg(c.status_before_expiry, ' ' order by c.status_before_expiry) from app.cards c where c.status = 'expired'), 'active frozen lost', 'and keeps what it was before');
insert into app.cards (card_no, card_type, expires_at) select app.next_card_no('prepaid'), 'prepaid', now() - interval '1 day' from generate_series(1, 501);
select is(pg_temp.end_of('service', 'public.cron_expire_cards()'), '500', 'in bounded steps');
select is(pg_temp.end_of('service', 'public.cron_expire_cards()'), '1', 'that go on where the last ended');

-- Codes of shared cards end.
update app.cards set status = 'active', expires_at = null where id in (:'card', :'shared', :'corporate');
select fx.code(:'ming') as own_code \gset
select fx.code(:'hua', :'shared') as shared_code \gset
select fx.code(:'ming', :'corporate') as fresh_code \gset
create function pg_temp.state_of_codes(variadic p_codes text[]) returns text language sql as $$
  select string_agg(case when p.revoked_at is null then 'open' else 'revoked' end, ' ' order by c.place)
  from unnest(p_codes) with ordinality as c (code, place) join app.payment_codes p on p.code_hash = any (sec.code_hashes(c.code)) $$;
update app.payment_codes set issued_at = issued_at - interval '800 s' where code_hash = any (sec.code_hashes(:'own_code') || sec.code_hashes(:'shared_code'));
select is(pg_temp.end_of('service', 'public.cron_rotate_qr_tokens()'), '0', 'a code of a shared card lives 900 seconds');
select is(pg_temp.end_of('service', 'public.cron_rotate_qr_tokens(800)'), '1', 'or as long as the call says');
select is(pg_temp.state_of_codes(:'own_code', :'shared_code', :'fresh_code'), 'open revoked open', 'younger codes and those of personal cards stay');
select is(pg_temp.end_of('service', 'public.cron_rotate_qr_tokens(0)'), '1', '0 ends all');
select is(pg_temp.state_of_codes(:'own_code', :'shared_code', :'fresh_code'), 'open revoked revoked', 'of shared cards');
select is(pg_temp.end_of('service', 'public.cron_rotate_qr_tokens(0)'), '0', 'once');
select is((select string_agg(e.params::text, ' ' order by e.id) from audit.event_log e where e.action = 'codes.revoked'), '{"codes": 1, "ttl_seconds": 800} {"codes": 1, "ttl_seconds": 0}', 'each call that did something is audited');
select fx.code(:'ming', :'corporate') as old_code \gset
select fx.age_code(:'old_code') \g /dev/null
select is(pg_temp.end_of('service', 'public.cron_rotate_qr_tokens(0)'), '0', 'an expired code is over already');
select is(pg_temp.end_of('service', c.call), 'PT422 INVALID_TTL', c.call)
from (values ('public.cron_rotate_qr_tokens(null)'), ('public.cron_rotate_qr_tokens(-1)'), ('public.cron_rotate_qr_tokens(86401)')) as c (call);
insert into app.card_bindings (card_id, member_id, role) select c.id, fx.member_id(:'hua'), 'member' from app.cards c where c.card_type = 'prepaid' and c.id <> :'shared';
insert into app.card_bindings (card_id, member_id, role) select c.id, fx.member_id(:'ming'), 'member' from app.cards c where c.card_type = 'prepaid' and c.id <> :'shared';
insert into app.payment_codes (code_hash, key_id, card_id, member_id, issued_at, expires_at)
select sha256(uuid_send(b.card_id) || uuid_send(b.member_id)), (select min(k.key_id) from sec.master_keys k), b.card_id, b.member_id, now() - interval '1 s', now() + interval '1 h'
from app.card_bindings b join app.cards c on c.id = b.card_id and c.card_type = 'prepaid' and c.id <> :'shared';
select is(pg_temp.end_of('service', 'public.cron_rotate_qr_tokens(0)'), '1000', 'in bounded steps');
select is(pg_temp.end_of('service', 'public.cron_rotate_qr_tokens(0)'), '2', 'that go on where the last ended');

select fx.act_as_service() \g /dev/null
select is_empty($$ select * from public.verify_ledger() where rule not in ('key_names_its_result', 'consumed_code_has_its_payment') $$, 'the books are right');
select * from finish();
rollback;
