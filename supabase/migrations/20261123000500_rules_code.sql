-- Payment codes: check digit, kinds, one-time passwords, hashes. Twins of the core's, held equal by spec/vectors.

create function rules.luhn_digit(p_digits text)
returns int
language plpgsql immutable parallel safe
as $$
declare
  v_sum int := 0;
  v_digit int;
begin
  -- From the right, the digit beside the check digit is doubled first.
  for v_place in 1 .. length(p_digits) loop
    v_digit := ascii(substr(p_digits, length(p_digits) - v_place + 1, 1)) - 48;
    if v_place % 2 = 1 then
      v_digit := v_digit * 2;
      if v_digit > 9 then v_digit := v_digit - 9; end if;
    end if;
    v_sum := v_sum + v_digit;
  end loop;
  return (10 - v_sum % 10) % 10;
end;
$$;
comment on function rules.luhn_digit(text) is 'Luhn check digit of a string of ASCII digits (ISO/IEC 7812-1, annex B).';

create function rules.code_kind(p_code text)
returns text
language sql immutable parallel safe
as $$
  select case
    when p_code is null or char_length(p_code) <> 24 or octet_length(p_code) <> 24 then null
    when translate(p_code, '0123456789', '') <> '' then null
    when left(p_code, 2) not in ('70', '71', '72') then null
    when rules.luhn_digit(left(p_code, 23)) <> right(p_code, 1)::int then null
    when left(p_code, 2) = '70' then 'online'
    when left(p_code, 2) = '71' then 'offline'
    else 'offline_terminal'
  end
$$;
comment on function rules.code_kind(text) is
  'online (70), offline (71), offline_terminal (72), or NULL for text that is no payment code at all.';

create function rules.code_hash(p_master_key bytea, p_code text)
returns bytea
language sql immutable parallel safe
as $$
  select extensions.hmac('mps/code/v1'::bytea || '\x00'::bytea || convert_to(p_code, 'UTF8'), p_master_key, 'sha256')
$$;
comment on function rules.code_hash(bytea, text) is 'What is stored of an online code: HMAC-SHA256 under the master key.';

create function rules.device_key(p_master_key bytea, p_handle text)
returns bytea
language sql immutable parallel safe
as $$
  select extensions.hmac('mps/device/v1'::bytea || '\x00'::bytea || convert_to(p_handle, 'UTF8'), p_master_key, 'sha256')
$$;
comment on function rules.device_key(bytea, text) is 'The key a phone gets at enrolment, from its ten-digit handle.';

create function rules.offline_password(p_device_key bytea, p_step bigint, p_terminal_code text)
returns text
language sql immutable parallel safe
as $$
  select lpad(
    ((('x' || encode(substr(
        extensions.hmac(
          'mps/otp/v1'::bytea || '\x00'::bytea || int8send(p_step) || '\x00'::bytea
            || convert_to(coalesce(p_terminal_code, ''), 'UTF8'),
          p_device_key, 'sha256'),
        1, 8), 'hex'))::bit(64)::bigint & 9223372036854775807) % 100000000000)::text,
    11, '0')
$$;
comment on function rules.offline_password(bytea, bigint, text) is
  'Eleven digits for one 30-second step; the terminal''s code takes part when given.';

create function rules.request_fingerprint(p_rpc text, variadic p_fields text[])
returns bytea
language plpgsql immutable parallel safe
as $$
declare
  v_bytes bytea := 'mps/req/v1'::bytea || '\x00'::bytea || convert_to(p_rpc, 'UTF8') || '\x00'::bytea;
  v_field text;
begin
  foreach v_field in array p_fields loop
    v_bytes := v_bytes || convert_to(coalesce(v_field, ''), 'UTF8') || '\x00'::bytea;
  end loop;
  return sha256(v_bytes);
end;
$$;
comment on function rules.request_fingerprint(text, text[]) is
  'SHA-256 that tells the same request from another one under the same idempotency key; NULL counts as empty.';

create function rules.is_idempotency_key(p_key text)
returns boolean
language sql immutable parallel safe
as $$ select p_key is not null and p_key ~ '^[ -~]{1,255}$' $$;
comment on function rules.is_idempotency_key(text) is '1 to 255 printable ASCII characters.';
