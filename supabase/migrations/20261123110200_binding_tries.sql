-- Guesses of a card's password are counted where no rollback undoes it: a client of PostgREST can have whatever did not answer as it
-- wished rolled back, and the rows that count wrong guesses with it.

create function app.binding_tries_of(p_card_id uuid)
returns text
language sql immutable
as $$ select 'sec.binding_tries_' || replace(p_card_id::text, '-', '') $$;
comment on function app.binding_tries_of(uuid) is 'The name of the sequence that counts the guesses of a card''s password.';

create function app.count_password_of_card()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if new.binding_password_hash is not null and to_regclass(app.binding_tries_of(new.id)) is null then
    execute format('create sequence %s', app.binding_tries_of(new.id));
  end if;
  return null;
end;
$$;
comment on function app.count_password_of_card() is 'A card with a password has a sequence that counts the guesses.';

create trigger cards_password_counted
after insert or update of binding_password_hash on app.cards
for each row when (new.binding_password_hash is not null)
execute function app.count_password_of_card();

update app.cards c set binding_password_hash = c.binding_password_hash where c.binding_password_hash is not null;

create function app.count_binding_try(p_card_id uuid)
returns void
language plpgsql
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_today date := app.card_day(v_now);
  v_tries regclass := to_regclass(app.binding_tries_of(p_card_id));
  -- The day is a part of the number: a guess of another day begins anew.
  v_before bigint := (v_today - date '2000-01-01') * 1000000000::bigint;
  v_try bigint := nextval(v_tries);
begin
  if v_try <= v_before or v_try > v_before + 999999999 then
    v_try := setval(v_tries, v_before + 1);
  end if;
  if v_try > v_before + 200 then
    perform rules.fail('BINDING_LOCKED', jsonb_build_object('retry_after_seconds',
      ceil(extract(epoch from (v_today + 1)::timestamp at time zone app.setting('time_zone') - v_now))::int));
  end if;
end;
$$;
comment on function app.count_binding_try(uuid) is
  'Counts a guess of a card''s password, whatever becomes of the transaction; from the 201st of a day on BINDING_LOCKED until the next day of the '
  'house. Under the card''s lock. A card without a password has nothing to guess.';
revoke execute on function app.binding_tries_of(uuid), app.count_password_of_card(), app.count_binding_try(uuid)
from public, anon, authenticated, service_role;

create or replace function app.check_binding_password(p_card app.cards, p_member_id uuid, p_password text) returns boolean
language plpgsql
as $$
declare
  v_now timestamptz;
  v_day date := app.card_day(clock_timestamp());
  v_mine app.binding_attempts;
  v_today app.binding_attempt_days;
  v_is_right boolean;
begin
  perform app.count_binding_try(p_card.id);
  -- The counters are locked before the hash is computed: parallel guesses follow each other.
  insert into app.binding_attempt_days (card_id, day) values (p_card.id, v_day) on conflict do nothing;
  select d.* into strict v_today from app.binding_attempt_days d where d.card_id = p_card.id and d.day = v_day for update;
  insert into app.binding_attempts (card_id, member_id) values (p_card.id, p_member_id) on conflict do nothing;
  select a.* into strict v_mine from app.binding_attempts a
  where a.card_id = p_card.id and a.member_id = p_member_id for update;
  v_now := clock_timestamp();
  if greatest(v_mine.locked_until, v_today.locked_until) > v_now then
    perform rules.fail('BINDING_LOCKED', jsonb_build_object('retry_after_seconds',
      ceil(extract(epoch from greatest(v_mine.locked_until, v_today.locked_until) - v_now))::int));
  end if;
  -- A card without a password costs a hash too, so that the answer's time does not tell.
  v_is_right := extensions.crypt(coalesce(p_password, ''), coalesce(p_card.binding_password_hash, extensions.gen_salt('bf', 10)))
    is not distinct from p_card.binding_password_hash;
  if v_is_right then
    update app.binding_attempts a set wrong_in_a_row = 0, locked_until = null
    where a.card_id = p_card.id and a.member_id = p_member_id;
  else
    update app.binding_attempts a
    set wrong_in_a_row = case when a.wrong_in_a_row >= 4 then 0 else a.wrong_in_a_row + 1 end,
        locked_until = case when a.wrong_in_a_row >= 4 then v_now + interval '15 minutes' end
    where a.card_id = p_card.id and a.member_id = p_member_id;
    update app.binding_attempt_days d
    set wrong = d.wrong + 1,
        locked_until = case when d.wrong >= 49 then v_now + interval '15 minutes' end
    where d.card_id = p_card.id and d.day = v_day;
  end if;
  return v_is_right;
end;
$$;
comment on function app.check_binding_password(app.cards, uuid, text) is
  'Whether the password is the card''s. Does not raise for a wrong one, so that the count stays; five in a row of one caller, or 50 a day on one '
  'card, answer BINDING_LOCKED for 15 minutes; 200 guesses a day, however they ended, for the rest of the day.';
