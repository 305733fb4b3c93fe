-- Members: registration, linking by what Supabase Auth confirmed, profile and cards.
begin;
set local search_path = public, extensions;
select plan(32);

select fx.make_user('new@fixture.example') as newcomer \gset
select fx.act_as(:'newcomer');
select member_id, member_no, card_id, card_no, created from public.register_member('  Ana  ', '+886 900-000-111') \gset first_
select ok(:'first_created'::boolean, 'a newcomer becomes a member');
select matches(:'first_member_no'::text, '^M[0-9]{8}$', 'with a member number');
select matches(:'first_card_no'::text, '^STD[0-9]{8}$', 'and a standard card');
select results_eq(
  format('select m.name, m.phone, m.email, m.status from app.member_profiles m where m.id = %L', :'first_member_id'),
  $$ values ('Ana', '+886900000111', 'new@fixture.example', 'active') $$,
  'name and phone are normalised, the e-mail is the confirmed one');
select results_eq(
  $$ select member_no, card_no, created from public.register_member('Other name', null) $$,
  format('values (%L, %L, false)', :'first_member_no', :'first_card_no'),
  'registering again answers the same member and changes nothing');
select is((select m.name from app.member_profiles m where m.id = :'first_member_id'), 'Ana', 'not even the name');
select is((select count(*)::int from audit.event_log where action = 'member.registered' and object_id = :'first_member_no'), 1,
  'and is audited once');
select is((select count(*)::int from audit.event_log e where e::text like '%900000111%' or e::text like '%Ana%'), 0,
  'the audit log holds no personal data');

select fx.make_user('second@fixture.example') as second \gset
select is(fx.refusal_as('authenticated', :'second', $$ select public.register_member('Bo', '+886900000111') $$),
  'PT409 PHONE_ALREADY_REGISTERED', 'a phone belongs to one member');
select is(fx.refusal_as('authenticated', :'second', $$ select public.register_member('   ', null) $$),
  'PT400 MALFORMED_ARGUMENT', 'a blank name is refused');
select is(fx.refusal_as('authenticated', :'second', $$ select public.register_member(null, null) $$),
  'PT400 MALFORMED_ARGUMENT', 'a missing name is refused');
select is(fx.refusal_as('authenticated', :'second', format('select public.register_member(%L, null)', repeat('x', 101))),
  'PT400 MALFORMED_ARGUMENT', 'a name of 101 characters is refused');
select is(fx.refusal_as('authenticated', :'second', $$ select public.register_member('Bo', 'call me') $$),
  'PT400 MALFORMED_ARGUMENT', 'a phone is digits');
select is(fx.refusal_as('authenticated', :'second', $$ select public.register_member('Bo', '0900000111') $$),
  'PT400 MALFORMED_ARGUMENT', 'a phone has its country code, so that one number is one text');
select is(fx.refusal_as('authenticated', :'second', $$ select public.register_member('Bo', '00886 900000111') $$),
  'PT409 PHONE_ALREADY_REGISTERED', '00 is +');

-- Known, unlinked members.
select (app.make_member('Known by mail', null, 'known@fixture.example', null)).member_no as known_by_mail \gset
select (app.make_member('Known by phone', '+886900000222', null, null)).member_no as known_by_phone \gset
select fx.make_user('KNOWN@fixture.example') as by_mail \gset
update auth.users set email_confirmed_at = null where id = :'by_mail';
select fx.act_as(:'by_mail');
select isnt((select member_no from public.register_member('Mallory', null)), :'known_by_mail'::text,
  'an unconfirmed e-mail links nobody');
select fx.make_user('by.phone@fixture.example') as by_phone \gset
update auth.users set phone = '886900000222' where id = :'by_phone';
select is(fx.refusal_as('authenticated', :'by_phone', $$ select public.register_member('Mallory', '+886900000222') $$),
  'PT409 PHONE_ALREADY_REGISTERED', 'an unconfirmed phone links nobody');
select (app.make_member('Same digits, other country', '+8869000002', null, null)).member_no as other_country \gset
select fx.make_user('other.country@fixture.example') as other_country_user \gset
update auth.users set phone = '6900000222', phone_confirmed_at = now() where id = :'other_country_user';
select fx.act_as(:'other_country_user');
select ok((select created from public.register_member('Eve', null)), 'a confirmed phone of another country links nobody');
select fx.make_user('sso@fixture.example') as sso \gset
select (app.make_member('Known by company mail', null, 'boss@fixture.example', null)).member_no as boss \gset
update auth.users set email = 'boss@fixture.example', is_sso_user = true where id = :'sso';
select fx.act_as(:'sso');
select ok((select created from public.register_member('Fay', null)), 'an identity provider''s e-mail links nobody');
select is((select email from app.member_profiles where auth_user_id = :'sso'), null, 'nor is it taken over');
update auth.users set phone_confirmed_at = now() where id = :'by_phone';
select fx.act_as(:'by_phone');
select is((select member_no from public.register_member('Carl', null)), :'known_by_phone'::text,
  'a confirmed phone links its known member');
select fx.make_user('known@fixture.example') as by_confirmed_mail \gset
select fx.act_as(:'by_confirmed_mail');
select is((select member_no from public.register_member('Dora', null)), :'known_by_mail'::text,
  'a confirmed e-mail links its known member');
select is((select count(*)::int from audit.event_log where action = 'member.linked'), 2, 'linking is audited');

-- Who was deleted stays so.
select fx.make_member('gone@fixture.example') as gone \gset
update app.member_profiles set status = 'deleted', email = null where auth_user_id = :'gone';
select is(fx.refusal_as('authenticated', :'gone', $$ select public.register_member('Gus', null) $$),
  'PT409 MEMBER_NOT_ACTIVE', 'a deleted member does not come back by registering');

-- What a member sees.
select fx.make_member('payer@fixture.example', 100, 1200) as payer \gset
select fx.make_member('sharer@fixture.example') as sharer \gset
select fx.make_card('prepaid', 500, 0.900) as shared_card \gset
select fx.bind(:'shared_card', :'payer', 'viewer');
select fx.bind(:'shared_card', :'sharer', 'owner');
select fx.act_as(:'payer');
select results_eq(
  $$ select card_type, role, status, balance, points, level, level_name, discount, discount_source, next_level_points, pays
     from public.get_member_cards() $$,
  $$ values
    ('standard', 'owner', 'active', 100.00, 1200::bigint, 1, '銀卡會員', 0.950, 'level', 5000::bigint, true),
    ('prepaid', 'viewer', 'active', 500.00, 0::bigint, 0, '普通會員', 0.900, 'card', 1000::bigint, false) $$,
  'a member sees his own and shared cards, and whether he may pay with them');
select is(fx.refusal_as('authenticated', :'payer', format('select public.get_member_cards(%L)', fx.member_id(:'sharer'))),
  'PT404 MEMBER_NOT_FOUND', 'somebody else''s cards are not found');
select is(fx.refusal_as('authenticated', :'payer', format('select public.get_member_cards(%L)', gen_random_uuid())),
  'PT404 MEMBER_NOT_FOUND', 'which is the answer for an unknown member');
select is(fx.refusal_as('authenticated', fx.make_user('nobody@fixture.example'), 'select public.get_member_cards()'),
  'PT404 MEMBER_NOT_FOUND', 'and for a user who is no member');
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.act_as(:'admin');
select is((select count(*)::int from public.get_member_cards(fx.member_id(:'payer'))), 2, 'an admin sees any member''s cards');

select fx.make_merchant('S1');
select fx.make_terminal('S1', 'K7Q2ZD');
select fx.make_merchant_user('S1', 'manager') as manager \gset
select fx.act_as(:'manager');
select results_eq(
  $$ select is_admin, member_no, merchants #>> '{0,code}', merchants #>> '{0,role}', merchants #>> '{0,terminals,0,code}'
     from public.get_user_profile() $$,
  $$ values (false, null::text, 'S1', 'manager', 'K7Q2ZD') $$,
  'a merchant user sees his merchant and its terminals');
select fx.act_as(:'payer');
select results_eq(
  $$ select is_admin, name, merchants from public.get_user_profile() $$,
  $$ values (false, 'payer', '[]'::jsonb) $$, 'a member sees himself');
select fx.act_as(:'admin');
select ok((select is_admin from public.get_user_profile()), 'an admin sees that he is one');

select * from finish();
rollback;
