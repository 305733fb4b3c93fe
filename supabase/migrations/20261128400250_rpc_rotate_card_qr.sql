-- With a bound of what the code pays. Names are never overloaded: the call without it is the new one's.
drop function public.rotate_card_qr(uuid, int);

create function public.rotate_card_qr(p_card_id uuid, p_ttl_seconds int default 900, p_amount_max numeric default null)
returns table (qr_plain text, qr_expires_at timestamptz)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_member app.member_profiles;
  v_card app.cards;
  v_key_id smallint;
  v_now timestamptz;
begin
  if p_ttl_seconds is null or p_ttl_seconds not between
     rules.limit_int('code.lifetime_seconds_min') and rules.limit_int('code.lifetime_seconds_max')
  then
    perform rules.fail('INVALID_TTL', jsonb_build_object(
      'seconds_min', rules.limit_int('code.lifetime_seconds_min'),
      'seconds_max', rules.limit_int('code.lifetime_seconds_max')));
  end if;
  if p_amount_max is not null and not rules.is_amount(p_amount_max) then
    perform rules.fail('INVALID_PRICE', jsonb_build_object('field', 'amount_max'));
  end if;
  v_member := sec.own_member();
  v_card := app.lock_own_card_for_codes(p_card_id, v_member.id);
  v_now := clock_timestamp();
  perform app.check_payer(v_card, v_member.id, v_now, 'PERMISSION_DENIED');
  v_key_id := sec.current_key_id();
  perform app.revoke_open_code(p_card_id, v_member.id);
  qr_plain := '70' || app.random_digits(rules.limit_int('code.body_digits'));
  qr_plain := qr_plain || rules.luhn_digit(qr_plain);
  qr_expires_at := v_now + make_interval(secs => p_ttl_seconds);
  insert into app.payment_codes (code_hash, key_id, card_id, member_id, issued_at, expires_at, amount_max)
  select rules.code_hash(sec.secret(k.secret_name), qr_plain), k.key_id, p_card_id, v_member.id, v_now, qr_expires_at, p_amount_max
  from sec.master_keys k where k.key_id = v_key_id;
  perform audit.log('member', 'code.issued', 'card', v_card.card_no,
    jsonb_strip_nulls(jsonb_build_object('ttl_seconds', p_ttl_seconds, 'amount_max', p_amount_max::text)));
  return next;
end;
$$;
comment on function public.rotate_card_qr(uuid, int, numeric) is
  'A fresh online payment code of the caller for a card they may pay with; ends their earlier code of that card. Lifetime 60 to 86400 '
  's. p_amount_max: most raw amount that it pays (AMOUNT_OVER_CODE_LIMIT above it, nothing consumed); NULL is no bound of its own. The '
  'plain code is returned once and stored nowhere. Errors: NOT_AUTHENTICATED, INVALID_TTL, INVALID_PRICE, CARD_NOT_FOUND, '
  'PERMISSION_DENIED, CARD_EXPIRED, CARD_NOT_ACTIVE, MEMBER_NOT_ACTIVE, UNSUPPORTED_CARD_TYPE_FOR_PAYMENT, NOT_CONFIGURED.';
revoke all on function public.rotate_card_qr(uuid, int, numeric) from public, anon, authenticated, service_role;
grant execute on function public.rotate_card_qr(uuid, int, numeric) to authenticated;
