create or replace function public.quote_payment(
  p_merchant_code text, p_qr_plain text, p_raw_amount numeric, p_terminal_code text default null)
returns table (
  card_id uuid, card_type text, raw_amount numeric, discount numeric, discount_source text, final_amount numeric,
  points_earned bigint)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_merchant app.merchants;
  v_code app.shown_code;
  v_card app.cards;
  v_terms app.payment_terms;
begin
  perform sec.check_payment_arguments(p_raw_amount, p_qr_plain, p_terminal_code);
  v_merchant := sec.merchant_of_caller(p_merchant_code);
  perform app.check_merchant_can_charge(v_merchant, p_terminal_code);
  v_code := app.find_code(p_qr_plain, p_terminal_code);
  select c.* into strict v_card from app.cards c where c.id = v_code.card_id;
  v_terms := app.agree_payment(v_card, v_code, v_merchant, p_raw_amount, clock_timestamp());
  return query select
    v_card.id, v_card.card_type, p_raw_amount::numeric(14, 2), v_terms.discount, v_terms.discount_source,
    v_terms.final_amount, v_terms.points_earned;
end;
$$;
comment on function public.quote_payment(text, text, numeric, text) is
  'What a charge of this code would cost now, by the charge''s own path without locks and writes. '
  'Errors: those of merchant_charge_by_qr without keys and orders.';
revoke all on function public.quote_payment(text, text, numeric, text) from public, anon, authenticated, service_role;
grant execute on function public.quote_payment(text, text, numeric, text) to authenticated;
