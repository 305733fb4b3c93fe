create function public.get_point_ledger(p_card_id uuid, p_limit int default null, p_offset int default 0)
returns table (
  point_ledger_id uuid, delta_points bigint, level_before int, level_after int, reason text, tx_no text, created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_own app.member_profiles := sec.own_member();
  v_rows int := sec.page_rows(p_limit, p_offset);
begin
  if not exists (select from app.cards c where c.id = p_card_id)
     or (app.card_role(p_card_id, v_own.id) is null and not sec.is_admin())
  then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  return query
    select l.id, l.delta, l.level_before, l.level_after, l.reason, t.tx_no, l.created_at
    from (
      select p.* from app.point_ledger p where p.card_id = p_card_id order by p.id desc limit v_rows offset coalesce(p_offset, 0)) l
    left join app.transactions t on t.id = l.tx_id
    order by l.id desc;
end;
$$;
comment on function public.get_point_ledger(uuid, int, int) is
  'Every change of a card''s points, newest first, for whoever is bound to it and admins; tx_no NULL: by no transaction. Pages of '
  '1 to 200, default 50. Errors: NOT_AUTHENTICATED, MALFORMED_ARGUMENT, CARD_NOT_FOUND.';
revoke all on function public.get_point_ledger(uuid, int, int) from public, anon, authenticated, service_role;
grant execute on function public.get_point_ledger(uuid, int, int) to authenticated;
