create function public.rotate_card_qr(p_card_id uuid, p_ttl_seconds int default 900)
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
  v_member := sec.own_member();
  v_card := app.lock_own_card_for_codes(p_card_id, v_member.id);
  v_now := clock_timestamp();
  perform app.check_payer(v_card, v_member.id, v_now, 'PERMISSION_DENIED');
  v_key_id := sec.current_key_id();
  perform app.revoke_open_code(p_card_id, v_member.id);
  qr_plain := '70' || app.random_digits(rules.limit_int('code.body_digits'));
  qr_plain := qr_plain || rules.luhn_digit(qr_plain);
  qr_expires_at := v_now + make_interval(secs => p_ttl_seconds);
  insert into app.payment_codes (code_hash, key_id, card_id, member_id, issued_at, expires_at)
  select rules.code_hash(sec.secret(k.secret_name), qr_plain), k.key_id, p_card_id, v_member.id, v_now, qr_expires_at
  from sec.master_keys k where k.key_id = v_key_id;
  perform audit.log('member', 'code.issued', 'card', v_card.card_no, jsonb_build_object('ttl_seconds', p_ttl_seconds));
  return next;
end;
$$;
comment on function public.rotate_card_qr(uuid, int) is
  'A fresh online payment code of the caller for a card he may pay with; ends his earlier code of that card. Lifetime 60 to 86400 s. '
  'The plain code is returned once and stored nowhere. Errors: NOT_AUTHENTICATED, INVALID_TTL, CARD_NOT_FOUND, PERMISSION_DENIED, '
  'CARD_EXPIRED, CARD_NOT_ACTIVE, MEMBER_NOT_ACTIVE, UNSUPPORTED_CARD_TYPE_FOR_PAYMENT, NOT_CONFIGURED.';
revoke all on function public.rotate_card_qr(uuid, int) from public, anon, authenticated, service_role;
grant execute on function public.rotate_card_qr(uuid, int) to authenticated;
