create function public.cron_expire_cards()
returns int
language plpgsql security definer
set search_path = ''
as $$
declare
  v_card app.cards;
  v_expired int := 0;
begin
  perform sec.require_service();
  -- A card that somebody holds is left for the next call: nobody waits for this one.
  for v_card in
    select c.* from app.cards c
    where c.expires_at is not null and c.expires_at <= clock_timestamp() and c.status in ('active', 'frozen', 'lost')
    order by c.expires_at
    limit 500
    for update skip locked
  loop
    update app.cards c set status = 'expired' where c.id = v_card.id;
    perform audit.log('service', 'card.expired', 'card', v_card.card_no, jsonb_build_object('from', v_card.status, 'to', 'expired'));
    v_expired := v_expired + 1;
  end loop;
  return v_expired;
end;
$$;
comment on function public.cron_expire_cards() is
  'Service: marks active, frozen and lost cards whose expiry has passed as expired, at most 500 a call; answers how many, 0 when all are '
  'done. What a card may do follows from its expiry already before. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_expire_cards() from public, anon, authenticated, service_role;
grant execute on function public.cron_expire_cards() to service_role;
