create function app.level_from_json(p_row jsonb, p_level int)
returns app.membership_levels
language plpgsql immutable
set search_path = ''
as $$
declare
  v_level app.membership_levels;
begin
  if jsonb_typeof(p_row) is distinct from 'object' then
    perform rules.fail('INVALID_LEVELS', jsonb_build_object('level', p_level));
  end if;
  if p_row - array['level', 'name', 'points_min', 'points_max', 'discount'] <> '{}'
     or p_row ->> 'level' is distinct from p_level::text
     or jsonb_typeof(p_row -> 'name') is distinct from 'string'
     or btrim(p_row ->> 'name') !~ '^[^[:cntrl:]]{1,50}$'
     or coalesce(p_row ->> 'points_min', '') !~ '^(0|[1-9][0-9]{0,14})$'
     or coalesce(p_row ->> 'discount', '') !~ '^(0([.][0-9]{1,3}0*)?|1([.]0+)?)$'
  then
    perform rules.fail('INVALID_LEVELS', jsonb_build_object('level', p_level));
  end if;
  v_level.level := p_level;
  v_level.name := btrim(p_row ->> 'name');
  v_level.points_min := (p_row ->> 'points_min')::bigint;
  v_level.discount := (p_row ->> 'discount')::numeric;
  return v_level;
end;
$$;
comment on function app.level_from_json(jsonb, int) is
  'A row of the table of levels; numbers or decimal strings, a multiplier from 0 to 1 with three decimals, else INVALID_LEVELS.';

create function app.levels_from_json(p_levels jsonb)
returns app.membership_levels[]
language plpgsql immutable
set search_path = ''
as $$
declare
  v_levels app.membership_levels[] := '{}';
  v_level app.membership_levels;
  v_begins bigint := 0;
  v_row jsonb;
  v_count int;
begin
  if jsonb_typeof(p_levels) is distinct from 'array' or jsonb_array_length(p_levels) not between 1 and 100 then
    perform rules.fail('INVALID_LEVELS');
  end if;
  v_count := jsonb_array_length(p_levels);
  for v_number in 0 .. v_count - 1 loop
    v_row := p_levels -> v_number;
    v_level := app.level_from_json(v_row, v_number);
    -- The first begins at 0, each other above the one before it, and exactly where that one says that it ends.
    if (v_number = 0 and v_level.points_min <> 0) or (v_number > 0 and v_level.points_min <= v_levels[v_number].points_min)
       or (v_begins is distinct from v_level.points_min and v_begins is not null)
    then
      perform rules.fail('INVALID_LEVELS', jsonb_build_object('level', v_number));
    end if;
    v_begins := null;
    if v_row ? 'points_max' then
      if (v_number = v_count - 1 and v_row -> 'points_max' <> 'null')
         or (v_number < v_count - 1 and coalesce(v_row ->> 'points_max', '') !~ '^(0|[1-9][0-9]{0,14})$')
      then
        perform rules.fail('INVALID_LEVELS', jsonb_build_object('level', v_number));
      end if;
      v_begins := (v_row ->> 'points_max')::bigint + 1;
    end if;
    v_levels := v_levels || v_level;
  end loop;
  return v_levels;
end;
$$;
comment on function app.levels_from_json(jsonb) is
  'A whole table of levels, 0 first. points_max may be left out; else it is one less than the next points_min, null in the last row.';

create function public.set_membership_levels(p_levels jsonb)
returns int
language plpgsql security definer
set search_path = ''
-- Moving a million cards takes longer than a call usually may.
set statement_timeout = '10min'
as $$
declare
  v_levels app.membership_levels[];
  v_points_min bigint[];
  v_moved int;
begin
  perform sec.require_admin();
  v_levels := app.levels_from_json(p_levels);
  v_points_min := array(select l.points_min from unnest(v_levels) l order by l.level);
  -- One replacement after the other; whoever reads the levels goes on.
  lock table app.membership_levels in share row exclusive mode;
  v_moved := app.relevel_cards(v_points_min);
  for v_attempt in 1 .. 50 loop
    begin
      v_moved := v_moved + app.replace_levels(v_levels, v_points_min);
      exit;
    exception when lock_not_available then
      if v_attempt = 50 then
        raise;
      end if;
      perform pg_sleep(0.05);
    end;
  end loop;
  perform audit.log('admin', 'levels.set', 'membership_levels', null,
    jsonb_build_object('levels', to_jsonb(v_levels), 'cards_moved', v_moved));
  return v_moved;
end;
$$;
comment on function public.set_membership_levels(jsonb) is
  'Admin: replaces the whole table of levels by rows {level, name, points_min, points_max?, discount}, numbered from 0 by points; answers '
  'on how many cards the level changed. Charges go on meanwhile; those of cards whose level changes wait for the end, '
  'which at a million of them takes a minute: choose a quiet hour. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, '
  'INVALID_LEVELS (level: the first row that is malformed, or leaves a gap or overlaps).';
revoke all on function public.set_membership_levels(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.set_membership_levels(jsonb) to authenticated;
