-- A time zone is named, never reckoned: Postgres takes "Asia/Taipei+8" for a rule of POSIX, eight hours west of Greenwich.

create or replace function rules.is_time_zone(p_name text)
returns boolean
language plpgsql immutable
as $$
begin
  perform timestamptz '2000-01-01 00:00:00+00' at time zone p_name;
  return p_name ~ '^([A-Za-z_]+(/[A-Za-z_-]+)*|Etc/GMT[+-][0-9]{1,2})$';
exception when invalid_parameter_value then
  return false;
end;
$$;
comment on function rules.is_time_zone(text) is 'Whether Postgres knows a time zone of this name, and by its name.';
