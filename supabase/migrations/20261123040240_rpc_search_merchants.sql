create function public.search_merchants(
  p_keyword text default null, p_status text default null, p_limit int default null, p_offset int default 0)
returns table (
  merchant_id uuid, code text, name text, contact text, status text, time_zone text, fee_bps int, settlement_mode text, day_max numeric,
  created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_keyword text;
  v_rows int;
begin
  perform sec.require_admin();
  v_keyword := lower(sec.bounded_text(p_keyword, 100, 'keyword'));
  if p_status not in ('active', 'suspended') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'status'));
  end if;
  v_rows := sec.page_rows(p_limit, p_offset);
  return query
    select m.id, m.code, m.name, m.contact, m.status, m.time_zone, m.fee_bps, m.settlement_mode, m.day_max::numeric, m.created_at
    from app.merchants m
    where (v_keyword is null or strpos(lower(m.code), v_keyword) > 0 or strpos(lower(m.name), v_keyword) > 0)
      and (p_status is null or m.status = p_status)
    order by m.code
    limit v_rows offset coalesce(p_offset, 0);
end;
$$;
comment on function public.search_merchants(text, text, int, int) is
  'Admin: merchants whose code or name contains the keyword, in any case, by code; no keyword: all. Pages of 1 to 200, default 50. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.search_merchants(text, text, int, int) from public, anon, authenticated, service_role;
grant execute on function public.search_merchants(text, text, int, int) to authenticated;
