-- Pages, as every RPC that lists counts them.

create function sec.page_rows(p_limit int, p_offset int)
returns int
language plpgsql immutable
set search_path = ''
as $$
declare
  v_rows int := coalesce(p_limit, rules.limit_int('page.rows_default'));
begin
  if v_rows not between 1 and rules.limit_int('page.rows_max') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'limit'));
  end if;
  if p_offset < 0 then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'offset'));
  end if;
  return v_rows;
end;
$$;
comment on function sec.page_rows(int, int) is
  'How many rows a page has: the limit, 50 for NULL; MALFORMED_ARGUMENT outside 1 to 200 or below offset 0.';
