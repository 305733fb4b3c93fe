-- Owner only with consent: who is asked to own a card owns it when they accept.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_member('owner@fixture.example') as owner \gset
select fx.make_member('friend@fixture.example') as friend \gset
select fx.make_member('manager@fixture.example') as manager \gset
select fx.make_member('stranger@fixture.example') as stranger \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_card('prepaid', 100) as card \gset
select card_no from app.cards where id = :'card' \gset
select fx.bind(:'card', :'owner', 'owner'), fx.bind(:'card', :'manager', 'admin') \g /dev/null

create function pg_temp.as_user(p_user uuid, p_call text) returns text language plpgsql as $$
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
create function pg_temp.bind(p_user uuid, p_other uuid, p_role text) returns text language sql as $$
  select pg_temp.as_user(p_user, format('public.bind_member_to_card(%L, %L, %L)', (select c.id from app.cards c where c.card_type = 'prepaid'), fx.member_id(p_other), p_role)) $$;
create function pg_temp.answer(p_user uuid, p_rpc text) returns text language sql as $$
  select pg_temp.as_user(p_user, format('public.%s_card_invitation(%L)', p_rpc, (select c.id from app.cards c where c.card_type = 'prepaid'))) $$;
create function pg_temp.role(p_user uuid) returns text language sql as $$
  select coalesce((select b.role from app.card_bindings b join app.cards c on c.id = b.card_id where c.card_type = 'prepaid' and b.member_id = fx.member_id(p_user)), 'none') $$;
create function pg_temp.invited(p_user uuid) returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return (select string_agg(concat_ws(' ', i.card_no, coalesce(i.invited_by_name, '-'), extract(epoch from i.expires_at - i.invited_at)::int), ', ') from public.list_card_invitations() i);
end;
$$;

select is(pg_temp.answer(:'friend', 'accept'), 'PT404 INVITATION_NOT_FOUND', 'nobody accepts what they were not asked');
select is(pg_temp.bind(:'owner', :'friend', 'owner'), 'true', 'an owner asks a friend');
select is(pg_temp.role(:'friend'), 'none', 'who is none yet');
select is(pg_temp.as_user(:'friend', format('public.freeze_card(%L)', :'card')), 'PT404 CARD_NOT_FOUND', 'and may nothing');
select is(pg_temp.invited(:'friend'), :'card_no' || ' owner 604800', 'they see who asks, for seven days');
select is(pg_temp.invited(:'stranger'), null, 'nobody else does');
select is((select e.action from audit.event_log e order by e.id desc limit 1), 'card.owner_invited', 'it is audited');
select is(pg_temp.answer(:'stranger', 'accept'), 'PT404 INVITATION_NOT_FOUND', 'nor answers for them');
select is(pg_temp.answer(:'friend', 'decline'), 'true', 'the friend declines');
select is(pg_temp.answer(:'friend', 'decline'), 'PT404 INVITATION_NOT_FOUND', 'once');
select is(pg_temp.answer(:'friend', 'accept'), 'PT404 INVITATION_NOT_FOUND', 'and cannot accept any more');

select is(pg_temp.bind(:'owner', :'friend', 'member'), 'true', 'another role acts at once');
select is(pg_temp.role(:'friend'), 'member', 'as it did');
select is(pg_temp.bind(:'owner', :'friend', 'owner'), 'true', 'a member is asked too');
select is(pg_temp.role(:'friend'), 'member', 'and stays one meanwhile');
select is(pg_temp.answer(:'friend', 'accept'), 'true', 'they accept');
select is(pg_temp.role(:'friend'), 'owner', 'and own it');
select is(pg_temp.invited(:'friend'), null, 'no invitation is left');
select is((select e.action || ' ' || (e.params ->> 'role') from audit.event_log e order by e.id desc limit 1), 'card.bound owner', 'which is audited');
select is(pg_temp.bind(:'owner', :'friend', 'owner'), 'true', 'whoever owns it is not asked again');
select is((select count(*)::int from app.card_invitations), 0, 'for nothing');
select is(pg_temp.bind(:'friend', :'friend', 'viewer'), 'true', 'anybody steps back by themselves');

-- What ends an invitation.
select is(pg_temp.bind(:'manager', :'stranger', 'owner'), 'PT403 PERMISSION_DENIED', 'an admin of the card asks nobody');
select is(pg_temp.bind(:'owner', :'stranger', 'owner'), 'true', 'the owner does');
select is(pg_temp.as_user(:'manager', format('public.unbind_member_from_card(%L, %L)', :'card', fx.member_id(:'stranger'))), 'PT403 PERMISSION_DENIED', 'nor withdraws it');
select is(pg_temp.as_user(:'owner', format('public.unbind_member_from_card(%L, %L)', :'card', fx.member_id(:'stranger'))), 'true', 'the owner withdraws it');
select is(pg_temp.answer(:'stranger', 'accept'), 'PT404 INVITATION_NOT_FOUND', 'and it is over');
select is(pg_temp.bind(:'owner', :'stranger', 'owner'), 'true', 'asked again');
select is(pg_temp.bind(:'owner', :'stranger', 'viewer'), 'true', 'and given another role instead');
select is(pg_temp.answer(:'stranger', 'accept'), 'PT404 INVITATION_NOT_FOUND', 'the invitation is over');
select is(pg_temp.bind(:'owner', :'stranger', 'owner'), 'true', 'asked once more');
update app.card_invitations set invited_at = invited_at - interval '8 days', expires_at = expires_at - interval '8 days';
select is(pg_temp.invited(:'stranger'), null, 'after seven days it is not shown');
select is(pg_temp.answer(:'stranger', 'accept'), 'PT404 INVITATION_NOT_FOUND', 'nor accepted');
select is(pg_temp.bind(:'owner', :'stranger', 'owner'), 'true', 'but it can be renewed');
update app.card_bindings set role = 'admin' where member_id = fx.member_id(:'owner');
select is(pg_temp.answer(:'stranger', 'accept'), 'PT404 INVITATION_NOT_FOUND', 'who is no owner any more has asked nobody');
update app.card_bindings set role = 'owner' where member_id = fx.member_id(:'owner');
update app.cards set status = 'lost' where id = :'card';
select is(pg_temp.answer(:'stranger', 'accept'), 'PT409 CARD_NOT_ACTIVE', 'a lost card gets no owner');
update app.cards set status = 'active' where id = :'card';
update app.member_profiles set status = 'suspended' where auth_user_id = :'stranger';
select is(pg_temp.answer(:'stranger', 'accept'), 'PT409 MEMBER_NOT_ACTIVE', 'nor does one who is suspended own any');
update app.member_profiles set status = 'active' where auth_user_id = :'stranger';

-- Admins of the system ask too; what is the caller's own needs no invitation.
select is(pg_temp.bind(:'admin', :'stranger', 'owner'), 'true', 'an admin of the system asks');
select is(pg_temp.invited(:'stranger'), :'card_no' || ' - 604800', 'in nobody''s name');
select is(pg_temp.answer(:'stranger', 'accept'), 'true', 'which is accepted like any');
select fx.act_as(:'stranger') \g /dev/null
select is(public.delete_member(fx.member_id(:'stranger')), true, 'whoever goes takes their invitations along');
select is(pg_temp.answer(null, r.rpc), 'PT401 NOT_AUTHENTICATED', 'nobody answers') from (values ('accept'), ('decline')) as r (rpc);

select fx.act_as_service() \g /dev/null
select is_empty('select * from public.verify_ledger()', 'and the books are right');
select * from finish();
rollback;
