-- Links that lead to nobody, and phones and e-mails that somebody only claimed.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
create function pg_temp.registers(p_user uuid, p_phone text default null) returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select concat_ws(' ', r.member_no, r.created, r.phone, r.email) from public.register_member('Somebody', p_phone) r);
exception when others then
  return sqlstate || ' ' || sqlerrm;
end;
$$;
create function pg_temp.confirm_phone(p_user uuid, p_phone text) returns void language sql as $$
  update auth.users set phone = p_phone, phone_confirmed_at = now() where id = p_user $$;
create function pg_temp.told(p_user uuid) returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select string_agg(n ->> 'kind', ' ' order by place) from public.get_user_profile() p, jsonb_array_elements(p.notices) with ordinality as e (n, place));
end;
$$;
create function pg_temp.last_audit() returns text language sql as $$
  select concat_ws(' ', e.actor_role, e.action, e.object_id, e.params) from audit.event_log e order by e.id desc limit 1 $$;

-- A dead link.
select fx.make_member('old@fixture.example', 50) as old_user \gset
select fx.member_id(:'old_user') as member_id \gset
select member_no from app.member_profiles where id = :'member_id' \gset
select fx.make_user('new-address@fixture.example') as new_user \gset
select fx.make_user('third@fixture.example') as third_user \gset
update app.member_profiles set phone = '+886900000001' where id = :'member_id';
select pg_temp.confirm_phone(:'new_user', '886900000001');
select is(fx.refusal_as('authenticated', :'admin', format('select public.link_member_auth_user(%L, %L)', :'member_id', :'third_user')), 'PT409 MEMBER_ALREADY_LINKED', 'a live link stays');
delete from auth.users where id = :'old_user';
select fx.act_as(:'admin') \g /dev/null
select is((select d.is_linked from public.get_member_detail(:'member_id') d), false, 'a link to nobody is none');
select is((select m.is_linked from public.search_members(:'member_no') m), false, 'in the search too');
select is((select m.is_linked from public.get_all_members() m where m.member_id = :'member_id'), false, 'and in the list');
select is(pg_temp.registers(:'new_user'), :'member_no' || ' f +886900000001 old@fixture.example', 'whoever has the member''s confirmed phone is linked anew');
select is(pg_temp.last_audit(), format('member member.linked %s {"instead_of_user_id": "%s"}', :'member_no', :'old_user'), 'which is audited');
select is((select c.balance from app.cards c where c.id = fx.standard_card(:'new_user')), 50.00, 'and has the card');
delete from auth.users where id = :'new_user';
select fx.act_as_service() \g /dev/null
select is(public.link_member_auth_user(:'member_id', :'third_user'), true, 'the service replaces a dead link');
select is(pg_temp.last_audit(), format('service member.linked %s {"user_id": "%s", "instead_of_user_id": "%s"}', :'member_no', :'third_user', :'new_user'), 'which is audited too');
select is(fx.refusal_as('service_role', null, format('select public.link_member_auth_user(%L, %L)', :'member_id', :'admin')), 'PT409 MEMBER_ALREADY_LINKED', 'and no live one');

-- Confirmed beats claimed.
select fx.make_user('claimant@fixture.example') as claimant \gset
select matches(pg_temp.registers(:'claimant', '+886900000002'), '^M[0-9]+ t [+]886900000002 ', 'somebody claims a phone');
select fx.make_user('owner@fixture.example') as owner \gset
select pg_temp.confirm_phone(:'owner', '886900000002');
select matches(pg_temp.registers(:'owner', '+886900000002'), '^M[0-9]+ t [+]886900000002 owner@', 'who confirmed it has it');
select is((select m.phone from app.member_profiles m where m.auth_user_id = :'claimant'), null, 'and the claimant no more');
select is((select string_agg(e.object_id || ' ' || (e.params ->> 'field'), ',') from audit.event_log e where e.action = 'member.contact_taken'),
  (select m.member_no || ' phone' from app.member_profiles m where m.auth_user_id = :'claimant'), 'which is audited');
select is((select count(*)::int from audit.event_log e where e::text like '%900000002%'), 0, 'without the phone');
select is(pg_temp.told(:'claimant'), 'phone_taken', 'the one is told');
select is(pg_temp.told(:'owner'), 'phone_given', 'and the other');
select is(pg_temp.told(:'third_user'), null, 'nobody else');
select fx.act_as(:'claimant') \g /dev/null
select is(fx.refusal_as('authenticated', :'claimant', format('select public.update_member_profile(%L, null, %L)', fx.member_id(:'claimant'), '+886900000002')),
  'PT409 PHONE_ALREADY_REGISTERED', 'it cannot be claimed back');

-- An e-mail, by who is a member already.
select fx.make_member('late@fixture.example') as late \gset
update auth.users set email = 'late2@fixture.example', email_confirmed_at = null where id = :'late';
update app.member_profiles set email = 'mine@fixture.example' where auth_user_id = :'claimant';
update auth.users set email = 'mine@fixture.example', email_confirmed_at = now() where id = :'late';
select is(fx.refusal_as('authenticated', :'late', format('select public.update_member_profile(%L, null, null, %L)', fx.member_id(:'late'), 'mine@fixture.example')), 'no refusal', 'a member who confirmed an e-mail gets it from who claimed it');
select is((select m.email from app.member_profiles m where m.auth_user_id = :'late'), 'mine@fixture.example', 'it is theirs');
select is((select m.email from app.member_profiles m where m.auth_user_id = :'claimant'), null, 'and the claimant''s no more');
select is(pg_temp.told(:'claimant'), 'phone_taken email_taken', 'who is told');

-- What an admin typed in for nobody's user is a link to be made, not a claim.
insert into app.member_profiles (name, phone) values ('Unlinked', '+886900000003');
select pg_temp.confirm_phone(:'late', '886900000003');
select is(fx.refusal_as('authenticated', :'late', format('select public.update_member_profile(%L, null, %L)', fx.member_id(:'late'), '+886900000003')), 'PT409 PHONE_ALREADY_REGISTERED', 'an unlinked member keeps theirs');
select * from finish();
rollback;
