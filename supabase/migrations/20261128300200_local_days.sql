-- One answer to the question when a local day begins. Where midnight comes twice, as when clocks are set back at one o'clock, PostgreSQL
-- reads "00:00" as the second one, and what happens in the hour between would be in nobody's day.

create function rules.local_day(p_at timestamptz, p_time_zone text)
returns date
language sql immutable parallel safe
as $$ select (p_at at time zone p_time_zone)::date $$;
comment on function rules.local_day(timestamptz, text) is 'The date that a clock in the time zone shows at a moment.';

create function rules.local_day_start(p_day date, p_time_zone text)
returns timestamptz
language sql immutable parallel safe
as $$
  -- Read with the time that was in force before, the first of two midnights; a midnight that is left out is the moment of the jump.
  select case when (d.early at time zone p_time_zone)::date = p_day then least(d.early, d.late) else d.late end
  from (
    select m.late, p_day::timestamp at time zone 'UTC' - ((m.before at time zone p_time_zone) at time zone 'UTC' - m.before) as early
    from (
      select p_day::timestamp at time zone p_time_zone as late, p_day::timestamp at time zone p_time_zone - interval '4 hours' as before) m
  ) d
$$;
comment on function rules.local_day_start(date, text) is
  'When a day begins in a time zone: the first moment at which a clock there shows its date. It ends where the next one begins.';
