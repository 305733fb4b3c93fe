-- Settlements are for a merchant's owner and managers; the transactions that pay them out tell as much.

create or replace function public.get_transaction_detail(p_tx_no text)
returns table (
  tx_id uuid, tx_no text, tx_type text, merchant_code text, merchant_name text, card_id uuid, card_no text,
  raw_amount numeric, discount numeric, discount_source text, final_amount numeric, points_earned bigint,
  refunded_amount numeric, remaining_amount numeric, tag jsonb, external_order_id text, terminal_code text,
  created_at timestamptz)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_member app.member_profiles := sec.own_member();
  v_is_admin boolean := sec.is_admin();
begin
  return query
    select
      t.id, t.tx_no, t.tx_type, m.code, m.name, c.id, c.card_no,
      t.raw_amount::numeric, t.discount::numeric, t.discount_source, t.final_amount::numeric, t.points_earned,
      case when t.tx_type = 'payment' then r.refunded end,
      case when t.tx_type = 'payment' then t.final_amount - r.refunded end,
      case when w.works_there or v_is_admin then t.tag end,
      case when w.works_there or v_is_admin then t.external_order_id end,
      t.terminal_code, t.created_at
    from app.transaction_numbers n
    join app.transactions t on t.id = n.tx_id
    left join app.merchants m on m.id = t.merchant_id
    left join app.cards c on c.id = t.card_id
    cross join lateral (select app.refunded_amount(t.id) as refunded) r
    cross join lateral (
      select exists (
        select from app.merchant_users u where u.merchant_id = t.merchant_id and u.user_id = v_user_id) as works_there) w
    where n.tx_no = p_tx_no
      and (v_is_admin
        or (w.works_there and (t.tx_type <> 'settlement' or sec.sees_payouts(t.merchant_id)))
        or t.member_id = v_member.id
        or exists (select from app.card_bindings b where b.card_id = t.card_id and b.member_id = v_member.id));
  if not found then
    perform rules.fail('TX_NOT_FOUND');
  end if;
end;
$$;
revoke all on function public.get_transaction_detail(text) from public, anon, authenticated, service_role;
grant execute on function public.get_transaction_detail(text) to authenticated;
