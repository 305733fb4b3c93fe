create function public.get_all_cards(
  p_limit int default null, p_offset int default 0, p_status text default null, p_card_type text default null)
returns table (
  card_id uuid, card_no text, card_type text, name text, status text, balance numeric, points bigint, level int, fixed_discount numeric,
  expires_at timestamptz, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_rows int;
begin
  perform sec.require_admin();
  if p_status not in ('active', 'frozen', 'lost', 'expired', 'closed') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'status'));
  end if;
  if p_card_type is not null and not exists (select from app.card_type_rules r where r.card_type = p_card_type) then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'card_type'));
  end if;
  v_rows := sec.page_rows(p_limit, p_offset);
  return query
    select c.id, c.card_no, c.card_type, c.name, c.status, c.balance::numeric, c.points, c.level, c.fixed_discount::numeric, c.expires_at,
           c.created_at
    from app.cards c
    where (p_status is null or c.status = p_status) and (p_card_type is null or c.card_type = p_card_type)
    order by c.id desc
    limit v_rows offset coalesce(p_offset, 0);
end;
$$;
comment on function public.get_all_cards(int, int, text, text) is
  'Admin: cards, newest first; of one status, of one type. Pages of 1 to 200, default 50. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.get_all_cards(int, int, text, text) from public, anon, authenticated, service_role;
grant execute on function public.get_all_cards(int, int, text, text) to authenticated;
