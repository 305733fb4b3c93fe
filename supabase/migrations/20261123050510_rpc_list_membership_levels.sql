create function public.list_membership_levels()
returns table (level int, name text, points_min bigint, points_max bigint, discount numeric)
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform sec.require_user();
  return query
    select l.level, l.name, l.points_min, lead(l.points_min) over (order by l.points_min) - 1, l.discount::numeric
    from app.membership_levels l
    order by l.level;
end;
$$;
comment on function public.list_membership_levels() is
  'The levels, lowest first: from points_min to points_max, both included, NULL for no end; discount is a multiplier. '
  'Errors: NOT_AUTHENTICATED.';
revoke all on function public.list_membership_levels() from public, anon, authenticated, service_role;
grant execute on function public.list_membership_levels() to authenticated;
