create table app.membership_levels (
  level int primary key constraint membership_levels_level_not_negative check (level >= 0),
  name text not null,
  points_min bigint not null constraint membership_levels_points_min_taken unique
    constraint membership_levels_points_min_not_negative check (points_min >= 0),
  discount numeric(4, 3) not null constraint membership_levels_discount_in_range check (discount between 0 and 1)
);
comment on table app.membership_levels is
  'Levels by points. A level ends where the next begins, so ranges can neither gap nor overlap.';
alter table app.membership_levels enable row level security;

insert into app.membership_levels (level, name, points_min, discount) values
  (0, '普通會員', 0, 1.000),
  (1, '銀卡會員', 1000, 0.950),
  (2, '金卡會員', 5000, 0.900),
  (3, '鑽石會員', 10000, 0.850);

create function app.level_of(p_points bigint)
returns app.membership_levels
language plpgsql stable
set search_path = ''
as $$
declare
  v_level app.membership_levels;
begin
  select l.* into strict v_level
  from app.membership_levels l where l.points_min <= p_points order by l.points_min desc limit 1;
  return v_level;
end;
$$;
comment on function app.level_of(bigint) is 'The level that so many points give.';
