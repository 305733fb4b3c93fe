-- Who may use a shared card: passwords, guesses, roles.

create table app.binding_attempts (
  card_id uuid not null references app.cards (id),
  member_id uuid not null references app.member_profiles (id),
  wrong_in_a_row int not null default 0,
  locked_until timestamptz,
  primary key (card_id, member_id)
);
comment on table app.binding_attempts is 'Wrong card passwords in a row, per card and caller.';
alter table app.binding_attempts enable row level security;

create table app.binding_attempt_days (
  card_id uuid not null references app.cards (id),
  day date not null,
  wrong int not null default 0,
  locked_until timestamptz,
  primary key (card_id, day)
);
comment on table app.binding_attempt_days is 'Wrong card passwords a day, per card.';
alter table app.binding_attempt_days enable row level security;

create function app.check_binding_password(p_card app.cards, p_member_id uuid, p_password text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz;
  v_day date := app.card_day(clock_timestamp());
  v_mine app.binding_attempts;
  v_today app.binding_attempt_days;
  v_is_right boolean;
begin
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
  'Whether the password is the card''s. Does not raise for a wrong one, so that the count stays; five in a row of one caller, or 50 a '
  'day on one card, answer BINDING_LOCKED for 15 minutes.';

create function app.card_role(p_card_id uuid, p_member_id uuid)
returns text
language plpgsql stable
set search_path = ''
as $$
begin
  return (select b.role from app.card_bindings b where b.card_id = p_card_id and b.member_id = p_member_id);
end;
$$;
comment on function app.card_role(uuid, uuid) is 'A member''s role on a card, or NULL.';

create function app.may_bind_others(p_own_role text, p_role text)
returns boolean
language sql immutable
as $$
  select coalesce(case p_own_role
    when 'owner' then p_role in ('owner', 'admin', 'member', 'viewer')
    when 'admin' then p_role in ('member', 'viewer')
    else false end, false)
$$;
comment on function app.may_bind_others(text, text) is 'Whether an own role allows giving, changing or taking this role: owners any, admins member and viewer.';

create function app.check_last_owner(p_card_id uuid, p_member_id uuid)
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if app.card_role(p_card_id, p_member_id) is not distinct from 'owner' and not exists (
    select from app.card_bindings b where b.card_id = p_card_id and b.member_id <> p_member_id and b.role = 'owner')
  then
    perform rules.fail('CANNOT_REMOVE_LAST_OWNER');
  end if;
end;
$$;
comment on function app.check_last_owner(uuid, uuid) is 'Refuses what would leave a card without an owner. Under the card''s lock.';

create function app.set_binding(p_card_id uuid, p_member_id uuid, p_role text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_role is distinct from 'owner' then
    perform app.check_last_owner(p_card_id, p_member_id);
  end if;
  insert into app.card_bindings as b (card_id, member_id, role) values (p_card_id, p_member_id, p_role)
  on conflict (card_id, member_id) do update set role = excluded.role;
  if p_role = 'viewer' then
    perform app.revoke_open_code(p_card_id, p_member_id);
  end if;
end;
$$;
comment on function app.set_binding(uuid, uuid, text) is 'Binds or changes a role, under the card''s lock; who only sees loses his open code.';

create function app.check_bindable(p_card app.cards, p_member app.member_profiles)
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if p_member.id is null then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  if p_card.status not in ('active', 'frozen') then
    perform rules.fail('CARD_NOT_ACTIVE');
  end if;
  if p_member.status is distinct from 'active' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  if not (select r.is_shareable from app.card_type_rules r where r.card_type = p_card.card_type) then
    perform rules.fail('CARD_TYPE_NOT_SHAREABLE');
  end if;
end;
$$;
comment on function app.check_bindable(app.cards, app.member_profiles) is 'Refuses a member or card that cannot be bound: a suspended member binds nothing.';
