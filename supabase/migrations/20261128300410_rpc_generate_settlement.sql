create or replace function public.generate_settlement(p_merchant_id uuid, p_mode text, p_period_start timestamptz, p_period_end timestamptz)
returns uuid
language plpgsql security definer
set search_path = ''
-- Whoever waits for a posting that hangs makes later ones wait behind it.
set lock_timeout = '5s'
as $$
begin
  perform sec.require_admin_or_service();
  if p_merchant_id is null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'merchant_id'));
  end if;
  if p_mode is null or p_mode not in ('realtime', 't_plus_1', 'monthly') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'mode'));
  end if;
  if p_period_start is null or not isfinite(p_period_start) then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'period_start'));
  end if;
  if p_period_end is null or not isfinite(p_period_end) then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'period_end'));
  end if;
  if p_period_start >= p_period_end then
    perform rules.fail('INVALID_PERIOD', jsonb_build_object('field', 'period_start'));
  end if;
  if p_period_end > clock_timestamp() then
    perform rules.fail('INVALID_PERIOD', jsonb_build_object('field', 'period_end'));
  end if;
  perform app.check_clock();
  return (app.make_settlement(
    p_merchant_id, p_mode, p_period_start, p_period_end, case when sec.is_service() then 'service' else 'admin' end)).id;
end;
$$;
comment on function public.generate_settlement(uuid, text, timestamptz, timestamptz) is
  'Admin, service: settles a merchant up to the end of a half-open period that is over: every payment, refund and cash recharge not '
  'settled yet, late ones of earlier periods included. Answers the settlement''s id. mode: realtime, t_plus_1, monthly. Errors, in this '
  'order: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT, INVALID_PERIOD, CLOCK_IN_DOUBT, MERCHANT_NOT_FOUND, '
  'SETTLEMENT_ALREADY_EXISTS (it overlaps one, whatever the mode), NO_TRANSACTIONS_IN_PERIOD.';
revoke all on function public.generate_settlement(uuid, text, timestamptz, timestamptz) from public, anon, authenticated, service_role;
grant execute on function public.generate_settlement(uuid, text, timestamptz, timestamptz) to authenticated, service_role;
