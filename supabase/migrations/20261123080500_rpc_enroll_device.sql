create function app.lock_own_card_for_devices(p_card_id uuid, p_member_id uuid)
returns app.cards
language plpgsql
set search_path = ''
as $$
declare
  v_card app.cards;
begin
  -- Looked at before locking, so that a stranger cannot queue up on somebody's card.
  if app.card_role(p_card_id, p_member_id) is null then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  select c.* into v_card from app.cards c where c.id = p_card_id for no key update;
  -- He may have been unbound meanwhile.
  if app.card_role(p_card_id, p_member_id) is null then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  return v_card;
end;
$$;
comment on function app.lock_own_card_for_devices(uuid, uuid) is
  'Locks a card the member is bound to, as a charge does; an unknown card and one he is not bound to get the same answer.';

create function sec.normal_device_label(p_label text)
returns text
language plpgsql immutable
set search_path = ''
as $$
declare
  v_label text := btrim(coalesce(p_label, ''));
begin
  if v_label !~ '[^[:space:]]' or char_length(v_label) > rules.limit_int('device.label_chars_max') or v_label ~ '[[:cntrl:]]' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'label'));
  end if;
  return v_label;
end;
$$;
comment on function sec.normal_device_label(text) is 'A device''s label of 1 to 64 characters, trimmed, without control characters.';

create function public.enroll_device(p_card_id uuid, p_label text)
returns table (handle text, device_key text)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_label text := sec.normal_device_label(p_label);
  v_member app.member_profiles := sec.own_member();
  v_card app.cards := app.lock_own_card_for_devices(p_card_id, v_member.id);
  v_live_max int := rules.limit_int('device.live_max');
  v_key_id smallint;
  v_now timestamptz := clock_timestamp();
begin
  perform app.check_payer(v_card, v_member.id, v_now, 'PERMISSION_DENIED');
  if (select count(*) from app.payment_devices d where d.card_id = p_card_id and d.revoked_at is null) >= v_live_max then
    perform rules.fail('DEVICE_LIMIT_REACHED', jsonb_build_object('limit', v_live_max));
  end if;
  v_key_id := sec.current_key_id();
  loop
    enroll_device.handle := app.random_digits(rules.limit_int('code.handle_digits'));
    insert into app.payment_devices (handle, key_id, card_id, member_id, label, enrolled_at)
    values (enroll_device.handle, v_key_id, p_card_id, v_member.id, v_label, v_now)
    on conflict do nothing;
    exit when found;
  end loop;
  select encode(rules.device_key(sec.secret(k.secret_name), enroll_device.handle), 'hex') into strict enroll_device.device_key
  from sec.master_keys k where k.key_id = v_key_id;
  perform audit.log('member', 'device.enrolled', 'device', enroll_device.handle, jsonb_build_object('card_no', v_card.card_no));
  return next;
end;
$$;
comment on function public.enroll_device(uuid, text) is
  'Makes the caller''s phone a device that can make offline codes for a card he may pay with; at most 5 live a card. label: 1 to 64 '
  'characters. handle: 10 digits; device_key: 64 hex digits, returned once and stored nowhere. Errors: NOT_AUTHENTICATED, '
  'MALFORMED_ARGUMENT, CARD_NOT_FOUND, PERMISSION_DENIED, CARD_EXPIRED, CARD_NOT_ACTIVE, MEMBER_NOT_ACTIVE, '
  'UNSUPPORTED_CARD_TYPE_FOR_PAYMENT, DEVICE_LIMIT_REACHED, NOT_CONFIGURED.';
revoke all on function public.enroll_device(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.enroll_device(uuid, text) to authenticated;
