insert into app.settings (key, value, kind, comment, min_value, max_value) values
  ('offline_amount_max', '500.00', 'amount', 'Most for one payment by an offline code', 0.00, 1000000.00),
  ('offline_device_day_max', '2000.00', 'amount', 'Most for one device and day by offline codes', 0.00, 1000000.00),
  ('offline_card_day_max', '4000.00', 'amount', 'Most for one card and day by offline codes', 0.00, 1000000.00);

create table app.payment_devices (
  handle text primary key constraint payment_devices_handle_well_formed check (handle ~ '^[0-9]{10}$'),
  key_id smallint not null references sec.master_keys (key_id),
  card_id uuid not null references app.cards (id),
  member_id uuid not null references app.member_profiles (id),
  label text constraint payment_devices_label_blank_or_long check (char_length(label) between 1 and 64),
  enrolled_at timestamptz not null,
  revoked_at timestamptz,
  offline_on date,
  offline_total numeric(14, 2) not null default 0
    constraint payment_devices_offline_total_no_number check (offline_total >= 0 and offline_total <> 'NaN')
);
comment on table app.payment_devices is
  'Phones that make offline codes for a card; the member is the payer. The device''s key follows from its handle and the master key and is '
  'stored nowhere, so a handle is never used again and its row never deleted. offline_total: raw amounts paid on the day offline_on. The '
  'label is gone when the member was erased.';
create index payment_devices_live_by_card on app.payment_devices (card_id) where revoked_at is null;
create index payment_devices_by_card_and_day on app.payment_devices (card_id, offline_on) where offline_on is not null;
create index payment_devices_by_member on app.payment_devices (member_id);
alter table app.payment_devices enable row level security;

create table app.device_steps (
  handle text not null references app.payment_devices (handle),
  step bigint not null,
  tx_id uuid not null,
  primary key (handle, step)
);
comment on table app.device_steps is
  'Steps whose offline code was charged: each at most once, whatever the amount. A step older than the skew is refused by the clock '
  'alone, so that old rows may be purged.';
alter table app.device_steps enable row level security;

alter table app.transactions
  add column device_handle text,
  add column device_step bigint,
  add constraint transactions_device_named_with_its_step check ((device_handle is null) = (device_step is null)),
  add constraint transactions_paid_by_code_and_device check (payment_code_id is null or device_handle is null),
  add constraint transactions_only_payments_name_a_device check (device_handle is null or tx_type = 'payment');
create index transactions_by_device on app.transactions (device_handle, device_step) where device_handle is not null;

create function rules.offline_step(p_at timestamptz)
returns bigint
language sql immutable parallel safe
as $$ select floor(extract(epoch from p_at) / rules.limit_int('code.otp_step_seconds'))::bigint $$;
comment on function rules.offline_step(timestamptz) is 'The 30-second step of a moment, counted from 1970 in UTC.';

create function app.end_payer(p_card_id uuid, p_member_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.revoke_open_code(p_card_id, p_member_id);
  update app.payment_devices d set revoked_at = clock_timestamp()
  where d.card_id = p_card_id and d.member_id = p_member_id and d.revoked_at is null;
end;
$$;
comment on function app.end_payer(uuid, uuid) is 'Ends a member''s open code and devices of one card, under the card''s lock.';

create function app.end_payers_of_card(p_card_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update app.payment_codes c set revoked_at = clock_timestamp()
  where c.card_id = p_card_id and c.consumed_at is null and c.revoked_at is null;
  update app.payment_devices d set revoked_at = clock_timestamp()
  where d.card_id = p_card_id and d.revoked_at is null;
end;
$$;
comment on function app.end_payers_of_card(uuid) is 'Ends everybody''s open codes and devices of one card, under the card''s lock.';

create function app.erase_devices_of_member(p_member_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update app.payment_devices d set revoked_at = coalesce(d.revoked_at, clock_timestamp()), label = null
  where d.member_id = p_member_id and (d.revoked_at is null or d.label is not null);
end;
$$;
comment on function app.erase_devices_of_member(uuid) is
  'Ends a member''s devices and forgets their labels, which are his words; under the locks of his cards.';
