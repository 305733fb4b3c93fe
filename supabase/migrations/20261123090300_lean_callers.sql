create or replace function sec.request_id()
returns text
language plpgsql stable
as $$
declare
  v_id text := nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-request-id';
begin
  return case when octet_length(v_id) <= 128 and v_id ~ '^[A-Za-z0-9._-]+$' then v_id end;
end;
$$;
