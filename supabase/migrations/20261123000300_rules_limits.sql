-- Bounds that SQL shares with Rust and TypeScript. By hand; a generated pgTAP test compares it with spec/limits.toml.

create function rules.limits()
returns table (name text, value text)
language sql immutable parallel safe
as $$
  values
    ('money.integer_digits_max', '12'),
    ('money.scale_digits', '2'),
    ('money.discount_scale_digits', '3'),
    ('idempotency.key_chars_max', '255'),
    ('external_order.id_chars_max', '128'),
    ('tag.bytes_max', '4096'),
    ('code.digits', '24'),
    ('code.body_digits', '21'),
    ('code.handle_digits', '10'),
    ('code.otp_digits', '11'),
    ('code.prefix_online', '70'),
    ('code.prefix_offline', '71'),
    ('code.prefix_offline_terminal', '72'),
    ('code.lifetime_seconds_min', '60'),
    ('code.lifetime_seconds_default', '900'),
    ('code.lifetime_seconds_max', '86400'),
    ('code.otp_step_seconds', '30'),
    ('code.otp_steps_skew_max', '1'),
    ('code.terminal_code_chars', '6'),
    ('payment.amount_max', '50000.00'),
    ('payment.card_day_max', '200000.00'),
    ('payment.offline_amount_max', '500.00'),
    ('payment.offline_device_day_max', '2000.00'),
    ('payment.offline_card_day_max', '4000.00'),
    ('payment.cashier_refund_max', '1000.00'),
    ('password.bytes_min', '6'),
    ('password.bytes_max', '72'),
    ('page.rows_max', '200')
$$;
comment on function rules.limits() is 'Every shared bound as section.name and text; units are in the names.';

create function rules.limit_int(p_name text)
returns int
language sql immutable parallel safe
as $$ select l.value::int from rules.limits() l where l.name = p_name $$;
comment on function rules.limit_int(text) is 'A shared bound that is a whole number; NULL for an unknown name.';

create function rules.padded(p_number bigint, p_digits_min int)
returns text
language sql immutable parallel safe
as $$ select lpad(p_number::text, greatest(p_digits_min, length(p_number::text)), '0') $$;
comment on function rules.padded(bigint, int) is 'A number with leading zeros to so many digits; a longer one stays whole.';
