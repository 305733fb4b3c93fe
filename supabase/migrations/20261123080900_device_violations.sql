create function app.device_violations()
returns table (rule text, object text, detail text)
language sql stable
set search_path = ''
as $$
  select 'one_payment_a_device_step', min(t.tx_no), format('%s payments', count(*))
  from app.transactions t where t.device_handle is not null
  group by t.device_handle, t.device_step having count(*) > 1
  union all
  -- Purged steps are old ones.
  select 'device_payment_has_its_step', t.tx_no, coalesce(s.tx_id::text, 'no step')
  from app.transactions t
  left join app.device_steps s on s.handle = t.device_handle and s.step = t.device_step
  where t.device_handle is not null and s.tx_id is distinct from t.id
    and (s.tx_id is not null or t.created_at > now() - interval '30 days')
  union all
  select 'device_step_has_its_payment', format('%s/%s', s.handle, s.step), s.tx_id::text
  from app.device_steps s
  left join app.transactions t on t.id = s.tx_id and t.device_handle = s.handle and t.device_step = s.step
  where t.id is null
  union all
  select 'device_paid_with_its_card', t.tx_no, t.device_handle
  from app.transactions t
  left join app.payment_devices d on d.handle = t.device_handle
  where t.device_handle is not null and (t.card_id, t.member_id) is distinct from (d.card_id, d.member_id)
  union all
  select 'device_paid_in_its_step', t.tx_no, format('%s at %s', t.device_step, t.created_at)
  from app.transactions t
  where abs(t.device_step - rules.offline_step(t.created_at)) > rules.limit_int('code.otp_steps_skew_max')
  union all
  select 'at_most_five_devices_a_card', d.card_id::text, format('%s live', count(*))
  from app.payment_devices d where d.revoked_at is null
  group by d.card_id having count(*) > rules.limit_int('device.live_max')
$$;
comment on function app.device_violations() is 'A row for each violation about devices and their steps.';
