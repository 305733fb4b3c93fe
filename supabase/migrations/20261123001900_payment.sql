-- What a charge and its quote share: finding the code, and deciding whether and for how much the card pays.

create function sec.check_code_text(p_qr_plain text, p_terminal_code text)
returns void
language plpgsql immutable
set search_path = ''
as $$
declare
  v_kind text := rules.code_kind(p_qr_plain);
begin
  if v_kind is null then
    perform rules.fail('INVALID_QR');
  end if;
  if v_kind = 'offline_terminal' and p_terminal_code is null then
    perform rules.fail('TERMINAL_CODE_REQUIRED');
  end if;
end;
$$;
comment on function sec.check_code_text(text, text) is
  'Refuses text that is no payment code, and a code made for one terminal without that terminal.';

create function sec.check_payment_arguments(p_raw_amount numeric, p_qr_plain text, p_terminal_code text)
returns void
language plpgsql immutable
set search_path = ''
as $$
begin
  if not rules.is_amount(p_raw_amount) then
    perform rules.fail('INVALID_PRICE', jsonb_build_object('field', 'raw_amount'));
  end if;
  perform sec.check_code_text(p_qr_plain, p_terminal_code);
end;
$$;
comment on function sec.check_payment_arguments(numeric, text, text) is
  'Refuses what can be refused without looking anything up: the amount first, then the text of the code.';

create function app.find_payment_code(p_qr_plain text)
returns app.payment_codes
language plpgsql stable
set search_path = ''
as $$
declare
  v_code app.payment_codes;
  v_hashes bytea[] := sec.code_hashes(p_qr_plain);
begin
  select c.* into v_code from app.payment_codes c where c.code_hash = any (v_hashes);
  if v_code.id is null or v_code.consumed_at is not null or v_code.revoked_at is not null
     or v_code.expires_at <= clock_timestamp()
  then
    perform rules.fail('QR_EXPIRED_OR_INVALID');
  end if;
  return v_code;
end;
$$;
comment on function app.find_payment_code(text) is
  'A live code by its keyed hash, one index look-up. Wrong, expired, used, revoked and unknown codes get one answer.';

create function app.consume_payment_code(p_code_id uuid, p_tx_id uuid, p_now timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update app.payment_codes c
  set consumed_at = p_now, consumed_tx_id = p_tx_id
  where c.id = p_code_id and c.consumed_at is null and c.revoked_at is null and c.expires_at > p_now;
  if not found then
    perform rules.fail('QR_EXPIRED_OR_INVALID');
  end if;
end;
$$;
comment on function app.consume_payment_code(uuid, uuid, timestamptz) is
  'Spends a code in the transaction that charges: of two scans exactly one finds it live.';

create function app.check_payer(p_card app.cards, p_member_id uuid, p_now timestamptz, p_unbound_code text)
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if not exists (
    select from app.card_bindings b
    where b.card_id = p_card.id and b.member_id = p_member_id and b.role in ('owner', 'admin', 'member'))
  then
    perform rules.fail(p_unbound_code);
  end if;
  if p_card.status = 'expired' or (p_card.status = 'active' and p_card.expires_at <= p_now) then
    perform rules.fail('CARD_EXPIRED');
  end if;
  if p_card.status <> 'active' then
    perform rules.fail('CARD_NOT_ACTIVE');
  end if;
  if not exists (select from app.member_profiles m where m.id = p_member_id and m.status = 'active') then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  if exists (select from app.card_type_rules r where r.card_type = p_card.card_type and r.pays = 'no') then
    perform rules.fail('UNSUPPORTED_CARD_TYPE_FOR_PAYMENT');
  end if;
end;
$$;
comment on function app.check_payer(app.cards, uuid, timestamptz, text) is
  'Refuses unless this member may pay with this card now: bound in a role that pays, card active, member active.';

create function app.card_day(p_now timestamptz)
returns date
language sql stable
as $$ select (p_now at time zone app.setting('time_zone'))::date $$;
comment on function app.card_day(timestamptz) is 'The day of a moment in the time zone of the house.';

create function app.check_payment_limits(p_card app.cards, p_merchant app.merchants, p_raw_amount numeric, p_now timestamptz)
returns void
language plpgsql stable
set search_path = ''
as $$
declare
  v_amount_max numeric := app.setting('payment_amount_max')::numeric;
  v_card_day_max numeric := app.setting('payment_card_day_max')::numeric;
  v_card_paid numeric := case when p_card.paid_on >= app.card_day(p_now) then p_card.paid_on_total else 0 end;
  v_merchant_took numeric;
begin
  if p_raw_amount > v_amount_max then
    perform rules.fail('AMOUNT_OVER_LIMIT', jsonb_build_object('limit', v_amount_max::text));
  end if;
  if v_card_paid + p_raw_amount > v_card_day_max then
    perform rules.fail('CARD_DAILY_LIMIT_EXCEEDED', jsonb_build_object('limit', v_card_day_max::text));
  end if;
  if p_merchant.day_max is not null then
    select coalesce(sum(d.raw_total), 0) into v_merchant_took
    from app.merchant_day_totals d
    where d.merchant_id = p_merchant.id and d.day = (p_now at time zone p_merchant.time_zone)::date;
    if v_merchant_took + p_raw_amount > p_merchant.day_max then
      perform rules.fail('MERCHANT_DAILY_LIMIT_EXCEEDED', jsonb_build_object('limit', p_merchant.day_max::text));
    end if;
  end if;
end;
$$;
comment on function app.check_payment_limits(app.cards, app.merchants, numeric, timestamptz) is
  'Limits on raw amounts: per payment, per card and day (exact under the card''s lock), per merchant and day where set.';

create type app.payment_terms as (
  discount numeric(4, 3),
  discount_source text,
  discount_card_id uuid,
  final_amount numeric(14, 2),
  points_earned bigint
);

create function app.payment_terms_for(p_card app.cards, p_member_id uuid, p_raw_amount numeric, p_now timestamptz)
returns app.payment_terms
language plpgsql stable
set search_path = ''
as $$
declare
  v_type app.card_type_rules;
  v_corporate record;
  v_terms app.payment_terms;
begin
  select r.* into strict v_type from app.card_type_rules r where r.card_type = p_card.card_type;
  v_terms.discount := 1;
  v_terms.discount_source := 'none';
  if v_type.has_fixed_discount and p_card.fixed_discount is not null then
    v_terms.discount := p_card.fixed_discount;
    v_terms.discount_source := 'card';
    v_terms.discount_card_id := p_card.id;
  elsif v_type.has_level_discount then
    v_terms.discount := (app.level_of(p_card.points)).discount;
    v_terms.discount_source := 'level';
  end if;
  if v_type.has_corporate_discount then
    select c.id, c.fixed_discount into v_corporate
    from app.card_bindings b
    join app.cards c on c.id = b.card_id
    where b.member_id = p_member_id
      and b.role in ('owner', 'admin', 'member')
      and c.card_type = 'corporate'
      and c.status = 'active'
      and (c.expires_at is null or c.expires_at > p_now)
      and c.fixed_discount is not null
    order by c.fixed_discount, c.card_no
    limit 1;
    if v_corporate.fixed_discount < v_terms.discount then
      v_terms.discount := v_corporate.fixed_discount;
      v_terms.discount_source := 'corporate';
      v_terms.discount_card_id := v_corporate.id;
    end if;
  end if;
  v_terms.final_amount := rules.final_price(p_raw_amount, v_terms.discount);
  v_terms.points_earned := rules.points_for(p_raw_amount, v_terms.final_amount, v_type.earns_points);
  return v_terms;
end;
$$;
comment on function app.payment_terms_for(app.cards, uuid, numeric, timestamptz) is
  'Discount, final amount and points. A standard card takes the lowest of its level and the corporate cards of the payer; ties go to the level.';

create function app.agree_payment(
  p_card app.cards, p_member_id uuid, p_merchant app.merchants, p_raw_amount numeric, p_now timestamptz)
returns app.payment_terms
language plpgsql stable
set search_path = ''
as $$
declare
  v_terms app.payment_terms;
begin
  perform app.check_payer(p_card, p_member_id, p_now, 'QR_EXPIRED_OR_INVALID');
  perform app.check_payment_limits(p_card, p_merchant, p_raw_amount, p_now);
  v_terms := app.payment_terms_for(p_card, p_member_id, p_raw_amount, p_now);
  if v_terms.final_amount > p_card.balance then
    perform rules.fail('INSUFFICIENT_BALANCE');
  end if;
  return v_terms;
end;
$$;
comment on function app.agree_payment(app.cards, uuid, app.merchants, numeric, timestamptz) is
  'The decision of a payment, the same for quote and charge: payer, limits, price, balance.';

create function app.check_merchant_can_charge(p_merchant app.merchants, p_terminal_code text)
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if p_merchant.status is distinct from 'active' then
    perform rules.fail('MERCHANT_NOT_FOUND_OR_INACTIVE');
  end if;
  if p_terminal_code is not null and not exists (
    select from app.terminals t
    where t.code = p_terminal_code and t.merchant_id = p_merchant.id and t.status = 'active')
  then
    perform rules.fail('TERMINAL_NOT_FOUND');
  end if;
end;
$$;
comment on function app.check_merchant_can_charge(app.merchants, text) is
  'Refuses a suspended merchant, then a terminal that is not an active one of this merchant.';
