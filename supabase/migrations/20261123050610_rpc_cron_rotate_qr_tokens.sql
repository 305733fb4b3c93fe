create index payment_codes_open_by_expiry on app.payment_codes (expires_at) where consumed_at is null and revoked_at is null;

create function public.cron_rotate_qr_tokens(p_ttl_seconds int default 900)
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_revoked int;
begin
  perform sec.require_service();
  if p_ttl_seconds is null or p_ttl_seconds not between 0 and rules.limit_int('code.lifetime_seconds_max') then
    perform rules.fail('INVALID_TTL', jsonb_build_object(
      'seconds_min', 0, 'seconds_max', rules.limit_int('code.lifetime_seconds_max')));
  end if;
  with aged as (
    select p.id
    from app.payment_codes p
    join app.cards c on c.id = p.card_id
    join app.card_type_rules r on r.card_type = c.card_type and r.is_shareable
    where p.consumed_at is null and p.revoked_at is null and p.expires_at > v_now
      and p.issued_at <= v_now - make_interval(secs => p_ttl_seconds)
    order by p.expires_at
    limit 1000
    for update of p skip locked
  )
  update app.payment_codes p set revoked_at = clock_timestamp()
  from aged a
  where p.id = a.id and p.consumed_at is null and p.revoked_at is null;
  get diagnostics v_revoked = row_count;
  if v_revoked > 0 then
    perform audit.log('service', 'codes.revoked', 'payment_code', null,
      jsonb_build_object('codes', v_revoked, 'ttl_seconds', p_ttl_seconds));
  end if;
  return v_revoked;
end;
$$;
comment on function public.cron_rotate_qr_tokens(int) is
  'Service: revokes live codes of shared cards that were issued p_ttl_seconds ago or earlier (0: all), at most 1000 a call; answers how '
  'many, 0 when all are done. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, INVALID_TTL.';
revoke all on function public.cron_rotate_qr_tokens(int) from public, anon, authenticated, service_role;
grant execute on function public.cron_rotate_qr_tokens(int) to service_role;
