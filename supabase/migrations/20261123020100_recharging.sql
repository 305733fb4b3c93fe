-- What recharges share: who may, onto which card, and the booking.

create function sec.check_recharge_amount(p_amount numeric)
returns void
language plpgsql immutable
set search_path = ''
as $$
begin
  if not rules.is_amount(p_amount)
     or p_amount not between rules.limit_amount('recharge.amount_min') and rules.limit_amount('recharge.amount_max')
  then
    perform rules.fail('INVALID_RECHARGE_AMOUNT');
  end if;
end;
$$;
comment on function sec.check_recharge_amount(numeric) is 'From 1.00 to 50000.00 with at most two decimals.';

create function sec.check_recharge_provider(p_provider text)
returns void
language plpgsql immutable
set search_path = ''
as $$
begin
  if p_provider is null or p_provider not in ('wechat', 'alipay') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'provider'));
  end if;
end;
$$;
comment on function sec.check_recharge_provider(text) is 'wechat or alipay.';

create function app.check_rechargeable(p_card app.cards, p_member_id uuid)
returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if p_card.status = 'expired' or (p_card.status = 'active' and p_card.expires_at <= clock_timestamp()) then
    perform rules.fail('CARD_EXPIRED');
  end if;
  if p_card.status <> 'active' then
    perform rules.fail('CARD_NOT_ACTIVE');
  end if;
  if exists (
    select from app.member_profiles m where m.id in (p_member_id, p_card.personal_member_id) and m.status <> 'active')
  then
    perform rules.fail('MEMBER_NOT_ACTIVE');
  end if;
  if not (select r.is_rechargeable from app.card_type_rules r where r.card_type = p_card.card_type) then
    perform rules.fail('UNSUPPORTED_CARD_TYPE_FOR_RECHARGE');
  end if;
end;
$$;
comment on function app.check_rechargeable(app.cards, uuid) is
  'Refuses a card that takes no money: its expiry, its status, its member or the one who orders, its type.';

create function app.post_recharge(p_tx app.transactions, p_account text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_tx app.transactions := p_tx;
begin
  v_tx.tx_no := app.next_tx_no('RCG');
  v_tx.tx_type := 'recharge';
  v_tx.final_amount := p_tx.raw_amount;
  v_tx.discount := 1;
  v_tx.discount_source := 'none';
  v_tx.points_earned := 0;
  v_tx.actor_user_id := (sec.caller()).user_id;
  perform app.post_transaction(v_tx);
  insert into app.ledger_entries (tx_id, entry_no, account, card_id, merchant_id, delta)
  values
    (v_tx.id, 1, 'card', v_tx.card_id, null, v_tx.final_amount),
    (v_tx.id, 2, p_account, null, case when p_account = 'merchant_payable' then v_tx.merchant_id end, -v_tx.final_amount);
  update app.cards c set balance = c.balance + v_tx.final_amount where c.id = v_tx.card_id;
end;
$$;
comment on function app.post_recharge(app.transactions, text) is
  'Books money that came onto a card, against the account that holds it: a provider''s clearing, cash, or a merchant''s payable.';

create function app.view_recharge_orders(p_ids uuid[], p_with_payments boolean)
returns table (
  order_no text, card_id uuid, amount numeric, currency text, provider text, status text, is_late boolean, tx_no text,
  expires_at timestamptz, created_at timestamptz, payments jsonb)
language plpgsql stable
set search_path = ''
as $$
begin
  return query
    select
      o.order_no, o.card_id, o.amount::numeric, o.currency, o.provider, o.status, coalesce(c.is_late, false), c.tx_no,
      o.expires_at, o.created_at, case when p_with_payments then p.payments end
    from app.recharge_orders o
    left join lateral (
      select r.is_late, t.tx_no
      from app.recharge_payments r join app.transactions t on t.id = r.tx_id
      where r.order_id = o.id order by r.recorded_at, r.provider_tx_id limit 1) c on true
    left join lateral (
      select jsonb_agg(jsonb_build_object(
        'provider', r.provider, 'provider_tx_id', r.provider_tx_id, 'amount', r.amount::text, 'currency', r.currency,
        'status', r.status, 'review_reason', r.review_reason, 'is_late', r.is_late, 'tx_no', t.tx_no, 'paid_at', r.paid_at,
        'resolved_at', r.resolved_at, 'resolution_note', r.resolution_note) order by r.recorded_at, r.provider_tx_id) as payments
      from app.recharge_payments r left join app.transactions t on t.id = r.tx_id
      where r.order_id = o.id) p on p_with_payments
    where o.id = any (p_ids)
    order by o.id desc;
end;
$$;
comment on function app.view_recharge_orders(uuid[], boolean) is
  'Recharge orders, newest first: the first transaction that credited each, and for admins every payment reported.';
