-- Making, linking, finding, changing and deleting members.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_user('nobody@fixture.example') as nobody \gset
select fx.make_member('ming@fixture.example') as ming \gset
select fx.member_id(:'ming') as ming_id \gset
select fx.make_member('hua@fixture.example') as hua \gset
select fx.member_id(:'hua') as hua_id \gset
select fx.ensure_master_key() \g /dev/null

-- How a call ends for a user, or for the service when none is named by 'service'; a refusal must have changed nothing.
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
create function pg_temp.member(p_id uuid) returns app.member_profiles language sql as $$
  select m from app.member_profiles m where m.id = p_id $$;
create function pg_temp.audited(p_action text) returns bigint language sql as $$
  select count(*) from audit.event_log e where e.action = p_action $$;

-- Who may: strangers, users without a member, callers without a user.
select is(pg_temp.end_of(:'hua', c.call), 'PT404 MEMBER_NOT_FOUND', c.call || ' of another member finds nobody')
from (values
  (format('public.get_member_detail(%L)', :'ming_id')), (format('public.update_member_profile(%L, %L)', :'ming_id', 'X')),
  (format('public.delete_member(%L)', :'ming_id')), (format('public.unbind_external_identity(%L, %L)', :'ming_id', 'line')),
  ('public.delete_member(null)'), ('public.update_member_profile(null, ''X'')'), ('public.unbind_external_identity(null, ''line'')')) as c (call);
select is(pg_temp.end_of(:'nobody', c.call), 'PT404 MEMBER_NOT_FOUND', c.call || ' by one who is no member finds nobody')
from (values
  (format('public.get_member_detail(%L)', :'ming_id')), ('public.get_member_detail()'), ('public.delete_member(null)'),
  ('public.update_member_profile(null, ''X'')'), ('public.unbind_external_identity(null, ''line'')')) as c (call);
select is(pg_temp.end_of(:'admin', c.call), 'PT404 MEMBER_NOT_FOUND', c.call || ' of nobody finds nobody')
from (values
  (format('public.get_member_detail(%L)', gen_random_uuid())), (format('public.update_member_profile(%L, %L)', gen_random_uuid(), 'X')),
  (format('public.delete_member(%L)', gen_random_uuid())), ('public.delete_member(null)'),
  (format('public.link_member_auth_user(%L, %L)', gen_random_uuid(), :'nobody'))) as c (call);
select is(pg_temp.end_of(:'ming', c.call), 'PT403 PERMISSION_DENIED', c.call || ' is not for members')
from (values
  ('public.create_member_profile(''X'')'), (format('public.link_member_auth_user(%L, %L)', :'hua_id', :'nobody')),
  ('public.search_members(''m'')'), ('public.get_all_members()')) as c (call);
select is(fx.refusal_as('authenticated', null, 'select ' || c.call), 'PT401 NOT_AUTHENTICATED', c.call || ' needs a user')
from (values
  ('public.create_member_profile(null)'), ('public.link_member_auth_user(null, null)'), ('public.search_members(null)'),
  ('public.get_all_members(0)'), ('public.get_member_detail(null)'), ('public.update_member_profile(null, ''  '')'),
  ('public.delete_member(null)'), ('public.unbind_external_identity(null, null)')) as c (call);
select is(fx.refusal_as('authenticated', :'admin', format('select public.bind_external_identity(%L, %L, %L)', :'ming_id', 'line', 'x')),
  '42501 permission denied for function bind_external_identity', 'not even an admin binds an identity');
select fx.act_as(:'admin') \g /dev/null
select is(fx.refusal(format('select public.bind_external_identity(%L, %L, %L)', :'ming_id', 'line', 'x')), 'PT403 PERMISSION_DENIED',
  'nor does the function itself let him');
select fx.act_as(null) \g /dev/null
select is(fx.refusal(format('select public.bind_external_identity(%L, %L, %L)', :'ming_id', 'line', 'x')), 'PT401 NOT_AUTHENTICATED',
  'nor one without a user');

-- Making members.
select pg_temp.end_of(:'admin', $$ public.create_member_profile(' Mei ', '+886 900-000-001', ' Mei@Fixture.example ', null, null, 'standard') $$) as mei_id \gset
select is((pg_temp.member(:'mei_id')).name || ' ' || (pg_temp.member(:'mei_id')).phone || ' ' || (pg_temp.member(:'mei_id')).email,
  'Mei +886900000001 mei@fixture.example', 'an admin makes a member, phone and e-mail in their one form');
select is((pg_temp.member(:'mei_id')).auth_user_id, null, 'whom no user is yet');
select results_eq(format('select c.card_type, c.status, c.balance, b.role from app.cards c join app.card_bindings b on b.card_id = c.id where c.personal_member_id = %L', :'mei_id'),
  $$ values ('standard', 'active', 0.00, 'owner') $$, 'with one standard card, empty');
select is((select e.actor_role || ' ' || e.params::text from audit.event_log e where e.action = 'member.created'), 'admin {}', 'audited without personal data');
select pg_temp.end_of('service', $$ public.create_member_profile('Lin', null, null, 'wechat', 'openid-lin') $$) as lin_id \gset
select is((select i.provider || ' ' || i.external_id from app.external_identities i where i.member_id = :'lin_id'), 'wechat openid-lin',
  'the service makes one with an identity');
select is(pg_temp.end_of(c.caller, c.call), c.expected, c.caller || ': ' || c.call)
from (values
  (:'admin', $$ public.create_member_profile('X', '+886900000001') $$, 'PT409 PHONE_ALREADY_REGISTERED'),
  (:'admin', $$ public.create_member_profile('X', null, 'MEI@fixture.example') $$, 'PT409 EMAIL_ALREADY_REGISTERED'),
  (:'admin', $$ public.create_member_profile(null) $$, 'PT400 MALFORMED_ARGUMENT'),
  (:'admin', $$ public.create_member_profile(' ') $$, 'PT400 MALFORMED_ARGUMENT'),
  (:'admin', $$ public.create_member_profile(repeat('x', 101)) $$, 'PT400 MALFORMED_ARGUMENT'),
  (:'admin', $$ public.create_member_profile(E'a\tb') $$, 'PT400 MALFORMED_ARGUMENT'),
  (:'admin', $$ public.create_member_profile('X', '0900') $$, 'PT400 MALFORMED_ARGUMENT'),
  (:'admin', $$ public.create_member_profile('X', null, 'no mail') $$, 'PT400 MALFORMED_ARGUMENT'),
  (:'admin', $$ public.create_member_profile('X', null, 'a@' || repeat('x', 253)) $$, 'PT400 MALFORMED_ARGUMENT'),
  (:'admin', $$ public.create_member_profile('X', null, null, null, null, 'prepaid') $$, 'PT400 MALFORMED_ARGUMENT'),
  (:'admin', $$ public.create_member_profile('X', null, null, 'wechat', 'x') $$, 'PT403 PERMISSION_DENIED'),
  ('service', $$ public.create_member_profile('X', null, null, 'wechat') $$, 'PT400 MALFORMED_ARGUMENT'),
  ('service', $$ public.create_member_profile('X', null, null, null, 'x') $$, 'PT400 MALFORMED_ARGUMENT'),
  ('service', $$ public.create_member_profile('X', null, null, 'myspace', 'x') $$, 'PT400 MALFORMED_ARGUMENT'),
  ('service', $$ public.create_member_profile('X', null, null, 'wechat', 'openid-lin') $$, 'PT409 EXTERNAL_ID_ALREADY_BOUND')
) as c (caller, call, expected);

-- Linking.
select is(pg_temp.end_of(:'admin', format('public.link_member_auth_user(%L, %L)', :'mei_id', :'nobody')), 'true', 'an admin links a member to a user');
select is((pg_temp.member(:'mei_id')).auth_user_id, :'nobody'::uuid, 'who is he from now on');
select is(pg_temp.end_of('service', format('public.link_member_auth_user(%L, %L)', :'mei_id', :'nobody')), 'false', 'once');
select is(pg_temp.audited('member.linked'), 1::bigint, 'and audited once');
select is(pg_temp.end_of(:'admin', c.call), c.expected, c.call)
from (values
  (format('public.link_member_auth_user(%L, %L)', :'mei_id', :'admin'), 'PT409 MEMBER_ALREADY_LINKED'),
  (format('public.link_member_auth_user(%L, %L)', :'lin_id', :'ming'), 'PT409 MEMBER_ALREADY_LINKED'),
  (format('public.link_member_auth_user(%L, %L)', :'lin_id', gen_random_uuid()), 'PT404 USER_NOT_FOUND'),
  (format('public.link_member_auth_user(%L, null)', :'lin_id'), 'PT404 USER_NOT_FOUND'),
  (format('public.link_member_auth_user(null, %L)', :'admin'), 'PT404 MEMBER_NOT_FOUND')) as c (call, expected);
select is(pg_temp.end_of('service', format('public.link_member_auth_user(%L, %L)', :'lin_id', :'admin')), 'true', 'the service links too');

-- External identities.
select is(pg_temp.end_of('service', format('public.bind_external_identity(%L, %L, %L, %L)', :'ming_id', 'line', 'line-ming', '{"nick": "M"}')), 'true', 'the service binds an identity');
select is(pg_temp.end_of('service', format('public.bind_external_identity(%L, %L, %L)', :'ming_id', 'line', 'line-ming')), 'false', 'once');
select is((select i.meta from app.external_identities i where i.member_id = :'ming_id'), '{"nick": "M"}', 'with what the provider told');
select is(pg_temp.end_of('service', format('public.bind_external_identity(%L, %L, %L)', :'ming_id', 'alipay', 'line-ming')), 'true', 'one of each provider');
select is((select string_agg(e.params::text, ' ' order by e.id) from audit.event_log e where e.action = 'member.identity_bound'),
  '{"provider": "wechat"} {"provider": "line"} {"provider": "alipay"}', 'audited without the id');
select is(pg_temp.end_of('service', c.call), c.expected, c.call)
from (values
  (format('public.bind_external_identity(%L, %L, %L)', :'hua_id', 'line', 'line-ming'), 'PT409 EXTERNAL_ID_ALREADY_BOUND'),
  (format('public.bind_external_identity(%L, %L, %L)', :'ming_id', 'line', 'line-other'), 'PT409 EXTERNAL_ID_ALREADY_BOUND'),
  (format('public.bind_external_identity(%L, %L, %L)', :'hua_id', 'LINE', 'x'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.bind_external_identity(%L, null, %L)', :'hua_id', 'x'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.bind_external_identity(%L, %L, null)', :'hua_id', 'line'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.bind_external_identity(%L, %L, %L)', :'hua_id', 'line', ''), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.bind_external_identity(%L, %L, %L)', :'hua_id', 'line', 'a b'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.bind_external_identity(%L, %L, %L)', :'hua_id', 'line', repeat('x', 129)), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.bind_external_identity(%L, %L, %L, %L)', :'hua_id', 'line', 'x', '[]'), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.bind_external_identity(%L, %L, %L, %L)', :'hua_id', 'line', 'x', jsonb_build_object('a', repeat('x', 4096))), 'PT400 MALFORMED_ARGUMENT'),
  (format('public.bind_external_identity(%L, %L, %L)', gen_random_uuid(), 'line', 'x'), 'PT404 MEMBER_NOT_FOUND'),
  (format('public.unbind_external_identity(%L, %L)', gen_random_uuid(), 'line'), 'PT404 MEMBER_NOT_FOUND'),
  (format('public.unbind_external_identity(%L, %L)', :'hua_id', 'line'), 'PT404 EXTERNAL_ID_NOT_FOUND')) as c (call, expected);
update app.member_profiles set status = 'suspended' where id = :'hua_id';
select is(pg_temp.end_of('service', format('public.bind_external_identity(%L, %L, %L)', :'hua_id', 'line', 'x')), 'PT409 MEMBER_NOT_ACTIVE', 'a suspended member binds nothing');
update app.member_profiles set status = 'active' where id = :'hua_id';
select is(pg_temp.end_of(:'ming', format('public.unbind_external_identity(%L, %L)', :'ming_id', 'wechat')), 'PT404 EXTERNAL_ID_NOT_FOUND', 'one that is not there is not unbound');
select is(pg_temp.end_of(:'ming', format('public.unbind_external_identity(%L, %L)', :'ming_id', 'x')), 'PT400 MALFORMED_ARGUMENT', 'nor one of no provider');
select is(pg_temp.end_of(:'ming', format('public.unbind_external_identity(%L, %L)', :'ming_id', 'line')), 'true', 'a member unbinds his own');
select is((select string_agg(i.provider, ' ') from app.external_identities i where i.member_id = :'ming_id'), 'alipay', 'of that provider alone');
select is(pg_temp.end_of('service', format('public.bind_external_identity(%L, %L, %L)', :'hua_id', 'line', 'line-ming')), 'true', 'and another may have it then');
select is(pg_temp.end_of('service', format('public.unbind_external_identity(%L, %L)', :'hua_id', 'line')), 'true', 'the service unbinds too');
select is(pg_temp.audited('member.identity_unbound'), 2::bigint, 'both audited');

-- What is told about a member.
select fx.act_as(:'ming') \g /dev/null
select results_eq('select name, phone, email, status, is_linked, providers, card_id, cards from public.get_member_detail()',
  format($$ values ('ming', null::text, 'ming@fixture.example', 'active', true, array['alipay'], %L::uuid, 1) $$, fx.standard_card(:'ming')),
  'a member sees himself');
select fx.act_as(:'admin') \g /dev/null
select is((select member_no from public.get_member_detail(:'ming_id')), (pg_temp.member(:'ming_id')).member_no, 'an admin sees anybody');

-- Changing.
select is(pg_temp.end_of(:'ming', format($$ (name, phone, email) from public.update_member_profile(%L, ' Ming ', '+886 900 000 002') $$, :'ming_id')),
  '(Ming,+886900000002,ming@fixture.example)', 'a member changes name and phone and keeps what he does not name');
select is((select e.actor_role || ' ' || e.params::text from audit.event_log e where e.action = 'member.updated'), 'member {"fields": ["name", "phone"]}', 'audited: which fields, not what they say');
select is(pg_temp.end_of(:'ming', format($$ (name, phone) from public.update_member_profile(%L, null, '00886900000002') $$, :'ming_id')), '(Ming,+886900000002)', 'the same again');
select is(pg_temp.audited('member.updated'), 1::bigint, 'is no change');
select is(pg_temp.end_of(:'ming', format($$ (name, phone, email) from public.update_member_profile(%L, null, '', '') $$, :'ming_id')), '(Ming,,)', 'an empty phone and e-mail are erased');
select is(pg_temp.end_of(:'admin', format($$ (name, phone, email) from public.update_member_profile(%L, 'Ming 2', '+886900000003', 'Ming@Fixture.example') $$, :'ming_id')),
  '("Ming 2",+886900000003,ming@fixture.example)', 'an admin changes anybody');
select fx.make_user('victim@fixture.example') as victim \gset
update auth.users set phone = '886900000009', phone_confirmed_at = now() where id = :'victim';
select is(pg_temp.end_of(c.caller, c.call), c.expected, c.call)
from (values
  (:'ming', format('public.update_member_profile(%L, %L)', :'ming_id', ' '), 'PT400 MALFORMED_ARGUMENT'),
  (:'ming', format('public.update_member_profile(%L, null, %L)', :'ming_id', '12'), 'PT400 MALFORMED_ARGUMENT'),
  (:'ming', format('public.update_member_profile(%L, null, null, %L)', :'ming_id', 'a b@c'), 'PT400 MALFORMED_ARGUMENT'),
  (:'ming', format('public.update_member_profile(%L, null, %L)', :'ming_id', '+886900000001'), 'PT409 PHONE_ALREADY_REGISTERED'),
  (:'ming', format('public.update_member_profile(%L, null, null, %L)', :'ming_id', 'hua@fixture.example'), 'PT409 EMAIL_ALREADY_REGISTERED'),
  (:'ming', format('public.update_member_profile(%L, null, %L)', :'ming_id', '+886900000009'), 'PT409 PHONE_ALREADY_REGISTERED'),
  (:'ming', format('public.update_member_profile(%L, null, null, %L)', :'ming_id', 'Victim@fixture.example'), 'PT409 EMAIL_ALREADY_REGISTERED'),
  (:'admin', format('public.update_member_profile(%L, null, %L)', :'ming_id', '+886900000001'), 'PT409 PHONE_ALREADY_REGISTERED')) as c (caller, call, expected);
select is(pg_temp.end_of(:'ming', format($$ (email) from public.update_member_profile(%L, null, null, 'someone@fixture.example') $$, :'ming_id')), 'someone@fixture.example', 'an e-mail of nobody may be named');
select fx.make_user('someone@fixture.example') as someone \gset
select is(left(pg_temp.end_of(:'someone', $$ (name, email) from public.register_member('S') $$), 25), '(S,someone@fixture.exampl', 'until its owner registers, who has confirmed it');
select is((pg_temp.member(:'ming_id')).auth_user_id, :'ming'::uuid, 'and is not thereby this member');
select is((pg_temp.member(:'ming_id')).email, null, 'who has it no more');
select is(pg_temp.end_of(:'admin', format($$ (email) from public.update_member_profile(%L, null, null, 'ming@fixture.example') $$, :'ming_id')), 'ming@fixture.example', 'an admin sets it right');

select fx.make_user('slow@fixture.example') as slow \gset
update auth.users set phone = '886900000010', email_confirmed_at = null where id = :'slow';
select fx.make_user('worker@fixture.example') as worker \gset
update auth.users set is_sso_user = true where id = :'worker';
select is(pg_temp.end_of(:'ming', format('(phone) from public.update_member_profile(%L, null, %L)', :'ming_id', '+886900000010')), '+886900000010',
  'a phone that a user only claims is not his yet');
select is(pg_temp.end_of(:'ming', format('(email) from public.update_member_profile(%L, null, null, %L)', :'ming_id', c.email)), c.email, c.why)
from (values ('slow@fixture.example', 'nor is an e-mail'), ('worker@fixture.example', 'a company''s sign-on proves no e-mail'),
  ('ming@fixture.example', 'what the caller himself has confirmed is his')) as c (email, why);
update auth.users set phone = '886900000011', phone_confirmed_at = now() where id = :'ming';
select is(pg_temp.end_of(:'ming', format('(phone) from public.update_member_profile(%L, null, %L)', :'ming_id', '+886900000011')), '+886900000011', 'his phone too');
select is(pg_temp.end_of(:'ming', format('public.update_member_profile(%L, null, null, %L)', :'ming_id', e'a\x01b@fixture.example')), 'PT400 MALFORMED_ARGUMENT',
  'control characters are no part of an e-mail');

-- Finding.
update app.member_profiles set name = '100% _Ming\' where id = :'ming_id';
select fx.act_as(:'admin') \g /dev/null
select is((select string_agg(s.member_id::text, ' ') from public.search_members(c.keyword) s), c.expected, 'searching ' || c.keyword)
from (values
  (' 100% _ming\ ', :'ming_id'), ('100', :'ming_id'), ('100_', null), ('%', null), ('_', null), ('\', null), ('ming\', null), ('MING@', :'ming_id'),
  ('+886900000001', :'mei_id'), ('886 900-000 001', :'mei_id'), ('(886)', :'ming_id' || ' ' || :'mei_id'), ('-', null), ('900000001', null),
  (lower((pg_temp.member(:'hua_id')).member_no), :'hua_id'), ('HU', :'hua_id')) as c (keyword, expected);
select is((select count(*) from public.search_members('M0', 2)), 2::bigint, 'at most so many');
select fx.make_member('first@zeta.example') as zeta_c \gset
select fx.make_member('second@zeta.example') as zeta_a \gset
select fx.make_member('third@zeta.example') as zeta_b \gset
update app.member_profiles m set name = z.name, phone = z.phone
from (values (fx.member_id(:'zeta_c'), 'Zeta C', '+999000003'), (fx.member_id(:'zeta_a'), 'Zeta A', '+999000001'), (fx.member_id(:'zeta_b'), 'Zeta B', '+999000002')) as z (id, name, phone)
where m.id = z.id;
select is((select string_agg(s.name, ' ') from public.search_members(c.keyword, c.rows) s), c.expected, format('%s of %s: %s', c.rows, c.keyword, c.expected))
from (values ('zeta', 1, 'Zeta A'), ('zeta', 2, 'Zeta A Zeta B'), ('zeta', 3, 'Zeta C Zeta A Zeta B'), ('999', 1, 'Zeta A'), ('999', 2, 'Zeta A Zeta B')) as c (keyword, rows, expected);
select is(pg_temp.end_of(:'admin', c.call), 'PT400 MALFORMED_ARGUMENT', c.call)
from (values
  ('public.search_members(null)'), ('public.search_members('' '')'), ('public.search_members(repeat(''x'', 101))'), ('public.search_members(E''a\nb'')'),
  ('public.search_members(''x'', 0)'), ('public.search_members(''x'', 201)'), ('public.get_all_members(0)'), ('public.get_all_members(201)'),
  ('public.get_all_members(1, -1)'), ('public.get_all_members(1, 0, ''gone'')')) as c (call);
update app.member_profiles set status = 'suspended' where id = :'hua_id';
select is((select array_agg(a.member_id) from public.get_all_members() a), (select array_agg(m.id order by m.id desc) from app.member_profiles m), 'all members, newest first');
select is((select array_agg(a.member_id) from public.get_all_members(2, 1) a), (select (array_agg(m.id order by m.id desc))[2:3] from app.member_profiles m), 'in pages');
select is((select array_agg(a.member_id) from public.get_all_members(null, null, 'suspended') a), array[:'hua_id'::uuid], 'of one status');
select is((select count(*) from public.get_all_members(null, null, 'deleted') a), 0::bigint, 'none yet deleted');
set local enable_seqscan = off;
create function pg_temp.plan(p_statement text) returns text language plpgsql as $$
declare
  v_line text;
  v_plan text := '';
begin
  for v_line in execute 'explain (costs off) ' || p_statement loop
    v_plan := v_plan || v_line || e'\n';
  end loop;
  return v_plan;
end;
$$;
select is(c.index, (regexp_match(pg_temp.plan(format('select from %s where %s like rules.like_prefix(%L)', c.rel, c.field, 'abc')), c.index))[1],
  c.index || ' serves searches by prefix')
from (values
  ('app.member_profiles', 'member_no', 'member_profiles_by_member_no_prefix'), ('app.member_profiles', 'phone', 'member_profiles_by_phone_prefix'),
  ('app.member_profiles', 'email', 'member_profiles_by_email_prefix'), ('app.member_profiles', 'lower(name)', 'member_profiles_by_name_prefix'),
  ('app.cards', 'card_no', 'cards_by_card_no_prefix'), ('app.cards', 'name is not null and lower(name)', 'cards_by_name_prefix')) as c (rel, field, index);
reset enable_seqscan;

-- Deleting: what keeps a member.
select fx.make_member('gone@fixture.example', 30, 1200) as gone \gset
select fx.member_id(:'gone') as gone_id \gset
select (pg_temp.member(:'gone_id')).member_no as gone_no \gset
select fx.standard_card(:'gone') as gone_card \gset
update app.member_profiles set phone = '+886900000077', name = 'Forgetme' where id = :'gone_id';
select fx.make_card('prepaid', 0, 0.9) as family \gset
select fx.bind(:'family', :'gone', 'owner'), fx.bind(:'family', :'hua', 'member') \g /dev/null
select fx.make_card('corporate', 70) as firm \gset
select fx.bind(:'firm', :'hua', 'owner'), fx.bind(:'firm', :'gone', 'member') \g /dev/null
select fx.make_card('prepaid') as lonely \gset
select fx.bind(:'lonely', :'gone', 'owner') \g /dev/null
update app.cards set name = 'Forgetme''s purse' where id = :'lonely';
select fx.make_card('voucher', 0, null, :'gone') as voucher \gset
select pg_temp.end_of('service', format('public.bind_external_identity(%L, %L, %L, %L)', :'gone_id', 'line', 'line-forgetme', '{"nick": "Forgetme"}')) \g /dev/null
select fx.enroll(:'gone', :'firm') \g /dev/null
update app.payment_devices set label = 'Forgetme''s phone' where card_id = :'firm';
select fx.code(:'gone') as code \gset
select fx.code(:'gone', :'firm') as firm_code \gset
select is(pg_temp.end_of(:'gone', format('public.delete_member(%L)', :'gone_id')), 'PT409 CARD_BALANCE_NOT_ZERO', 'who has money on a card of his own stays');
select fx.credit(:'gone_card', -30) \g /dev/null
select fx.credit(:'voucher', 5) \g /dev/null
select is(pg_temp.end_of(:'gone', format('public.delete_member(%L)', :'gone_id')), 'PT409 CARD_BALANCE_NOT_ZERO', 'or on a voucher');
select fx.credit(:'voucher', -5), fx.credit(:'lonely', 5) \g /dev/null
select is(pg_temp.end_of(:'gone', format('public.delete_member(%L)', :'gone_id')), 'PT409 CARD_BALANCE_NOT_ZERO', 'or on a card that he shares with nobody');
select fx.credit(:'lonely', -5) \g /dev/null
select is(pg_temp.end_of(:'gone', format('public.delete_member(%L)', :'gone_id')), 'PT409 CANNOT_REMOVE_LAST_OWNER', 'the last owner of a shared card stays');
update app.card_bindings set role = 'owner' where card_id = :'family' and member_id = :'hua_id';
update app.member_profiles set status = 'suspended' where id = :'gone_id';
select is(pg_temp.end_of(:'gone', format('public.delete_member(%L)', :'gone_id')), 'PT409 MEMBER_NOT_ACTIVE', 'a suspended member does not delete himself');
update app.member_profiles set status = 'active' where id = :'gone_id';

-- Deleting.
select is(pg_temp.end_of(:'gone', format('public.delete_member(%L)', :'gone_id')), 'true', 'a member deletes himself');
select results_eq(format('select m.name, m.phone, m.email, m.auth_user_id, m.status, m.member_no from app.member_profiles m where m.id = %L', :'gone_id'),
  format('values (%1$L, null::text, null::text, null::uuid, %2$L, %1$L)', :'gone_no', 'deleted'), 'his number is all that is left of him');
create function pg_temp.tables_that_know(p_text text) returns text language plpgsql as $$
declare
  v_table regclass;
  v_known boolean;
  v_tables text := '';
begin
  for v_table in
    select c.oid::regclass from pg_catalog.pg_class c
    where c.relnamespace in ('app'::regnamespace, 'audit'::regnamespace, 'sec'::regnamespace) and c.relkind in ('r', 'p') and not c.relispartition
    order by c.oid::regclass::text
  loop
    execute format('select exists (select from %s t where to_jsonb(t)::text ~* %L)', v_table, p_text) into v_known;
    v_tables := v_tables || case when v_known then v_table::text || ' ' else '' end;
  end loop;
  return v_tables;
end;
$$;
select is(pg_temp.tables_that_know('forgetme|gone@|886900000077'), '', 'no table knows his name, phone, e-mail or identity any more');
select is(pg_temp.tables_that_know(:'ming_id'), 'app.card_bindings app.cards app.external_identities app.member_notices app.member_profiles ', 'which such a search would find');
select results_eq(format('select c.status, c.points, c.level, c.balance, c.name from app.cards c where c.id in (%L, %L, %L) order by c.card_no', :'gone_card', :'lonely', :'voucher'),
  $$ values ('closed', 0::bigint, 0, 0.00, null::text), ('closed', 1200::bigint, 1, 0.00, null), ('closed', 0::bigint, 0, 0.00, null) $$,
  'the cards that were his alone are closed, points and all');
select is((select array_agg(b.card_id order by b.card_id) from app.card_bindings b where b.member_id = :'gone_id'),
  (select array_agg(i order by i) from unnest(array[:'gone_card', :'lonely', :'voucher']::uuid[]) i), 'he is bound to no card of others');
select is((select string_agg(c.status, ' ') from app.cards c where c.id in (:'family', :'firm')), 'active active', 'which go on');
select is((select count(*) from app.payment_codes p where p.member_id = :'gone_id' and p.revoked_at is null), 0::bigint, 'his codes are revoked');
select is((select count(*) from app.payment_devices d where d.member_id = :'gone_id' and (d.revoked_at is null or d.label is not null)), 0::bigint, 'and his devices');
select is((select e.actor_role || ' ' || e.object_id || ' ' || e.params::text from audit.event_log e where e.action = 'member.deleted'), 'member ' || :'gone_no' || ' {}', 'it is audited');
select is(pg_temp.audited('card.closed'), 3::bigint, 'and so is each card closed');
select is(pg_temp.end_of(:'gone', format('public.get_member_detail(%L)', :'gone_id')), 'PT404 MEMBER_NOT_FOUND', 'he is nobody here');
select is(pg_temp.end_of(:'admin', format('(status, is_linked, cards) from public.get_member_detail(%L)', :'gone_id')), '(deleted,f,3)', 'an admin still finds his number');
select is(pg_temp.end_of(:'admin', format('public.delete_member(%L)', :'gone_id')), 'false', 'who is gone is not deleted again');
select is(pg_temp.end_of(c.caller, c.call), 'PT409 MEMBER_NOT_ACTIVE', c.call || ' of a deleted member')
from (values
  (:'admin', format('public.update_member_profile(%L, %L)', :'gone_id', 'X')), (:'admin', format('public.link_member_auth_user(%L, %L)', :'gone_id', :'gone')),
  ('service', format('public.bind_external_identity(%L, %L, %L)', :'gone_id', 'line', 'x')), (:'admin', format('public.admin_activate_member(%L)', :'gone_id')),
  (:'admin', format('public.create_prepaid_card(%L)', :'gone_id'))) as c (caller, call);
select is(fx.refusal(format('insert into app.card_bindings (card_id, member_id, role) values (%L, %L, %L)', :'family', :'gone_id', 'viewer')),
  'PT409 MEMBER_NOT_ACTIVE', 'nothing binds a deleted member to a card');
select is(left(pg_temp.end_of(:'gone', $$ (name, email, created) from public.register_member('Anew', '+886900000077') $$), 32), '(Anew,gone@fixture.example,t)', 'the user may begin anew, as another member');
select isnt(fx.member_id(:'gone'), :'gone_id'::uuid, 'who is not the old one');
select is(pg_temp.end_of(:'admin', format('public.delete_member(%L)', fx.member_id(:'gone'))), 'true', 'an admin deletes anybody');
select pg_temp.end_of('service', $$ public.create_member_profile('Never', null, null, 'wechat', 'x-suspended') $$) as never_id \gset
update app.member_profiles set status = 'suspended' where id = :'never_id';
select is(pg_temp.end_of(:'admin', format('public.delete_member(%L)', :'never_id')), 'true', 'also a suspended one');
select is((select count(*) from public.get_all_members(null, null, 'deleted') a), 3::bigint, 'and all three are listed') from fx.act_as(:'admin');

-- What a closed shared card does not keep.
select fx.make_member('first@fixture.example') as first \gset
select fx.make_card('prepaid') as over \gset
select fx.bind(:'over', :'first', 'owner'), fx.bind(:'over', :'hua', 'member') \g /dev/null
update app.cards set status = 'closed' where id = :'over';
select is(pg_temp.end_of(:'first', format('public.delete_member(%L)', fx.member_id(:'first'))), 'true', 'a closed card needs no owner');

-- The rules of the books.
select is_empty('select * from app.member_violations()', 'no rule about members is broken');
create function pg_temp.violation_of(p_change text) returns text language plpgsql as $$
declare
  v_rules text;
begin
  execute p_change;
  select string_agg(distinct v.rule, ' ' order by v.rule) into v_rules from app.member_violations() v;
  raise exception 'undone' using detail = coalesce(v_rules, 'none');
exception when raise_exception then
  get stacked diagnostics v_rules = pg_exception_detail;
  return v_rules;
end;
$$;
select is(pg_temp.violation_of(c.change), c.rule, c.rule || ' is found')
from (values
  (format('alter table app.cards disable trigger rows_are_never_deleted; delete from app.card_bindings where card_id = %L; delete from app.cards where id = %1$L', fx.standard_card(:'someone')), 'member_has_one_standard_card'),
  (format('delete from app.card_bindings where card_id = %L', fx.standard_card(:'someone')), 'personal_card_has_its_owner'),
  (format('insert into app.card_bindings (card_id, member_id, role) values (%L, %L, %L)', fx.standard_card(:'someone'), :'hua_id', 'viewer'), 'personal_card_is_its_members_alone'),
  (format('update app.member_profiles set name = %L where id = %L', 'X', :'gone_id'), 'deleted_member_is_erased'),
  (format('update app.member_profiles set phone = %L where id = %L', '+886911111111', :'gone_id'), 'deleted_member_is_erased'),
  (format('update app.member_profiles set auth_user_id = %L where id = %L', :'victim', :'gone_id'), 'deleted_member_is_erased'),
  (format('insert into app.external_identities values (%L, %L, %L, %L, now())', :'gone_id', 'line', 'x', '{}'), 'deleted_member_is_erased'),
  (format('update app.payment_devices set label = %L where member_id = %L', 'x', :'gone_id'), 'deleted_member_is_erased'),
  (format('update app.cards set status = %L where id = %L', 'active', :'gone_card'), 'deleted_member_has_closed_cards_only'),
  (format('update app.payment_codes set revoked_at = null where member_id = %L and card_id = %L', :'gone_id', :'firm'), 'deleted_member_has_no_open_code')) as c (change, rule);
select * from finish();
rollback;
