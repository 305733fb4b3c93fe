create function public.cancel_request(p_merchant_code text default null, p_idempotency_key text default null)
returns table (
  cancelled boolean, tx_id uuid, tx_no text, tx_type text, final_amount numeric, created_at timestamptz)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_scope text;
  v_scopes text[];
  v_result_id uuid;
  v_was_known boolean;
begin
  if p_idempotency_key is null then
    perform rules.fail('IDEMPOTENCY_KEY_REQUIRED');
  end if;
  perform sec.check_idempotency_key(p_idempotency_key);
  v_scopes := array(select s from sec.scopes_of_caller(p_merchant_code) s);
  if cardinality(v_scopes) = 0 then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  foreach v_scope in array v_scopes loop
    v_was_known := exists (
      select from app.idempotency_keys k where k.scope = v_scope and k.key = p_idempotency_key);
    v_result_id := app.cancel_idempotency_key(v_scope, p_idempotency_key);
    exit when v_result_id is not null;
    if not v_was_known then
      perform audit.log(split_part(v_scope, ':', 1), 'request.cancelled', 'idempotency_key', p_idempotency_key,
        jsonb_build_object('scope', v_scope));
    end if;
  end loop;
  -- Who was dismissed while they waited neither cancels nor is told anything.
  if v_scopes is distinct from array(select s from sec.scopes_of_caller(p_merchant_code) s) then
    perform rules.fail('PERMISSION_DENIED');
  end if;
  if v_result_id is null then
    return query select true, null::uuid, null::text, null::text, null::numeric, null::timestamptz;
    return;
  end if;
  return query
    select false, t.id, t.tx_no, t.tx_type, t.final_amount::numeric, t.created_at
    from (values (v_result_id)) r (id)
    left join app.transactions t on t.id = r.id;
end;
$$;
comment on function public.cancel_request(text, text) is
  'Makes sure that a keyed request never happens: cancelled = true, and whatever is still on its way with this key is REQUEST_CANCELLED. '
  'Or cancelled = false: it happened, stays as it is, and the transaction that it made is told; the columns are NULL when it made none '
  '(a card, an order, points). Waits for one that is running; may be called again. Merchant NULL: the caller''s own requests as admin or '
  'member. Amounts in house currency. Errors, in this order: NOT_AUTHENTICATED, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_INVALID, '
  'NOT_MERCHANT_USER, PERMISSION_DENIED (neither admin nor member).';
revoke all on function public.cancel_request(text, text) from public, anon, authenticated, service_role;
grant execute on function public.cancel_request(text, text) to authenticated;
