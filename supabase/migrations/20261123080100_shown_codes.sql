-- What was shown at the till: an online code or a device's. One way for all kinds, for charge, quote and validation.

create type app.shown_code as (card_id uuid, member_id uuid, payment_code_id uuid, device_handle text, device_step bigint);

create function app.find_device_code(p_qr_plain text, p_terminal_code text, p_now timestamptz)
returns app.shown_code
language plpgsql stable
set search_path = ''
as $$
declare
  v_handle text := substr(p_qr_plain, 3, 10);
  v_password bigint := substr(p_qr_plain, 13, 11)::bigint;
  v_terminal_code text := case when left(p_qr_plain, 2) = '72' then p_terminal_code end;
  v_step bigint := rules.offline_step(p_now);
  v_skew int := rules.limit_int('code.otp_steps_skew_max');
  v_device_key bytea;
  v_code app.shown_code;
begin
  select d.card_id, d.member_id, null, d.handle, null into v_code
  from app.payment_devices d where d.handle = v_handle and d.revoked_at is null;
  select rules.device_key(sec.secret(k.secret_name), d.handle) into v_device_key
  from app.payment_devices d
  join sec.master_keys k on k.key_id = d.key_id and k.retired_at is null
  where d.handle = v_code.device_handle;
  -- All steps are computed and compared as integers: how long it takes tells nothing about the password.
  select max(s.step) into v_code.device_step
  from generate_series(v_step - v_skew, v_step + v_skew) as s (step)
  where rules.offline_password(v_device_key, s.step, v_terminal_code)::bigint = v_password;
  if v_code.device_step is null or exists (
    select from app.device_steps s where s.handle = v_handle and s.step = v_code.device_step)
  then
    perform rules.fail('QR_EXPIRED_OR_INVALID');
  end if;
  return v_code;
end;
$$;
comment on function app.find_device_code(text, text, timestamptz) is
  'The device and the step of a live offline code: its password is right for the step of the clock or one beside it, and the step unused. '
  'Unknown and revoked devices, wrong passwords, other terminals and used steps get one answer.';

create function app.find_code(p_qr_plain text, p_terminal_code text, p_now timestamptz default clock_timestamp())
returns app.shown_code
language plpgsql stable
set search_path = ''
as $$
declare
  v_online app.payment_codes;
begin
  if left(p_qr_plain, 2) <> '70' then
    return app.find_device_code(p_qr_plain, p_terminal_code, p_now);
  end if;
  v_online := app.find_payment_code(p_qr_plain);
  return row(v_online.card_id, v_online.member_id, v_online.id, null, null)::app.shown_code;
end;
$$;
comment on function app.find_code(text, text, timestamptz) is 'The card and payer of a live code of any kind, else QR_EXPIRED_OR_INVALID.';

create function app.consume_code(p_code app.shown_code, p_tx_id uuid, p_now timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_code.device_handle is null then
    update app.payment_codes c
    set consumed_at = p_now, consumed_tx_id = p_tx_id
    where c.id = p_code.payment_code_id and c.consumed_at is null and c.revoked_at is null and c.expires_at > p_now;
  -- The device may have been revoked, and the step have grown old, while the charge waited for its locks.
  else
    insert into app.device_steps (handle, step, tx_id)
    select d.handle, p_code.device_step, p_tx_id
    from app.payment_devices d
    where d.handle = p_code.device_handle and d.revoked_at is null
      and abs(p_code.device_step - rules.offline_step(p_now)) <= rules.limit_int('code.otp_steps_skew_max')
    on conflict do nothing;
  end if;
  if not found then
    perform rules.fail('QR_EXPIRED_OR_INVALID');
  end if;
end;
$$;
comment on function app.consume_code(app.shown_code, uuid, timestamptz) is
  'Spends a code in the transaction that charges, under the card''s lock: of two scans exactly one finds it live.';

create function app.check_offline_limits(p_code app.shown_code, p_raw_amount numeric, p_now timestamptz)
returns void
language plpgsql stable
set search_path = ''
as $$
declare
  v_amount_max numeric := app.setting('offline_amount_max')::numeric;
  v_device_day_max numeric := app.setting('offline_device_day_max')::numeric;
  v_card_day_max numeric := app.setting('offline_card_day_max')::numeric;
  v_device_paid numeric;
  v_card_paid numeric;
begin
  select coalesce(sum(d.offline_total) filter (where d.handle = p_code.device_handle), 0), coalesce(sum(d.offline_total), 0)
    into v_device_paid, v_card_paid
  from app.payment_devices d
  where d.card_id = p_code.card_id and d.offline_on >= app.card_day(p_now);
  if p_raw_amount > v_amount_max then
    perform rules.fail('OFFLINE_LIMIT_EXCEEDED', jsonb_build_object('limit', v_amount_max::text));
  end if;
  if v_device_paid + p_raw_amount > v_device_day_max then
    perform rules.fail('OFFLINE_LIMIT_EXCEEDED', jsonb_build_object('limit', v_device_day_max::text));
  end if;
  if v_card_paid + p_raw_amount > v_card_day_max then
    perform rules.fail('OFFLINE_LIMIT_EXCEEDED', jsonb_build_object('limit', v_card_day_max::text));
  end if;
end;
$$;
comment on function app.check_offline_limits(app.shown_code, numeric, timestamptz) is
  'Limits of offline codes on raw amounts: per payment, per device and day, per card and day with the devices revoked since; exact under '
  'the card''s lock.';

create function app.count_offline_payment(p_handle text, p_raw_amount numeric, p_now timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_day date := app.card_day(p_now);
begin
  update app.payment_devices d
  set offline_on = greatest(d.offline_on, v_day),
      offline_total = case when d.offline_on >= v_day then d.offline_total else 0 end + p_raw_amount
  where d.handle = p_handle;
end;
$$;
comment on function app.count_offline_payment(text, numeric, timestamptz) is 'Adds a payment to its device''s day, under the card''s lock.';

drop function app.consume_payment_code(uuid, uuid, timestamptz);
drop function app.agree_payment(app.cards, uuid, app.merchants, numeric, timestamptz);
create function app.agree_payment(
  p_card app.cards, p_code app.shown_code, p_merchant app.merchants, p_raw_amount numeric, p_now timestamptz)
returns app.payment_terms
language plpgsql stable
set search_path = ''
as $$
declare
  v_terms app.payment_terms;
begin
  perform app.check_payer(p_card, p_code.member_id, p_now, 'QR_EXPIRED_OR_INVALID');
  perform app.check_payment_limits(p_card, p_merchant, p_raw_amount, p_now);
  if p_code.device_handle is not null then
    perform app.check_offline_limits(p_code, p_raw_amount, p_now);
  end if;
  v_terms := app.payment_terms_for(p_card, p_code.member_id, p_raw_amount, p_now);
  if v_terms.final_amount > p_card.balance then
    perform rules.fail('INSUFFICIENT_BALANCE');
  end if;
  return v_terms;
end;
$$;
comment on function app.agree_payment(app.cards, app.shown_code, app.merchants, numeric, timestamptz) is
  'The decision of a payment, the same for quote and charge: payer, limits, price, balance.';
