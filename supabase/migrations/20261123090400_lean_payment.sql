-- What a payment reads, in one statement a question.

create or replace function app.find_payment_code(p_qr_plain text)
returns app.payment_codes
language plpgsql stable
as $$
declare
  v_code app.payment_codes;
begin
  -- A join on the keys, not an array of hashes: its plan is kept, and looks up one hash a key.
  select c.* into v_code
  from sec.master_keys k
  join app.payment_codes c on c.code_hash = rules.code_hash(sec.secret(k.secret_name), p_qr_plain)
  where k.retired_at is null;
  if v_code.id is null or v_code.consumed_at is not null or v_code.revoked_at is not null
     or v_code.expires_at <= clock_timestamp()
  then
    perform rules.fail('QR_EXPIRED_OR_INVALID');
  end if;
  return v_code;
end;
$$;

create or replace function app.check_merchant_order(p_merchant_id uuid, p_external_order_id text)
returns void
language plpgsql stable
as $$
declare
  v_tx_no text;
begin
  if p_external_order_id is null then
    return;
  end if;
  select t.tx_no into v_tx_no
  from app.merchant_orders o
  join app.transactions t on t.id = o.tx_id
  where o.merchant_id = p_merchant_id and o.external_order_id = p_external_order_id
    and (t.final_amount = 0 or app.refunded_amount(t.id) < t.final_amount);
  if v_tx_no is not null then
    perform rules.fail('EXTERNAL_ORDER_ALREADY_PAID', jsonb_build_object('tx_no', v_tx_no));
  end if;
end;
$$;

create or replace function app.check_payer(p_card app.cards, p_member_id uuid, p_now timestamptz, p_unbound_code text)
returns void
language plpgsql stable
as $$
declare
  v_payer record;
begin
  select
    (select b.role from app.card_bindings b where b.card_id = p_card.id and b.member_id = p_member_id) as role,
    (select m.status from app.member_profiles m where m.id = p_member_id) as member_status,
    (select r.pays from app.card_type_rules r where r.card_type = p_card.card_type) as pays
    into v_payer;
  if v_payer.role is null or v_payer.role not in ('owner', 'admin', 'member') then
    perform rules.fail(p_unbound_code);
  end if;
  if p_card.status = 'expired' or (p_card.status = 'active' and p_card.expires_at <= p_now) then
    perform rules.fail('CARD_EXPIRED');
  end if;
  if p_card.status <> 'active' then
    perform rules.fail('CARD_NOT_ACTIVE');
  end if;
  if v_payer.member_status is distinct from 'active' then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  if v_payer.pays is not distinct from 'no' then
    perform rules.fail('UNSUPPORTED_CARD_TYPE_FOR_PAYMENT');
  end if;
end;
$$;

create or replace function app.payment_terms_for(p_card app.cards, p_member_id uuid, p_raw_amount numeric, p_now timestamptz)
returns app.payment_terms
language plpgsql stable
as $$
declare
  v_type record;
  v_corporate record;
  v_terms app.payment_terms;
begin
  select r.has_fixed_discount, r.has_level_discount, r.has_corporate_discount, r.earns_points, l.discount as level_discount
    into strict v_type
  from app.card_type_rules r
  cross join app.level_of(p_card.points) l
  where r.card_type = p_card.card_type;
  v_terms.discount := 1;
  v_terms.discount_source := 'none';
  if v_type.has_fixed_discount and p_card.fixed_discount is not null then
    v_terms.discount := p_card.fixed_discount;
    v_terms.discount_source := 'card';
    v_terms.discount_card_id := p_card.id;
  elsif v_type.has_level_discount then
    v_terms.discount := v_type.level_discount;
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

create or replace function app.check_payment_limits(p_card app.cards, p_merchant app.merchants, p_raw_amount numeric, p_now timestamptz)
returns void
language plpgsql stable
as $$
declare
  v_amount_max numeric := app.setting('payment_amount_max')::numeric;
  v_card_day_max numeric := app.setting('payment_card_day_max')::numeric;
  v_merchant_took numeric;
begin
  if p_raw_amount > v_amount_max then
    perform rules.fail('AMOUNT_OVER_LIMIT', jsonb_build_object('limit', v_amount_max::text));
  end if;
  -- The day matters only where what was paid before does.
  if p_raw_amount > v_card_day_max or (
     p_card.paid_on_total + p_raw_amount > v_card_day_max and p_card.paid_on >= app.card_day(p_now))
  then
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
