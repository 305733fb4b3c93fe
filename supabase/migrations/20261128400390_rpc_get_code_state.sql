create function public.get_code_state(p_card_id uuid)
returns table (
  state text, issued_at timestamptz, expires_at timestamptz, amount_max numeric, tx_id uuid, tx_no text, final_amount numeric)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_member app.member_profiles := sec.own_member();
  v_code app.payment_codes;
begin
  if app.card_role(p_card_id, v_member.id) is null then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  select c.* into v_code
  from app.payment_codes c
  where c.card_id = p_card_id and c.member_id = v_member.id
  order by c.id desc
  limit 1;
  return query
    select
      case
        when v_code.id is null then 'none'
        when v_code.consumed_at is not null then 'spent'
        when v_code.revoked_at is not null then 'revoked'
        when v_code.expires_at <= clock_timestamp() then 'expired'
        else 'live' end,
      v_code.issued_at, v_code.expires_at, v_code.amount_max::numeric, t.id, t.tx_no, t.final_amount::numeric
    from (select v_code.consumed_tx_id as tx_id) c
    left join app.transactions t on t.id = c.tx_id;
end;
$$;
comment on function public.get_code_state(uuid) is
  'What became of the caller''s newest online code of a card: live until expires_at, spent with its transaction, revoked, expired; '
  'none when there is none or it was purged. The code itself is stored nowhere. Errors: NOT_AUTHENTICATED, CARD_NOT_FOUND (unknown, or '
  'the caller is not bound to it).';
revoke all on function public.get_code_state(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_code_state(uuid) to authenticated;
