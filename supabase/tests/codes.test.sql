-- Issuing and ending online payment codes.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(34);

select fx.make_member('payer@fixture.example', 100) as payer \gset
select fx.make_member('stranger@fixture.example', 100) as stranger \gset
select fx.make_member('viewer@fixture.example') as viewer \gset
select fx.standard_card(:'payer') as card \gset

create function pg_temp.rotate_as(p_user uuid, p_card uuid, p_ttl int default 60) returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select * from public.rotate_card_qr(%L, %L)', p_card, p_ttl)) $$;
create function pg_temp.is_live(p_code text) returns boolean language sql as $$
  select fx.refusal(format('select app.find_payment_code(%L)', p_code)) = 'no refusal' $$;

select is(pg_temp.rotate_as(:'payer', :'card'), 'PT503 NOT_CONFIGURED', 'without a master key no code is issued');
select sec.draw_master_key();

select fx.code(:'payer') as code \gset
select is(rules.code_kind(:'code'), 'online', 'a code is 24 digits with prefix 70 and a right check digit');
select ok(pg_temp.is_live(:'code'), 'a fresh code is live');
select is((select extract(epoch from c.expires_at - c.issued_at)::int from app.payment_codes c), 900, 'for 900 seconds unless asked otherwise');
select is((select count(*)::int from app.payment_codes c where to_jsonb(c)::text like '%' || substr(:'code', 3, 21) || '%'), 0,
  'its digits are stored nowhere');
select is((select count(*)::int from audit.event_log e where e.action = 'code.issued' and e::text not like '%' || :'code' || '%'), 1,
  'issuing is audited without the code');
select is((select c.code_hash from app.payment_codes c), rules.code_hash(sec.secret('mps_master_key_1'), :'code'),
  'what is stored is the keyed hash');

select fx.code(:'payer', null, 60) as newer \gset
select ok(not pg_temp.is_live(:'code'), 'a newer code ends the same member''s earlier one');
select ok(pg_temp.is_live(:'newer'), 'and is live itself');
select isnt(:'code'::text, :'newer'::text, 'two codes differ');

select is(pg_temp.rotate_as(:'payer', :'card', 59), 'PT422 INVALID_TTL', '59 seconds are too few');
select is(pg_temp.rotate_as(:'payer', :'card', 86401), 'PT422 INVALID_TTL', '86401 seconds are too many');
select is(pg_temp.rotate_as(:'payer', :'card', null), 'PT422 INVALID_TTL', 'no lifetime is no lifetime');
select is(pg_temp.rotate_as(:'payer', :'card', 86400), 'no refusal', '86400 seconds are allowed');
select is(pg_temp.rotate_as(:'payer', :'card', 60), 'no refusal', '60 seconds are allowed');

select is(pg_temp.rotate_as(:'stranger', :'card'), 'PT404 CARD_NOT_FOUND', 'a stranger gets no code for the card');
select is(pg_temp.rotate_as(:'stranger', gen_random_uuid()), 'PT404 CARD_NOT_FOUND', 'nor for a card that is not there');
select is(pg_temp.rotate_as(:'stranger', null), 'PT404 CARD_NOT_FOUND', 'nor for none');
select is(pg_temp.rotate_as(fx.make_user('nobody@fixture.example'), :'card'), 'PT404 CARD_NOT_FOUND', 'nor does a user who is no member');
select fx.bind(:'card', :'viewer', 'viewer');
select is(pg_temp.rotate_as(:'viewer', :'card'), 'PT403 PERMISSION_DENIED', 'a viewer sees the card and does not pay');

-- Shared cards.
select fx.make_card('prepaid', 100) as shared \gset
select fx.bind(:'shared', :'payer', 'owner');
select fx.bind(:'shared', :'stranger', 'member');
select fx.code(:'payer', :'shared') as payers_code \gset
select fx.code(:'stranger', :'shared') as strangers_code \gset
select ok(pg_temp.is_live(:'payers_code') and pg_temp.is_live(:'strangers_code'), 'people who share a card do not end each other''s codes');

-- Ending.
select fx.act_as(:'payer');
select ok(public.revoke_card_qr(:'shared'), 'revoking a live code says so');
select ok(not pg_temp.is_live(:'payers_code'), 'and ends it');
select ok(pg_temp.is_live(:'strangers_code'), 'but nobody else''s');
select ok(not public.revoke_card_qr(:'shared'), 'there is nothing to revoke a second time');
select is((select count(*)::int from audit.event_log where action = 'code.revoked'), 1, 'revoking is audited once');
select fx.code(:'payer', :'shared') as old_code \gset
select fx.age_code(:'old_code');
select fx.act_as(:'payer');
select ok(not public.revoke_card_qr(:'shared'), 'an expired code was not live');
select is(fx.refusal_as('authenticated', :'viewer', format('select public.revoke_card_qr(%L)', :'shared')),
  'PT404 CARD_NOT_FOUND', 'nobody revokes on a card he is not bound to');

-- Status of card and member.
update app.cards set status = 'frozen' where id = :'card';
select is(pg_temp.rotate_as(:'payer', :'card'), 'PT409 CARD_NOT_ACTIVE', 'a frozen card gets no code');
update app.cards set status = 'active', expires_at = now() - interval '1 second' where id = :'card';
select is(pg_temp.rotate_as(:'payer', :'card'), 'PT409 CARD_EXPIRED', 'nor does one past its expiry');
update app.cards set expires_at = null where id = :'card';
update app.member_profiles set status = 'suspended' where auth_user_id = :'payer';
select is(pg_temp.rotate_as(:'payer', :'card'), 'PT409 MEMBER_NOT_ACTIVE', 'nor does a suspended member');
update app.member_profiles set status = 'active' where auth_user_id = :'payer';

-- Keys.
select fx.code(:'payer') as under_first_key \gset
select sec.draw_master_key();
select ok(pg_temp.is_live(:'under_first_key'), 'a new master key leaves codes of the old one valid');
select fx.code(:'stranger');
select is((select max(c.key_id)::int from app.payment_codes c), 2, 'new codes use the new key');
update sec.master_keys set retired_at = now() where key_id = 1;
select ok(not pg_temp.is_live(:'under_first_key'), 'a retired key verifies nothing');

select * from finish();
rollback;
