-- Replacing the table of levels while the shop is open.
--
-- Whoever writes a card's level reads app.membership_levels in the same transaction, after it locked the card, and so holds that table's
-- ACCESS SHARE lock until it commits: nothing is added to a charge. Replacing goes in two steps. First, with charges going on, all cards
-- whose level will change are moved and stay locked: only they wait. Then the table is locked ACCESS EXCLUSIVE, which waits for whoever has
-- read the old levels and holds everybody back for one scan of the cards: what changed in between is moved, and the rows are replaced.
-- A charge that holds such a card and waits for the table is not waited for: the second step gives up at once, lets it through and begins
-- again; and so it does when it does not get the table soon, since all who come later wait behind it.

create table app.level_changes (
  id uuid primary key,
  card_id uuid not null,
  points bigint not null,
  level_before int not null,
  level_after int not null,
  created_at timestamptz not null
) partition by range (id);
comment on table app.level_changes is
  'Changes of a card''s level without a change of points: the table of levels was replaced. The others are in app.point_ledger.';
create index level_changes_by_card on app.level_changes (card_id, id);
alter table app.level_changes enable row level security;
select app.partition_by_month('app.level_changes', true);
select app.ensure_partitions(3);

-- A card is moved to a level before that level's row is there. verify_ledger holds levels to points.
alter table app.cards drop constraint cards_level_fkey;

create or replace function app.level_of(p_points bigint)
returns app.membership_levels
language plpgsql volatile
set search_path = ''
as $$
declare
  v_level app.membership_levels;
begin
  -- Volatile, so that it sees what was committed while it waited for the table's lock, and not the caller's older snapshot.
  select l.* into strict v_level
  from app.membership_levels l where l.points_min <= p_points order by l.points_min desc limit 1;
  return v_level;
end;
$$;

create function app.relevel_cards(p_points_min bigint[])
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_moved int;
begin
  with stale as (
    select c.id, c.points, c.level
    from app.cards c
    where c.level <> width_bucket(c.points, p_points_min) - 1
    order by c.id
    for no key update
  ), moved as (
    update app.cards c
    set level = width_bucket(s.points, p_points_min) - 1
    from stale s
    where c.id = s.id
    returning c.id, s.points, s.level as level_before, c.level as level_after
  )
  insert into app.level_changes (id, card_id, points, level_before, level_after, created_at)
  select app.uuid_v7(v_now), m.id, m.points, m.level_before, m.level_after, v_now from moved m;
  get diagnostics v_moved = row_count;
  return v_moved;
end;
$$;
comment on function app.relevel_cards(bigint[]) is
  'Moves every card to the level that its points give in a table of levels that begin at these points, level 0 first; how many it moved.';

create function app.replace_levels(p_levels app.membership_levels[], p_points_min bigint[])
returns int
language plpgsql
set search_path = ''
set lock_timeout = '250ms'
as $$
declare
  v_moved int;
begin
  lock table app.membership_levels in access exclusive mode;
  perform from app.cards c where c.level <> width_bucket(c.points, p_points_min) - 1 for no key update nowait;
  v_moved := app.relevel_cards(p_points_min);
  delete from app.membership_levels;
  insert into app.membership_levels select l.* from unnest(p_levels) l;
  return v_moved;
end;
$$;
comment on function app.replace_levels(app.membership_levels[], bigint[]) is
  'Replaces the levels and moves the cards that changed meanwhile. lock_not_available: somebody holds what it needs.';
