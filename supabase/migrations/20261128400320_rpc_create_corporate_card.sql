create function public.create_corporate_card(
  p_owner_member_id uuid, p_name text default null, p_initial_balance numeric default 0, p_fixed_discount numeric default null,
  p_idempotency_key text default null)
returns table (card_id uuid, replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
begin
  return query
    select i.card_id, i.replayed
    from app.issue_card('create_corporate_card', 'corporate', p_owner_member_id, p_name, p_initial_balance, p_fixed_discount, null, p_idempotency_key) i;
end;
$$;
comment on function public.create_corporate_card(uuid, text, numeric, numeric, text) is
  'Admin: a corporate card of an owner; discount is a multiplier from 0 to 1 with three decimals. The same key and request: the same card. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, IDEMPOTENCY_KEY_INVALID, INVALID_PRICE, MALFORMED_ARGUMENT, IDEMPOTENCY_KEY_REUSED, '
  'MEMBER_NOT_FOUND, MEMBER_NOT_ACTIVE, BALANCE_OVER_LIMIT.';
revoke all on function public.create_corporate_card(uuid, text, numeric, numeric, text) from public, anon, authenticated, service_role;
grant execute on function public.create_corporate_card(uuid, text, numeric, numeric, text) to authenticated;
