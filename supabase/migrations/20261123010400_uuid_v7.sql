-- The time to the microsecond: the twelve bits after the version carry what the milliseconds leave (RFC 9562, section 6.2, method 3), so that
-- rows that one session writes one after the other are listed in that order, however quick it is.

create or replace function app.uuid_v7(p_at timestamptz default clock_timestamp())
returns uuid
language plpgsql volatile parallel safe
as $$
declare
  v_micros bigint := floor(extract(epoch from p_at) * 1000000);
begin
  return encode(
    overlay(uuid_send(gen_random_uuid())
      placing substr(int8send(v_micros / 1000), 3) || int2send((28672 + v_micros % 1000 * 4096 / 1000)::int2) from 1 for 8),
    'hex')::uuid;
end;
$$;
comment on function app.uuid_v7(timestamptz) is
  'A time-ordered UUID of RFC 9562, version 7, of the given moment to the microsecond; 62 bits are random.';
