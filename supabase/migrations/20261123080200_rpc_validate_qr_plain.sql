create or replace function public.validate_qr_plain(p_qr_plain text, p_terminal_code text default null)
returns uuid
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
begin
  perform sec.check_code_text(p_qr_plain, p_terminal_code);
  if not exists (select from app.merchant_users u where u.user_id = v_user_id) then
    perform rules.fail('NOT_MERCHANT_USER');
  end if;
  if p_terminal_code is not null and not exists (
    select from app.terminals t
    join app.merchant_users u on u.merchant_id = t.merchant_id and u.user_id = v_user_id
    where t.code = p_terminal_code and t.status = 'active')
  then
    perform rules.fail('TERMINAL_NOT_FOUND');
  end if;
  return (app.find_code(p_qr_plain, p_terminal_code)).card_id;
end;
$$;
comment on function public.validate_qr_plain(text, text) is
  'The card behind a live code, online or offline, for merchant users; consumes nothing. Errors: NOT_AUTHENTICATED, INVALID_QR, '
  'TERMINAL_CODE_REQUIRED, NOT_MERCHANT_USER, TERMINAL_NOT_FOUND, QR_EXPIRED_OR_INVALID.';
revoke all on function public.validate_qr_plain(text, text) from public, anon, authenticated, service_role;
grant execute on function public.validate_qr_plain(text, text) to authenticated;
