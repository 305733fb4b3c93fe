-- The table of levels, and the cards that follow it.
begin;
set local search_path = public, extensions;
set local client_min_messages = warning;
select no_plan();

select fx.make_user('admin@fixture.example') as admin \gset
insert into app.admin_users (user_id) values (:'admin');
select fx.make_user('nobody@fixture.example') as nobody \gset
select fx.make_member('p0@fixture.example', 0, 0) as p0 \gset
select fx.make_member('p999@fixture.example', 0, 999) as p999 \gset
select fx.make_member('p1000@fixture.example', 100, 1000) as p1000 \gset
select fx.make_member('p4999@fixture.example', 0, 4999) as p4999 \gset
select fx.make_member('p5000@fixture.example', 0, 5000) as p5000 \gset
select fx.make_member('p12000@fixture.example', 0, 12000) as p12000 \gset
select fx.make_merchant('S1') \g /dev/null
select fx.make_merchant_user('S1') as cashier \gset

create function pg_temp.set_levels(p_levels jsonb) returns text language plpgsql as $$
declare
  v_before text;
  v_answer text;
  v_detail text;
begin
  select string_agg(s::text, ';') into v_before from fx.state() s;
  set local role authenticated;
  begin
    select public.set_membership_levels(p_levels) into v_answer;
  exception when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    reset role;
    if v_before is distinct from (select string_agg(s::text, ';') from fx.state() s) then
      return 'CHANGED SOMETHING ' || sqlerrm;
    end if;
    return sqlstate || ' ' || sqlerrm || ' ' || v_detail;
  end;
  reset role;
  return v_answer;
end;
$$;
create function pg_temp.levels_of_cards() returns text language sql as $$
  select string_agg(c.level::text, ' ' order by c.points) from app.cards c where c.card_type = 'standard' $$;

-- Who may.
select fx.act_as(null) \g /dev/null
select is(fx.refusal('select public.list_membership_levels()'), 'PT401 NOT_AUTHENTICATED', 'the levels are for signed-in users');
select is(left(pg_temp.set_levels(null), 23), 'PT401 NOT_AUTHENTICATED', 'setting them needs a user');
select fx.act_as(:'p0') \g /dev/null
select is(left(pg_temp.set_levels('[]'), 23), 'PT403 PERMISSION_DENIED', 'who is an admin');
select fx.act_as(:'nobody') \g /dev/null
select results_eq('select * from public.list_membership_levels()',
  $$ values (0, '普通會員', 0::bigint, 999::bigint, 1.000), (1, '銀卡會員', 1000, 4999, 0.950), (2, '金卡會員', 5000, 9999, 0.900), (3, '鑽石會員', 10000, null, 0.850) $$,
  'anybody signed in sees the levels');
select is(pg_temp.levels_of_cards(), '0 0 1 1 2 3', 'which cards follow');

-- What is no table of levels.
select fx.act_as(:'admin') \g /dev/null
create function pg_temp.row(p_level int, p_min text, p_more jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_object('level', p_level, 'name', 'L' || p_level, 'points_min', p_min::jsonb, 'discount', '0.950') || p_more $$;
select is(pg_temp.set_levels(c.levels), 'PT422 INVALID_LEVELS ' || c.detail, c.why || ' is refused')
from (values
  ('no JSON', null, '{}'), ('no array', '{}', '{}'), ('no level', '[]', '{}'), ('a text', '"x"', '{}'), ('a null', 'null', '{}'),
  ('a level that is no object', '[1]', '{"level": 0}'), ('a null level', '[null]', '{"level": 0}'),
  ('a level that is a list', '[["level"]]', '{"level": 0}'),
  ('a first level above 0', jsonb_build_array(pg_temp.row(0, '1')), '{"level": 0}'),
  ('a first level that is not 0', jsonb_build_array(pg_temp.row(1, '0')), '{"level": 0}'),
  ('a number left out', jsonb_build_array(pg_temp.row(0, '0'), pg_temp.row(2, '10')), '{"level": 1}'),
  ('a wrong order', jsonb_build_array(pg_temp.row(1, '10'), pg_temp.row(0, '0')), '{"level": 0}'),
  ('one beginning twice', jsonb_build_array(pg_temp.row(0, '0'), pg_temp.row(1, '10'), pg_temp.row(2, '10')), '{"level": 2}'),
  ('a later one that begins earlier', jsonb_build_array(pg_temp.row(0, '0'), pg_temp.row(1, '10'), pg_temp.row(2, '9')), '{"level": 2}'),
  ('a gap', jsonb_build_array(pg_temp.row(0, '0', '{"points_max": 8}'), pg_temp.row(1, '10')), '{"level": 1}'),
  ('an overlap', jsonb_build_array(pg_temp.row(0, '0', '{"points_max": 10}'), pg_temp.row(1, '10')), '{"level": 1}'),
  ('an end of the last', jsonb_build_array(pg_temp.row(0, '0', '{"points_max": 10}')), '{"level": 0}'),
  ('no end before the last', jsonb_build_array(pg_temp.row(0, '0', '{"points_max": null}'), pg_temp.row(1, '10')), '{"level": 0}'),
  ('an end that is no number', jsonb_build_array(pg_temp.row(0, '0', '{"points_max": "x"}'), pg_temp.row(1, '10')), '{"level": 0}'),
  ('points below 0', jsonb_build_array(pg_temp.row(0, '0'), pg_temp.row(1, '-1')), '{"level": 1}'),
  ('half a point', jsonb_build_array(pg_temp.row(0, '0'), pg_temp.row(1, '10.5')), '{"level": 1}'),
  ('points beyond all', jsonb_build_array(pg_temp.row(0, '0'), pg_temp.row(1, '1e15')), '{"level": 1}'),
  ('no points', jsonb_build_array(pg_temp.row(0, '0') - 'points_min'), '{"level": 0}'),
  ('no level', jsonb_build_array(pg_temp.row(0, '0') - 'level'), '{"level": 0}'),
  ('no name', jsonb_build_array(pg_temp.row(0, '0') - 'name'), '{"level": 0}'),
  ('a blank name', jsonb_build_array(pg_temp.row(0, '0', '{"name": " "}')), '{"level": 0}'),
  ('a number for a name', jsonb_build_array(pg_temp.row(0, '0', '{"name": 1}')), '{"level": 0}'),
  ('a long name', jsonb_build_array(pg_temp.row(0, '0', jsonb_build_object('name', repeat('x', 51)))), '{"level": 0}'),
  ('a name with a line feed', jsonb_build_array(pg_temp.row(0, '0', '{"name": "a\nb"}')), '{"level": 0}'),
  ('no discount', jsonb_build_array(pg_temp.row(0, '0') - 'discount'), '{"level": 0}'),
  ('a discount above 1', jsonb_build_array(pg_temp.row(0, '0', '{"discount": 1.001}')), '{"level": 0}'),
  ('a discount below 0', jsonb_build_array(pg_temp.row(0, '0', '{"discount": -0.1}')), '{"level": 0}'),
  ('a discount of four decimals', jsonb_build_array(pg_temp.row(0, '0', '{"discount": 0.9001}')), '{"level": 0}'),
  ('a discount that is NaN', jsonb_build_array(pg_temp.row(0, '0', '{"discount": "NaN"}')), '{"level": 0}'),
  ('an exponent', jsonb_build_array(pg_temp.row(0, '0', '{"discount": "9e-1"}')), '{"level": 0}'),
  ('an unknown field', jsonb_build_array(pg_temp.row(0, '0', '{"bonus": 1}')), '{"level": 0}'),
  ('a hundred and one levels', (select jsonb_agg(pg_temp.row(n, (n * 10)::text)) from generate_series(0, 100) n), '{}')) as c (why, levels, detail);

-- A new table.
select fx.code(:'p1000') as code \gset
select is(pg_temp.set_levels($$ [
  {"level": 0, "name": " 新 ", "points_min": 0, "points_max": 499, "discount": "1.000"},
  {"level": 1, "name": "B", "points_min": 500, "points_max": 999, "discount": 0.97},
  {"level": 2, "name": "C", "points_min": "1000", "points_max": 4998, "discount": 0.9000},
  {"level": 3, "name": "D", "points_min": 4999, "discount": 0.8},
  {"level": 4, "name": "E", "points_min": 5001, "points_max": null, "discount": 0} ] $$), '5', 'how many cards change is answered');
select results_eq('select * from public.list_membership_levels()',
  $$ values (0, '新', 0::bigint, 499::bigint, 1.000), (1, 'B', 500, 999, 0.970), (2, 'C', 1000, 4998, 0.900), (3, 'D', 4999, 5000, 0.800), (4, 'E', 5001, null, 0.000) $$,
  'the new table is there, and nothing of the old one');
select is(pg_temp.levels_of_cards(), '0 1 2 3 3 4', 'and the cards follow it');
select results_eq('select l.points, l.level_before, l.level_after from app.level_changes l order by l.points',
  'values (999::bigint, 0, 1), (1000, 1, 2), (4999, 1, 3), (5000, 2, 3), (12000, 3, 4)', 'each change is recorded');
select is((select count(*) from app.level_changes l join app.cards c on c.id = l.card_id and c.points = l.points), 5::bigint, 'with its card');
select is((select (e.actor_role, e.params ->> 'cards_moved', jsonb_array_length(e.params -> 'levels'))::text from audit.event_log e where e.action = 'levels.set'), '(admin,5,5)', 'and audited');
select fx.act_as(:'cashier') \g /dev/null
select is((select final_amount || ' ' || discount_source from public.merchant_charge_by_qr('S1', :'code', 10)), '9.00 level', 'the next payment has the new discount');
select is((select c.level from app.cards c where c.id = fx.standard_card(:'p1000')), 2, 'and the new level');

-- Fewer levels than before.
select fx.act_as(:'admin') \g /dev/null
select is(pg_temp.set_levels('[{"level": 0, "name": "All", "points_min": 0, "discount": 1}]'), '5', 'levels go away');
select is(pg_temp.levels_of_cards(), '0 0 0 0 0 0', 'with the cards on them');
select is(pg_temp.set_levels('[{"level": 0, "name": "All", "points_min": 0, "discount": 1}]'), '0', 'the same table changes no card');
select is((select count(*) from app.level_changes), 10::bigint, 'and records no change');
select is(fx.refusal('update app.level_changes set points = 0'), '55000 UPDATE of level_changes_' || to_char(now() at time zone 'UTC', 'YYYYMM') || ' is refused: rows of this table are written once', 'records stay');
select fx.act_as(:'p1000') \g /dev/null
select is((select level_name from public.get_member_cards()), 'All', 'a member sees his new level');

-- What reads the levels while they are replaced.
select is((select p.provolatile from pg_catalog.pg_proc p where p.oid = 'app.level_of(bigint)'::regprocedure), 'v', 'a level is read with the newest snapshot');

select fx.act_as_service() \g /dev/null
select is_empty('select * from public.verify_ledger()', 'the books are right');
select * from finish();
rollback;
