-- Replacing the table of levels without a lock that anybody waits for.
--
-- What a payment costs follows from its card's points and the table as it is then, so a new table holds for the next payment. The level that
-- is written on a card is moved in steps: at once on the first two thousand cards, on the others by cron_follow_levels, none of which is
-- waited for. A charge that read the old table and commits after the new one writes the old level once more; so the job goes on until
-- everybody who may have read it is gone, and no card is left behind.

create table app.level_state (
  is_the_only_row boolean primary key default true constraint level_state_has_one_row check (is_the_only_row),
  is_settled boolean not null default true,
  readers text[]
);
comment on table app.level_state is
  'is_settled: every card has the level of its points. readers: transactions that may still write a level of the table before, noted by '
  'the first run after the replacement; NULL before that.';
alter table app.level_state enable row level security;
insert into app.level_state default values;

drop function app.replace_levels(app.membership_levels[], bigint[]);
drop function app.relevel_cards(bigint[]);
create function app.relevel_cards(p_points_min bigint[], p_cards_max int)
returns int
language plpgsql
as $$
declare
  v_moved int;
begin
  -- A card that somebody holds is left for a later step: this waits for nobody.
  with stale as (
    select c.id, c.points, c.level
    from app.cards c
    where c.level <> width_bucket(c.points, p_points_min) - 1
    order by c.id
    limit p_cards_max
    for no key update skip locked
  ), moved as (
    update app.cards c
    set level = width_bucket(s.points, p_points_min) - 1
    from stale s
    where c.id = s.id
    returning c.id, s.points, s.level as level_before, c.level as level_after
  )
  insert into app.level_changes (id, card_id, points, level_before, level_after, created_at)
  select app.uuid_v7(n.at), m.id, m.points, m.level_before, m.level_after, n.at from moved m cross join lateral (select clock_timestamp() as at) n;
  get diagnostics v_moved = row_count;
  return v_moved;
end;
$$;
comment on function app.relevel_cards(bigint[], int) is
  'Moves so many cards to the level that their points give in a table of levels that begin at these points, level 0 first; how many it moved.';

create function app.cards_to_relevel(p_points_min bigint[])
returns int
language sql volatile
as $$ select count(*)::int from app.cards c where c.level <> width_bucket(c.points, p_points_min) - 1 $$;
comment on function app.cards_to_relevel(bigint[]) is 'How many cards have another level than their points give.';

create function app.level_bounds()
returns bigint[]
language sql volatile
as $$ select array_agg(l.points_min order by l.level) from app.membership_levels l $$;
comment on function app.level_bounds() is 'Where the levels begin, level 0 first.';

create function app.lock_levels()
returns void
language plpgsql
as $$
begin
  -- The key of app.try_job('levels'). No call of a member or merchant takes it.
  perform pg_advisory_xact_lock(hashtextextended('mps/levels', 0));
exception when lock_not_available then
  perform rules.fail('UNAVAILABLE');
end;
$$;
comment on function app.lock_levels() is
  'One replacement of the levels after the other, and none while cards are moved; UNAVAILABLE after the caller''s lock_timeout.';

create or replace function public.set_membership_levels(p_levels jsonb)
returns int
language plpgsql security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_levels app.membership_levels[];
  v_points_min bigint[];
  v_changed int;
begin
  perform sec.require_admin();
  v_levels := app.levels_from_json(p_levels);
  v_points_min := array(select l.points_min from unnest(v_levels) l order by l.level);
  perform app.lock_levels();
  perform sec.hold_admin();
  delete from app.membership_levels;
  insert into app.membership_levels select l.* from unnest(v_levels) l;
  update app.level_state s set is_settled = false, readers = null;
  v_changed := app.relevel_cards(v_points_min, 2000);
  v_changed := v_changed + app.cards_to_relevel(v_points_min);
  perform audit.log('admin', 'levels.set', 'membership_levels', null,
    jsonb_build_object('levels', to_jsonb(v_levels), 'cards_moved', v_changed));
  return v_changed;
end;
$$;
comment on function public.set_membership_levels(jsonb) is
  'Admin: replaces the whole table of levels by rows {level, name, points_min, points_max?, discount}, numbered from 0 by points; answers '
  'on how many cards the level changes. The next payment has the new discount; the level that is shown with a card is the new one at once or, '
  'with many cards, within minutes. Charges go on. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, INVALID_LEVELS (level: the first row that is '
  'malformed, or leaves a gap or overlaps), UNAVAILABLE (another one is being put in place: again in a moment).';
revoke all on function public.set_membership_levels(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.set_membership_levels(jsonb) to authenticated;

create function public.cron_follow_levels()
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_state app.level_state;
  v_running text[];
  v_moved int;
  v_left int;
begin
  perform sec.require_service();
  select s.* into strict v_state from app.level_state s;
  if v_state.is_settled or not app.try_job('levels') then
    return 0;
  end if;
  -- Before the cards are read: who is gone by now can write nothing after it.
  v_running := app.running_transactions();
  v_moved := app.relevel_cards(app.level_bounds(), 2000);
  v_left := app.cards_to_relevel(app.level_bounds());
  update app.level_state s
  set readers = coalesce(s.readers, v_running),
      is_settled = v_moved = 0 and v_left = 0 and not coalesce(s.readers, v_running) && v_running;
  return v_moved;
end;
$$;
comment on function public.cron_follow_levels() is
  'Service, every minute: after a new table of levels, moves the next 2000 cards to their level; answers how many. Call again while it is not '
  '0. Cards that somebody holds are left for a later call. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_follow_levels() from public, anon, authenticated, service_role;
grant execute on function public.cron_follow_levels() to service_role;

create or replace function public.get_member_cards(p_member_id uuid default null)
returns table (
  card_id uuid, card_no text, card_type text, name text, role text, status text, balance numeric, points bigint, level int, level_name text,
  discount numeric, discount_source text, next_level_points bigint, expires_at timestamptz, pays boolean)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_own app.member_profiles := sec.own_member();
  v_member_id uuid := coalesce(p_member_id, v_own.id);
begin
  if v_member_id is null
     or (v_member_id is distinct from v_own.id and not sec.is_admin())
     or not exists (select from app.member_profiles m where m.id = v_member_id)
  then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  return query
    select
      c.id, c.card_no, c.card_type, c.name, b.role, c.status, c.balance, c.points, l.level, l.name,
      t.discount, t.discount_source,
      case when r.earns_points then (
        select min(n.points_min) from app.membership_levels n where n.points_min > c.points) end,
      c.expires_at,
      r.pays <> 'no' and b.role in ('owner', 'admin', 'member')
    from app.card_bindings b
    join app.cards c on c.id = b.card_id
    join app.card_type_rules r on r.card_type = c.card_type
    -- By its points: a card may be on its way from a level that is gone.
    cross join lateral (
      select m.level, m.name from app.membership_levels m where m.points_min <= c.points order by m.points_min desc limit 1) l
    cross join lateral app.payment_terms_for(c, v_member_id, 1.00, now()) t
    where b.member_id = v_member_id
    order by array_position(array['standard', 'prepaid', 'corporate', 'voucher'], c.card_type), c.card_no;
end;
$$;
revoke all on function public.get_member_cards(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_member_cards(uuid) to authenticated;

create or replace function public.get_card_detail(p_card_id uuid)
returns table (
  card_id uuid, card_no text, card_type text, name text, role text, status text, balance numeric, points bigint, level int, level_name text,
  discount numeric, discount_source text, fixed_discount numeric, next_level_points bigint, expires_at timestamptz, pays boolean,
  is_rechargeable boolean, is_shareable boolean, has_binding_password boolean, members int, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_own app.member_profiles := sec.own_member();
  v_role text := app.card_role(p_card_id, v_own.id);
begin
  if not exists (select from app.cards c where c.id = p_card_id) or (v_role is null and not sec.is_admin()) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  return query
    select
      c.id, c.card_no, c.card_type, c.name, v_role, c.status, c.balance::numeric, c.points, l.level, l.name,
      t.discount::numeric, t.discount_source, c.fixed_discount::numeric,
      case when r.earns_points then (select min(n.points_min) from app.membership_levels n where n.points_min > c.points) end,
      c.expires_at,
      r.pays <> 'no' and v_role is not null and v_role in ('owner', 'admin', 'member'),
      r.is_rechargeable, r.is_shareable, c.binding_password_hash is not null,
      (select count(*)::int from app.card_bindings b where b.card_id = c.id),
      c.created_at
    from app.cards c
    join app.card_type_rules r on r.card_type = c.card_type
    cross join lateral app.level_of(c.points) l
    cross join lateral app.payment_terms_for(c, v_own.id, 1.00, now()) t
    where c.id = p_card_id;
end;
$$;
revoke all on function public.get_card_detail(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_card_detail(uuid) to authenticated;
