create function public.create_voucher_card(
  p_owner_member_id uuid, p_name text default null, p_initial_balance numeric default 0, p_expires_at timestamptz default null,
  p_idempotency_key text default null)
returns table (card_id uuid, replayed boolean)
language plpgsql security definer
set search_path = ''
as $$
begin
  return query
    select i.card_id, i.replayed
    from app.issue_card('create_voucher_card', 'voucher', p_owner_member_id, p_name, p_initial_balance, null, p_expires_at, p_idempotency_key) i;
end;
$$;
comment on function public.create_voucher_card(uuid, text, numeric, timestamptz, text) is
  'Admin: a voucher, which pays once. The same key and request: the same card. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, IDEMPOTENCY_KEY_INVALID, INVALID_PRICE, MALFORMED_ARGUMENT, IDEMPOTENCY_KEY_REUSED, '
  'MEMBER_NOT_FOUND, MEMBER_NOT_ACTIVE, BALANCE_OVER_LIMIT.';
revoke all on function public.create_voucher_card(uuid, text, numeric, timestamptz, text) from public, anon, authenticated, service_role;
grant execute on function public.create_voucher_card(uuid, text, numeric, timestamptz, text) to authenticated;
