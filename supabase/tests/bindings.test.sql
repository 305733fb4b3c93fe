-- Sharing a card: who binds whom, passwords and guesses.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_member('owner@fixture.example') as owner \gset
select fx.make_member('manager@fixture.example') as manager \gset
select fx.make_member('friend@fixture.example') as friend \gset
select fx.make_member('guest@fixture.example') as guest \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_card('prepaid', 100) as card \gset
select fx.bind(:'card', :'owner', 'owner');

create function pg_temp.bind_as(p_user uuid, p_member uuid, p_role text, p_password text default null, p_card uuid default null)
returns text language plpgsql as $$
declare
  v_bound text;
begin
  perform fx.act_as(p_user);
  execute format('select public.bind_member_to_card(%L, %L, %L, %L)',
    coalesce(p_card, (select c.id from app.cards c where c.card_type = 'prepaid' order by c.card_no limit 1)),
    fx.member_id(p_member), p_role, p_password) into v_bound;
  return v_bound;
exception when others then
  return sqlstate || ' ' || sqlerrm;
end;
$$;
create function pg_temp.unbind_as(p_user uuid, p_member uuid) returns text language plpgsql as $$
begin
  perform fx.act_as(p_user);
  return public.unbind_member_from_card((select c.id from app.cards c where c.card_type = 'prepaid' order by c.card_no limit 1), fx.member_id(p_member))::text;
exception when others then
  return sqlstate || ' ' || sqlerrm;
end;
$$;
create function pg_temp.roles() returns text language sql as $$
  select string_agg(m.name || ' ' || b.role, ', ' order by m.name) from app.card_bindings b
  join app.member_profiles m on m.id = b.member_id join app.cards c on c.id = b.card_id where c.card_type = 'prepaid' $$;

-- Passwords.
select is(pg_temp.bind_as(:'friend', :'friend', 'member', 'anything'), 'false', 'a card without a password cannot be self-bound');
select is(pg_temp.bind_as(:'friend', :'friend', 'member', null), 'false', 'not even without one');
create function pg_temp.set_password_as(p_user uuid, p_card uuid, p_password text) returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select public.set_card_binding_password(%L, %L)', p_card, p_password)) $$;
select is(pg_temp.set_password_as(:'owner', :'card', '12345'), 'PT422 PASSWORD_TOO_SHORT', 'five bytes are too few');
select is(pg_temp.set_password_as(:'owner', :'card', repeat('x', 73)), 'PT400 MALFORMED_ARGUMENT', '73 are too many for bcrypt');
select is(pg_temp.set_password_as(:'friend', :'card', '123456'), 'PT404 CARD_NOT_FOUND', 'a stranger sets none');
select is(pg_temp.set_password_as(:'owner', fx.standard_card(:'owner'), '123456'), 'PT422 CARD_TYPE_NOT_SHAREABLE', 'a standard card has none');
select is(pg_temp.set_password_as(:'owner', :'card', '123456'), 'no refusal', 'the owner sets one of six');
select matches((select c.binding_password_hash from app.cards c where c.id = :'card'), '^\$2[abxy]\$10\$', 'kept as bcrypt of cost 10');
select is((select count(*)::int from audit.event_log e where e.params::text like '%123456%'), 0, 'and logged nowhere');

-- Binding oneself.
select is(pg_temp.bind_as(:'friend', :'friend', 'admin', '123456'), 'PT403 PERMISSION_DENIED', 'the password makes nobody admin');
select is(pg_temp.bind_as(:'friend', :'friend', 'owner', '123456'), 'PT403 PERMISSION_DENIED', 'nor owner');
select is(pg_temp.bind_as(:'friend', :'guest', 'member', '123456'), 'PT404 CARD_NOT_FOUND', 'nor does it bind others');
select is(pg_temp.bind_as(:'friend', :'friend', 'king', '123456'), 'PT400 MALFORMED_ARGUMENT', 'roles are four');
select is(pg_temp.bind_as(:'friend', :'friend', 'member', '123456'), 'true', 'it makes a member');
select is(pg_temp.bind_as(:'guest', :'guest', 'viewer', '123456'), 'true', 'or a viewer');
select is(pg_temp.bind_as(:'guest', :'guest', 'member', '123456'), 'PT403 PERMISSION_DENIED', 'who does not raise himself');

-- Binding others.
select is(pg_temp.bind_as(:'owner', :'manager', 'admin'), 'true', 'an owner binds to any role');
select is(pg_temp.bind_as(:'manager', :'guest', 'member'), 'true', 'an admin changes viewer to member');
select is(pg_temp.bind_as(:'manager', :'guest', 'admin'), 'PT403 PERMISSION_DENIED', 'but makes no admin');
select is(pg_temp.bind_as(:'manager', :'owner', 'member'), 'PT403 PERMISSION_DENIED', 'and does not lower an owner');
select is(pg_temp.bind_as(:'friend', :'guest', 'viewer'), 'PT403 PERMISSION_DENIED', 'a member changes nobody');
select is(pg_temp.bind_as(:'owner', :'owner', 'member'), 'PT409 CANNOT_REMOVE_LAST_OWNER', 'the last owner stays owner');
select is(pg_temp.roles(), 'friend member, guest member, manager admin, owner owner', 'so far');
select is(pg_temp.bind_as(:'owner', :'friend', 'member', null, fx.standard_card(:'owner')), 'PT422 CARD_TYPE_NOT_SHAREABLE', 'a standard card is not shared');
select is(pg_temp.bind_as(:'admin', :'friend', 'viewer'), 'true', 'an admin of the house changes any role');
update app.member_profiles set status = 'suspended' where auth_user_id = :'friend';
select is(pg_temp.bind_as(:'owner', :'friend', 'member'), 'PT409 MEMBER_NOT_ACTIVE', 'a suspended member is not bound');
update app.member_profiles set status = 'active' where auth_user_id = :'friend';

-- Losing a role loses the code.
select fx.code(:'guest', :'card') as code \gset
select is(pg_temp.bind_as(:'owner', :'guest', 'viewer'), 'true', 'an owner makes a member viewer');
select is(pg_temp.bind_as(:'owner', :'guest', 'member'), 'true', 'and member again');
select is(fx.refusal(format('select app.find_payment_code(%L)', :'code')), 'PT409 QR_EXPIRED_OR_INVALID', 'whose code of before is dead');

-- Unbinding.
select fx.act_as(:'friend');
select is((select string_agg(b.name, ' ') from public.get_card_bindings(:'card') b), 'owner manager guest friend', 'whoever sees a card sees who shares it');
select is(pg_temp.unbind_as(:'friend', :'guest'), 'PT403 PERMISSION_DENIED', 'a viewer unbinds nobody');
select is(pg_temp.unbind_as(:'manager', :'owner'), 'PT403 PERMISSION_DENIED', 'an admin no owner');
select is(pg_temp.unbind_as(:'owner', :'owner'), 'PT409 CANNOT_REMOVE_LAST_OWNER', 'the last owner stays');
update app.member_profiles set status = 'suspended' where auth_user_id in (:'owner', :'friend');
select is(pg_temp.unbind_as(:'owner', :'guest'), 'PT409 MEMBER_NOT_ACTIVE', 'a suspended owner unbinds nobody');
savepoint suspended;
select is(pg_temp.unbind_as(:'friend', :'friend'), 'true', 'but a suspended member leaves');
rollback to savepoint suspended;
update app.member_profiles set status = 'active' where auth_user_id in (:'owner', :'friend');
select is(pg_temp.unbind_as(:'friend', :'friend'), 'true', 'anybody leaves');
select is(pg_temp.unbind_as(:'friend', :'guest'), 'PT404 CARD_NOT_FOUND', 'and is a stranger then');
select is(fx.refusal_as('authenticated', :'friend', format('select public.get_card_bindings(%L)', :'card')), 'PT404 CARD_NOT_FOUND', 'who sees nothing');
select fx.code(:'guest', :'card') as code \gset
select is(pg_temp.unbind_as(:'manager', :'guest'), 'true', 'an admin unbinds a member');
select is(pg_temp.unbind_as(:'manager', :'guest'), 'false', 'once');
select is(fx.refusal(format('select app.find_payment_code(%L)', :'code')), 'PT409 QR_EXPIRED_OR_INVALID', 'and his code is dead');
select is(pg_temp.bind_as(:'owner', :'friend', 'owner'), 'true', 'who asks a friend to own it too');
select is(pg_temp.unbind_as(:'owner', :'owner'), 'PT409 CANNOT_REMOVE_LAST_OWNER', 'which is an invitation and no owner yet');
select fx.act_as(:'friend') \g /dev/null
select is(public.accept_card_invitation(:'card'), true, 'until the friend accepts');
select is(pg_temp.unbind_as(:'owner', :'owner'), 'true', 'the first may go');
select is(pg_temp.roles(), 'friend owner, manager admin', 'in the end');

-- Guesses.
select is(string_agg(pg_temp.bind_as(:'guest', :'guest', 'member', 'wrong ' || g), ' '), 'false false false false false', 'five wrong passwords are wrong')
from generate_series(1, 5) g;
select is(pg_temp.bind_as(:'guest', :'guest', 'member', '123456'), 'PT423 BINDING_LOCKED', 'the sixth try is locked, though right');
select is(pg_temp.bind_as(:'owner', :'owner', 'member', '123456'), 'true', 'others are not');
update app.binding_attempts set locked_until = clock_timestamp() where locked_until is not null;
select is(pg_temp.bind_as(:'guest', :'guest', 'member', '123456'), 'true', 'after the lock the right one binds');
select is(pg_temp.unbind_as(:'guest', :'guest'), 'true', 'and out again');
select is(string_agg(pg_temp.bind_as(:'guest', :'guest', 'member', case when g = 5 then '123456' else 'wrong' end), ' '),
  'false false false false true', 'a right one ends the row') from generate_series(1, 5) g;
select is(pg_temp.unbind_as(:'guest', :'guest'), 'true', 'out again');
select is((select d.wrong from app.binding_attempt_days d where d.card_id = :'card'), 11, 'wrong ones of all callers count for the card''s day');
update app.binding_attempt_days set wrong = 49;
select is(pg_temp.bind_as(:'guest', :'guest', 'member', 'wrong'), 'false', 'the fiftieth of a day');
select is(pg_temp.bind_as(fx.make_member('late@fixture.example'), fx.make_member('late2@fixture.example'), 'member', '123456'), 'PT404 CARD_NOT_FOUND', 'changes nothing for strangers');
select fx.make_member('late3@fixture.example') as late \gset
select is(pg_temp.bind_as(:'late', :'late', 'member', '123456'), 'PT423 BINDING_LOCKED', 'but locks self-binding for everybody');

-- Guesses that were rolled back: PostgREST does so for a client who asks for one row of a wrong guess.
update app.binding_attempt_days set wrong = 0, locked_until = null;
create function pg_temp.tries(p_set bigint default null) returns bigint language plpgsql as $$
declare
  v_card_id uuid := (select c.id from app.cards c where c.card_type = 'prepaid' order by c.card_no limit 1);
  v_before bigint := (app.card_day(clock_timestamp()) - date '2000-01-01') * 1000000000::bigint;
  v_tries bigint;
begin
  if p_set is not null then
    perform setval(app.binding_tries_of(v_card_id)::regclass, v_before + p_set);
  end if;
  execute format('select last_value - %s from %s', v_before, app.binding_tries_of(v_card_id)) into v_tries;
  return v_tries;
end;
$$;
select pg_temp.tries() as tries \gset
savepoint guess;
select is(pg_temp.bind_as(:'late', :'late', 'member', 'wrong'), 'false', 'a wrong guess');
rollback to savepoint guess;
select is((select d.wrong from app.binding_attempt_days d where d.card_id = :'card'), 0, 'that was rolled back is in no row');
select is(pg_temp.tries(), :tries + 1::bigint, 'and counted all the same');
select is(pg_temp.tries(199), 199::bigint, 'after 199 of a day');
savepoint guess;
select is(pg_temp.bind_as(:'late', :'late', 'member', 'wrong'), 'false', 'there is one more');
rollback to savepoint guess;
select is(pg_temp.bind_as(:'late', :'late', 'member', '123456'), 'PT423 BINDING_LOCKED', 'and then the day is over, also for the right one');
rollback to savepoint guess;
select is(pg_temp.bind_as(:'late', :'late', 'member', '123456'), 'PT423 BINDING_LOCKED', 'whatever is rolled back');
select pg_temp.tries(-1000000000 + 5000);
select is(pg_temp.bind_as(:'late', :'late', 'member', '123456'), 'true', 'until the next day');
select is(pg_temp.tries(), 1::bigint, 'whose first guess it is');
select is(pg_temp.unbind_as(:'late', :'late'), 'true', 'out again');
select pg_temp.tries(1000000000 + 5000);
select is(pg_temp.bind_as(:'late', :'late', 'member', '123456'), 'true', 'a day that a clock set back has not reached locks nobody out');
select is(pg_temp.tries(), 1::bigint, 'and today begins anew');

select * from finish();
rollback;
