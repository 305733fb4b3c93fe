-- What would leave more on a card than its type holds is recorded, and waits for an admin.

alter table app.recharge_payments
  drop constraint recharge_payments_review_reason_known,
  add constraint recharge_payments_review_reason_known check (review_reason in (
    'wrong_provider', 'wrong_currency', 'wrong_amount', 'second_payment', 'card_closed', 'balance_over_limit'));

create or replace function app.review_reason_for(
  p_order app.recharge_orders, p_card app.cards, p_provider text, p_amount numeric, p_currency text)
returns text
language plpgsql stable
as $$
begin
  return case
    when p_order.status not in ('pending', 'expired') then 'second_payment'
    when p_order.provider is distinct from p_provider then 'wrong_provider'
    when p_order.currency is distinct from p_currency then 'wrong_currency'
    when p_order.amount is distinct from p_amount then 'wrong_amount'
    when p_card.status = 'closed' then 'card_closed'
    when p_card.balance + p_amount > app.balance_max(p_card) then 'balance_over_limit'
  end;
end;
$$;
comment on function app.review_reason_for(app.recharge_orders, app.cards, text, numeric, text) is
  'Why a verified payment waits for an admin; NULL when it is credited at once.';

comment on function public.complete_recharge_order(text, text, text, numeric, text, timestamptz) is
  'Service: a payment that the provider''s verified notification or query reported. Credits once per provider transaction and once per '
  'order; what does not fit (amount, currency, provider, a second payment, a closed card, one that would hold too much) is recorded '
  'and answered as needs_review, for an admin. A payment after the order expired is credited and flagged is_late. The same provider '
  'transaction again: its record, replayed = true. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, INVALID_RECHARGE_AMOUNT, '
  'MALFORMED_ARGUMENT, RECHARGE_ORDER_NOT_FOUND, RECHARGE_ORDER_STATUS_CONFLICT (the transaction paid another order).';
