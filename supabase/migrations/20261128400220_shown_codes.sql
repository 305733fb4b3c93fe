-- An online code may carry what its holder allows it to pay.

alter table app.payment_codes add column amount_max numeric(14, 2)
  constraint payment_codes_amount_max_not_positive check (amount_max > 0 and amount_max <> 'NaN');
comment on column app.payment_codes.amount_max is 'Most raw amount that the code pays; NULL is no bound of its own.';
-- Which code of a payer is the newest.
create index payment_codes_by_payer on app.payment_codes (card_id, member_id, id);
alter type app.shown_code add attribute amount_max numeric;

create or replace function app.find_code(p_qr_plain text, p_terminal_code text, p_now timestamptz default clock_timestamp())
returns app.shown_code
language plpgsql stable
as $$
declare
  v_online app.payment_codes;
begin
  if left(p_qr_plain, 2) <> '70' then
    return app.find_device_code(p_qr_plain, p_terminal_code, p_now);
  end if;
  v_online := app.find_payment_code(p_qr_plain);
  return row(v_online.card_id, v_online.member_id, v_online.id, null, null, v_online.amount_max)::app.shown_code;
end;
$$;
comment on function app.find_code(text, text, timestamptz) is
  'The card and payer of a live code of any kind, else QR_EXPIRED_OR_INVALID.';

create or replace function app.find_device_code(p_qr_plain text, p_terminal_code text, p_now timestamptz)
returns app.shown_code
language plpgsql stable
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
  select d.card_id, d.member_id, null, d.handle, null, null into v_code
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
  'The device and the step of a live offline code: its password is right for the step of the clock or one beside it, and the step '
  'unused. Unknown and revoked devices, wrong passwords, other terminals and used steps get one answer.';

create or replace function app.agree_payment(
  p_card app.cards, p_code app.shown_code, p_merchant app.merchants, p_raw_amount numeric, p_now timestamptz)
returns app.payment_terms
language plpgsql stable
as $$
declare
  v_terms app.payment_terms;
begin
  perform app.check_payer(p_card, p_code.member_id, p_now, 'QR_EXPIRED_OR_INVALID');
  if p_raw_amount > p_code.amount_max then
    perform rules.fail('AMOUNT_OVER_CODE_LIMIT', jsonb_build_object('limit', p_code.amount_max::numeric(14, 2)::text));
  end if;
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
  'The decision of a payment, the same for quote and charge: payer, what the code allows, limits, price, balance.';
