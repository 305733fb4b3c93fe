-- The rules that a charge evaluates, without what made them slow: bounded repetition in a regular expression, several statements a digit,
-- SQL bodies that Postgres plans anew at each call, or, in a check constraint, inlines anew at each statement.

create or replace function rules.is_idempotency_key(p_key text)
returns boolean
language plpgsql immutable parallel safe
as $$
begin
  return p_key is not null and octet_length(p_key) between 1 and 255 and p_key ~ '^[ -~]+$';
end;
$$;

create or replace function rules.luhn_digit(p_digits text)
returns int
language plpgsql immutable parallel safe
as $$
declare
  v_digits bytea := reverse(p_digits)::bytea;
  v_last int := length(v_digits) - 1;
  v_sum int := 0;
begin
  -- From the right, the digit beside the check digit is doubled first; of a doubled digit its digits are summed.
  for v_place in 0 .. v_last by 2 loop
    v_sum := v_sum + get_byte('\x00020406080103050709', get_byte(v_digits, v_place) - 48);
  end loop;
  for v_place in 1 .. v_last by 2 loop
    v_sum := v_sum + get_byte(v_digits, v_place) - 48;
  end loop;
  return (10 - v_sum % 10) % 10;
end;
$$;

create or replace function rules.code_hash(p_master_key bytea, p_code text)
returns bytea
language plpgsql immutable parallel safe
as $$
begin
  return extensions.hmac('mps/code/v1'::bytea || '\x00'::bytea || convert_to(p_code, 'UTF8'), p_master_key, 'sha256');
end;
$$;

create or replace function rules.padded(p_number bigint, p_digits_min int)
returns text
language plpgsql immutable parallel safe
as $$
begin
  return lpad(p_number::text, greatest(p_digits_min, length(p_number::text)), '0');
end;
$$;
