-- The error contract: SQLSTATE PT<status>, the message is the code and nothing else, the detail carries the params.
-- The list is by hand; a generated pgTAP test compares it with spec/errors.toml.

create function rules.error_codes()
returns table (code text, status int)
language sql immutable parallel safe
as $$
  values
    ('NOT_FOUND', 404),
    ('METHOD_NOT_ALLOWED', 405),
    ('NOT_AUTHENTICATED', 401),
    ('RATE_LIMITED', 429),
    ('BODY_TOO_LARGE', 413),
    ('UNSUPPORTED_MEDIA_TYPE', 415),
    ('MALFORMED_BODY', 400),
    ('IDEMPOTENCY_KEY_REQUIRED', 400),
    ('IDEMPOTENCY_KEY_INVALID', 400),
    ('MALFORMED_ARGUMENT', 400),
    ('INVALID_PRICE', 422),
    ('INVALID_REFUND_AMOUNT', 422),
    ('INVALID_RECHARGE_AMOUNT', 422),
    ('INVALID_QR', 400),
    ('INVALID_TTL', 422),
    ('TERMINAL_CODE_REQUIRED', 400),
    ('PASSWORD_TOO_SHORT', 422),
    ('PERMISSION_DENIED', 403),
    ('NOT_MERCHANT_USER', 403),
    ('IDEMPOTENCY_KEY_REUSED', 422),
    ('MERCHANT_NOT_FOUND', 404),
    ('MERCHANT_NOT_FOUND_OR_INACTIVE', 409),
    ('TERMINAL_NOT_FOUND', 404),
    ('EXTERNAL_ORDER_ALREADY_PAID', 409),
    ('MEMBER_NOT_FOUND', 404),
    ('CARD_NOT_FOUND', 404),
    ('TX_NOT_FOUND', 404),
    ('ORIGINAL_TX_NOT_FOUND', 404),
    ('SETTLEMENT_NOT_FOUND', 404),
    ('QR_EXPIRED_OR_INVALID', 409),
    ('CARD_NOT_ACTIVE', 409),
    ('CARD_EXPIRED', 409),
    ('MEMBER_NOT_ACTIVE', 409),
    ('UNSUPPORTED_CARD_TYPE_FOR_PAYMENT', 422),
    ('UNSUPPORTED_CARD_TYPE_FOR_RECHARGE', 422),
    ('UNSUPPORTED_CARD_TYPE_FOR_POINTS', 422),
    ('CARD_TYPE_NOT_SHAREABLE', 422),
    ('CARD_OWNER_NOT_DEFINED', 409),
    ('CARD_STATUS_CONFLICT', 409),
    ('CARD_BALANCE_NOT_ZERO', 409),
    ('INVALID_BINDING_PASSWORD', 403),
    ('BINDING_LOCKED', 423),
    ('CANNOT_REMOVE_LAST_OWNER', 409),
    ('PHONE_ALREADY_REGISTERED', 409),
    ('EMAIL_ALREADY_REGISTERED', 409),
    ('EXTERNAL_ID_ALREADY_BOUND', 409),
    ('AMOUNT_OVER_LIMIT', 422),
    ('CARD_DAILY_LIMIT_EXCEEDED', 409),
    ('MERCHANT_DAILY_LIMIT_EXCEEDED', 409),
    ('OFFLINE_LIMIT_EXCEEDED', 409),
    ('INSUFFICIENT_BALANCE', 402),
    ('ONLY_COMPLETED_PAYMENT_REFUNDABLE', 409),
    ('REFUND_EXCEEDS_REMAINING', 409),
    ('REFUND_NEEDS_MANAGER', 403),
    ('SETTLEMENT_ALREADY_EXISTS', 409),
    ('NO_TRANSACTIONS_IN_PERIOD', 409),
    ('UNAVAILABLE', 503),
    ('NOT_CONFIGURED', 503),
    ('INTERNAL', 500)
$$;
comment on function rules.error_codes() is 'Every error code of the catalogue with its one HTTP status.';

create function rules.fail(p_code text, p_params jsonb default '{}')
returns void
language plpgsql stable parallel safe
set search_path = ''
as $$
declare
  v_status int := (select e.status from rules.error_codes() e where e.code = p_code);
begin
  if v_status is null then
    raise exception 'unknown error code %', p_code;
  end if;
  raise exception using
    errcode = 'PT' || v_status,
    message = p_code,
    detail = p_params::text;
end;
$$;
comment on function rules.fail(text, jsonb) is
  'The only place that raises a refusal. PostgREST answers PT402 as HTTP 402 with {code, message, details}.';
