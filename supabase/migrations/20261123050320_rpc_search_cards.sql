create function public.search_cards(p_keyword text, p_limit int default null)
returns table (
  card_id uuid, card_no text, card_type text, name text, status text, balance numeric, points bigint, level int, fixed_discount numeric,
  expires_at timestamptz, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
-- Planned for each keyword: only a pattern that is known can use an index.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_keyword text;
  v_rows int;
begin
  perform sec.require_admin();
  v_keyword := sec.search_keyword(p_keyword);
  v_rows := sec.page_rows(p_limit, 0);
  return query
    select c.id, c.card_no, c.card_type, c.name, c.status, c.balance::numeric, c.points, c.level, c.fixed_discount::numeric, c.expires_at,
           c.created_at
    from app.cards c
    where c.card_no like rules.like_prefix(upper(v_keyword))
       or (c.name is not null and lower(c.name) like rules.like_prefix(lower(v_keyword)))
    order by c.card_no
    limit v_rows;
end;
$$;
comment on function public.search_cards(text, int) is
  'Admin: cards whose number or name begins with the keyword, in any case, by number. At most 200, default 50. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.search_cards(text, int) from public, anon, authenticated, service_role;
grant execute on function public.search_cards(text, int) to authenticated;
