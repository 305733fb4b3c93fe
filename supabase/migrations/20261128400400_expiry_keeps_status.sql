-- A card that expires remembers what it was: by a new expiry it is that again, and not active although it had been frozen or lost.

alter table app.cards add column status_before_expiry text
  constraint cards_status_before_expiry_known check (status_before_expiry in ('active', 'frozen', 'lost'));
comment on column app.cards.status_before_expiry is 'Of an expired card: what it is again by a new expiry.';
-- Of those that expired before, the log knows.
update app.cards c
set status_before_expiry = coalesce((
  select e.params ->> 'from' from audit.event_log e
  where e.object_type = 'card' and e.object_id = c.card_no and e.action = 'card.expired'
    and e.params ->> 'from' in ('active', 'frozen', 'lost')
  order by e.id desc limit 1), 'active')
where c.status = 'expired';

create or replace function public.cron_expire_cards()
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
    update app.cards c set status = 'expired', status_before_expiry = v_card.status where c.id = v_card.id;
    perform audit.log('service', 'card.expired', 'card', v_card.card_no, jsonb_build_object('from', v_card.status, 'to', 'expired'));
    v_expired := v_expired + 1;
  end loop;
  return v_expired;
end;
$$;
comment on function public.cron_expire_cards() is
  'Service: marks active, frozen and lost cards whose expiry has passed as expired, at most 500 a call; answers how many, 0 when all are done. '
  'What a card may do follows from its expiry already before; what it was it is again by a new expiry (set_card_expiry). '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED.';
revoke all on function public.cron_expire_cards() from public, anon, authenticated, service_role;
grant execute on function public.cron_expire_cards() to service_role;

create or replace function public.set_card_expiry(p_card_id uuid, p_expires_at timestamptz)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_admin_id uuid := sec.require_admin();
  v_card app.cards := app.lock_card_for_admin_or_owner(p_card_id, '{}');
begin
  if v_card.status = 'closed' then
    perform rules.fail('CARD_STATUS_CONFLICT', jsonb_build_object('status', v_card.status));
  end if;
  if p_expires_at <= clock_timestamp() or not isfinite(p_expires_at) then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'expires_at'));
  end if;
  update app.cards c
  set expires_at = p_expires_at,
      status = case when c.status = 'expired' then coalesce(c.status_before_expiry, 'active') else c.status end,
      status_before_expiry = null
  where c.id = p_card_id;
  perform audit.log('admin', 'card.expiry_set', 'card', v_card.card_no, jsonb_build_object('expires_at', p_expires_at));
  return true;
end;
$$;
comment on function public.set_card_expiry(uuid, timestamptz) is
  'Admin: a new expiry in the future, or NULL for none; an expired card is again what it was before: active, frozen or lost. Errors: '
  'NOT_AUTHENTICATED, PERMISSION_DENIED, CARD_NOT_FOUND, CARD_STATUS_CONFLICT, MALFORMED_ARGUMENT.';
revoke all on function public.set_card_expiry(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function public.set_card_expiry(uuid, timestamptz) to authenticated;
