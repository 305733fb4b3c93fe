create function app.idempotency_violations()
returns table (rule text, object text, detail text)
language sql stable
set search_path = ''
as $$
  select 'key_names_its_result', k.scope, k.result_id::text
  from app.idempotency_keys k
  where not exists (select from app.transactions t where t.id = k.result_id)
    and not exists (select from app.cards c where c.id = k.result_id and k.scope like 'admin:%')
    and not exists (select from app.point_ledger p where p.id = k.result_id and k.scope like 'admin:%')
    and not exists (select from app.recharge_orders o where o.id = k.result_id and k.scope like 'member:%')
$$;
comment on function app.idempotency_violations() is 'Remembered requests whose answer is not there.';

create or replace function public.verify_ledger()
returns table (rule text, object text, detail text)
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform sec.require_admin_or_service();
  return query
    select v.* from app.booking_violations() v
    union all
    select v.* from app.card_violations() v
    union all
    select v.* from app.payment_violations() v
    union all
    select v.* from app.device_violations() v
    union all
    select v.* from app.recharge_violations() v
    union all
    select v.* from app.settlement_violations() v
    union all
    select v.* from app.merchant_violations() v
    union all
    select v.* from app.member_violations() v
    union all
    select v.* from app.reference_violations() v
    union all
    select v.* from app.idempotency_violations() v;
end;
$$;
revoke all on function public.verify_ledger() from public, anon, authenticated, service_role;
grant execute on function public.verify_ledger() to authenticated, service_role;
