-- What a card's status may become, and who may change it.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(47);

select fx.make_member('owner@fixture.example', 100) as owner \gset
select fx.make_member('stranger@fixture.example') as stranger \gset
select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.standard_card(:'owner') as card \gset
select fx.make_card('prepaid') as shared \gset
select fx.bind(:'shared', :'owner', 'owner');
select fx.bind(:'shared', :'stranger', 'member');

create function pg_temp.call(p_user uuid, p_rpc text, p_card uuid) returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select public.%I(%L)', p_rpc, p_card)) $$;
create function pg_temp.move(p_card uuid, p_from text, p_admin uuid, p_rpc text) returns text language plpgsql as $$
declare
  v_answer text;
begin
  update app.cards set status = p_from, balance = 0 where id = p_card;
  v_answer := pg_temp.call(p_admin, p_rpc, p_card);
  if v_answer = 'no refusal' then
    v_answer := (select c.status from app.cards c where c.id = p_card);
  end if;
  return v_answer;
end;
$$;

-- Every move from every status; the card's status afterwards, or the refusal.
select is(pg_temp.move(:'shared', m.status, :'admin', m.rpc), m.expected, format('%s of a card that is %s', m.rpc, m.status))
from (values
  ('freeze_card', 'active', 'frozen'), ('freeze_card', 'frozen', 'PT409 CARD_STATUS_CONFLICT'),
  ('freeze_card', 'lost', 'PT409 CARD_STATUS_CONFLICT'), ('freeze_card', 'expired', 'PT409 CARD_STATUS_CONFLICT'),
  ('freeze_card', 'closed', 'PT409 CARD_STATUS_CONFLICT'),
  ('unfreeze_card', 'active', 'PT409 CARD_STATUS_CONFLICT'), ('unfreeze_card', 'frozen', 'active'),
  ('unfreeze_card', 'lost', 'active'), ('unfreeze_card', 'expired', 'PT409 CARD_STATUS_CONFLICT'),
  ('unfreeze_card', 'closed', 'PT409 CARD_STATUS_CONFLICT'),
  ('report_card_lost', 'active', 'lost'), ('report_card_lost', 'frozen', 'lost'),
  ('report_card_lost', 'lost', 'PT409 CARD_STATUS_CONFLICT'), ('report_card_lost', 'expired', 'PT409 CARD_STATUS_CONFLICT'),
  ('report_card_lost', 'closed', 'PT409 CARD_STATUS_CONFLICT'),
  ('close_card', 'active', 'closed'), ('close_card', 'frozen', 'closed'), ('close_card', 'lost', 'closed'),
  ('close_card', 'expired', 'closed'), ('close_card', 'closed', 'PT409 CARD_STATUS_CONFLICT')
) as m (rpc, status, expected);

-- Who.
update app.cards set status = 'active' where id = :'shared';
select is(pg_temp.call(w.user_id::uuid, w.rpc, w.card::uuid), w.expected, format('%s by %s', w.rpc, w.who))
from (values
  ('freeze_card', 'the owner', :'owner', :'shared', 'no refusal'),
  ('unfreeze_card', 'the owner', :'owner', :'shared', 'PT403 PERMISSION_DENIED'),
  ('unfreeze_card', 'an admin', :'admin', :'shared', 'no refusal'),
  ('freeze_card', 'a member of the card', :'stranger', :'shared', 'PT403 PERMISSION_DENIED'),
  ('report_card_lost', 'a member of the card', :'stranger', :'shared', 'PT403 PERMISSION_DENIED'),
  ('report_card_lost', 'the owner', :'owner', :'shared', 'no refusal'),
  ('unfreeze_card', 'an admin, of a lost card', :'admin', :'shared', 'no refusal'),
  ('close_card', 'the owner', :'owner', :'shared', 'PT403 PERMISSION_DENIED'),
  ('freeze_card', 'a stranger', :'stranger', :'card', 'PT404 CARD_NOT_FOUND'),
  ('report_card_lost', 'a stranger', :'stranger', :'card', 'PT404 CARD_NOT_FOUND'),
  ('freeze_card', 'an admin, of no card', :'admin', '00000000-0000-0000-0000-000000000000', 'PT404 CARD_NOT_FOUND'),
  ('close_card', 'an admin, with money on the card', :'admin', :'card', 'PT409 CARD_BALANCE_NOT_ZERO'),
  ('freeze_card', 'nobody', null, :'card', 'PT401 NOT_AUTHENTICATED'),
  ('close_card', 'nobody', null, :'card', 'PT401 NOT_AUTHENTICATED')
) as w (rpc, who, user_id, card, expected);
select is((select count(*)::int from audit.event_log where action like 'card.%' and object_id = (select card_no from app.cards where id = :'shared')), 13,
  'every move is audited, no refusal is');

-- Expiry.
create function pg_temp.expire(p_user uuid, p_card uuid, p_at text) returns text language sql as $$
  select fx.refusal_as('authenticated', p_user, format('select public.set_card_expiry(%L, %s)', p_card, p_at)) $$;
update app.cards set status = 'expired', expires_at = now() - interval '1 day' where id = :'shared';
select is(pg_temp.expire(:'owner', :'shared', 'now() + interval ''1 day'''), 'PT403 PERMISSION_DENIED', 'an owner sets no expiry');
select is(pg_temp.expire(:'admin', :'shared', 'now() - interval ''1 second'''), 'PT400 MALFORMED_ARGUMENT', 'an expiry lies ahead');
select is(pg_temp.expire(:'admin', :'shared', '''infinity'''), 'PT400 MALFORMED_ARGUMENT', 'and is a date');
select is(pg_temp.expire(:'admin', :'shared', 'now() + interval ''1 day'''), 'no refusal', 'an admin sets one');
select is((select c.status from app.cards c where c.id = :'shared'), 'active', 'and the expired card is active again');
select is(pg_temp.expire(:'admin', :'shared', 'null'), 'no refusal', 'or none');
select is((select c.expires_at from app.cards c where c.id = :'shared'), null, 'which is for ever');
update app.cards set status = 'expired', status_before_expiry = w.status, expires_at = now() - interval '1 day'
from (values ('lost')) as w (status) where id = :'shared';
select is(pg_temp.expire(:'admin', :'shared', 'now() + interval ''1 day'''), 'no refusal', 'a card that was lost when it expired gets an expiry');
select is((select c.status from app.cards c where c.id = :'shared'), 'lost', 'and is lost again');
update app.cards set status = 'frozen' where id = :'shared';
select is(pg_temp.expire(:'admin', :'shared', 'now() + interval ''1 day'''), 'no refusal', 'a frozen card gets one');
select is((select c.status from app.cards c where c.id = :'shared'), 'frozen', 'and stays frozen');
update app.cards set status = 'closed' where id = :'shared';
select is(pg_temp.expire(:'admin', :'shared', 'now() + interval ''1 day'''), 'PT409 CARD_STATUS_CONFLICT', 'a closed card none');

select * from finish();
rollback;
