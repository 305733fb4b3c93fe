create table app.payment_codes (
  id uuid primary key default app.uuid_v7(),
  code_hash bytea not null constraint payment_codes_code_hash_taken unique
    constraint payment_codes_code_hash_is_sha256 check (octet_length(code_hash) = 32),
  key_id smallint not null references sec.master_keys (key_id),
  card_id uuid not null references app.cards (id),
  member_id uuid not null references app.member_profiles (id),
  issued_at timestamptz not null,
  expires_at timestamptz not null,
  consumed_at timestamptz,
  consumed_tx_id uuid,
  revoked_at timestamptz,
  constraint payment_codes_expire_after_issue check (expires_at > issued_at),
  constraint payment_codes_consumed_with_transaction check ((consumed_at is null) = (consumed_tx_id is null)),
  constraint payment_codes_consumed_or_revoked check (consumed_at is null or revoked_at is null)
);
comment on table app.payment_codes is 'Online codes, by keyed hash only; the member is the payer.';
create unique index payment_codes_one_open_code_a_payer on app.payment_codes (card_id, member_id)
  where consumed_at is null and revoked_at is null;
alter table app.payment_codes enable row level security;
