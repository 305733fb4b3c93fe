-- The shared bounds again, whole, with those of balances, of a code's amount, of reversals and invitations. By hand; a generated pgTAP test
-- compares it with spec/limits.toml.

create or replace function rules.limits()
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
    ('code.amount_max_default', '1000.00'),
    ('payment.amount_max', '50000.00'),
    ('payment.card_day_max', '200000.00'),
    ('payment.offline_amount_max', '500.00'),
    ('payment.offline_device_day_max', '2000.00'),
    ('payment.offline_card_day_max', '4000.00'),
    ('payment.cashier_refund_max', '1000.00'),
    ('recharge.amount_min', '1.00'),
    ('recharge.amount_max', '50000.00'),
    ('recharge.cashier_day_max', '50000.00'),
    ('recharge.order_lifetime_seconds', '900'),
    ('recharge.reversal_seconds_max', '1800'),
    ('card.balance_max', '10000000.00'),
    ('invitation.lifetime_seconds', '604800'),
    ('device.live_max', '5'),
    ('device.label_chars_max', '64'),
    ('points.delta_max', '1000000'),
    ('merchant.fee_bps_max', '10000'),
    ('merchant.code_chars_max', '64'),
    ('merchant.name_chars_max', '100'),
    ('password.bytes_min', '6'),
    ('password.bytes_max', '72'),
    ('page.rows_default', '50'),
    ('page.rows_max', '200')
$$;
