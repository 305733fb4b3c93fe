-- What a card can hold is bounded by its type, far below what the column can: a rule of stored value of a country fits in, and no sum of
-- two amounts that are right ends as a number that is none.

insert into app.settings (key, value, kind, comment, min_value, max_value)
select 'card_balance_max_' || r.card_type, rules.limit_amount('card.balance_max')::text, 'amount',
       format('Most that a %s card holds; no credit goes above it', r.card_type), 0.00, 100000000000.00
from app.card_type_rules r;

create function app.balance_max(p_card app.cards)
returns numeric
language plpgsql stable
as $$
begin
  return app.setting('card_balance_max_' || p_card.card_type)::numeric;
end;
$$;
comment on function app.balance_max(app.cards) is 'Most that a card of this type holds.';

create function app.check_balance_max(p_card app.cards, p_amount numeric)
returns void
language plpgsql stable
as $$
begin
  if p_card.balance + p_amount > app.balance_max(p_card) then
    perform rules.fail('BALANCE_OVER_LIMIT', jsonb_build_object('limit', app.balance_max(p_card)::text));
  end if;
end;
$$;
comment on function app.check_balance_max(app.cards, numeric) is
  'Refuses a credit that would leave more on a locked card than its type holds. Every credit: whoever cannot put it there gives it back '
  'another way.';

create or replace function app.post_adjustment(p_card_id uuid, p_delta numeric, p_reason text, p_tx_id uuid default app.uuid_v7())
returns app.transactions
language plpgsql
as $$
declare
  v_card app.cards;
  v_tx app.transactions;
begin
  select c.* into strict v_card from app.cards c where c.id = p_card_id for no key update;
  if p_delta > 0 then
    perform app.check_balance_max(v_card, p_delta);
  end if;
  v_tx.created_at := clock_timestamp();
  v_tx.id := p_tx_id;
  v_tx.tx_no := app.next_tx_no('ADJ');
  v_tx.tx_type := 'adjustment';
  v_tx.card_id := p_card_id;
  v_tx.raw_amount := abs(p_delta);
  v_tx.discount := 1;
  v_tx.discount_source := 'none';
  v_tx.final_amount := abs(p_delta);
  v_tx.points_earned := 0;
  v_tx.tag := jsonb_build_object('reason', p_reason);
  v_tx.actor_user_id := (sec.caller()).user_id;
  perform app.post_transaction(v_tx);
  insert into app.ledger_entries (tx_id, entry_no, account, card_id, delta)
  values (v_tx.id, 1, 'card', p_card_id, p_delta), (v_tx.id, 2, 'adjustments', null, -p_delta);
  update app.cards c set balance = c.balance + p_delta where c.id = p_card_id;
  return v_tx;
end;
$$;
comment on function app.post_adjustment(uuid, numeric, text, uuid) is
  'Credits or debits a card against the adjustments account, as an initial balance does. A credit can be BALANCE_OVER_LIMIT.';

create or replace function app.post_recharge(p_tx app.transactions, p_account text)
returns void
language plpgsql
as $$
declare
  v_tx app.transactions := p_tx;
begin
  perform app.check_balance_max(c, p_tx.raw_amount) from app.cards c where c.id = p_tx.card_id;
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
  'Books money that came onto a locked card, against the account that holds it: a provider''s clearing, cash, or a merchant''s payable. Can be '
  'BALANCE_OVER_LIMIT.';

create or replace function app.post_refund(p_tx app.transactions, p_card app.cards)
returns void
language plpgsql
as $$
begin
  perform app.check_balance_max(p_card, p_tx.final_amount);
  perform app.post_transaction(p_tx);
  insert into app.ledger_entries (tx_id, entry_no, account, card_id, merchant_id, delta)
  values
    (p_tx.id, 1, 'card', p_card.id, null, p_tx.final_amount),
    (p_tx.id, 2, 'merchant_payable', null, p_tx.merchant_id, -p_tx.final_amount);
  update app.cards c set balance = c.balance + p_tx.final_amount where c.id = p_card.id;
  if p_tx.points_earned <> 0 then
    perform app.change_points(p_card.id, p_tx.points_earned, p_tx.id, 'refund', p_tx.created_at);
  end if;
end;
$$;
comment on function app.post_refund(app.transactions, app.cards) is
  'Books a refund: back onto the card, out of the merchant''s payable, and the points it takes. Can be BALANCE_OVER_LIMIT.';
