create sequence app.transaction_no_seq;

create table app.transactions (
  id uuid primary key,
  tx_no text not null constraint transactions_tx_no_well_formed check (tx_no ~ '^(PAY|REF|RCG|ADJ|STX)[0-9]{10,}$'),
  tx_type text not null
    constraint transactions_tx_type_known check (tx_type in ('payment', 'refund', 'recharge', 'adjustment', 'settlement')),
  card_id uuid references app.cards (id),
  member_id uuid references app.member_profiles (id),
  merchant_id uuid references app.merchants (id),
  terminal_code text references app.terminals (code),
  payment_code_id uuid,
  original_tx_id uuid references app.transactions (id),
  raw_amount numeric(14, 2) not null constraint transactions_raw_amount_not_positive check (raw_amount > 0 and raw_amount <> 'NaN'),
  discount numeric(4, 3) not null default 1 constraint transactions_discount_in_range check (discount between 0 and 1),
  discount_source text not null default 'none'
    constraint transactions_discount_source_known check (discount_source in ('level', 'card', 'corporate', 'none')),
  discount_card_id uuid references app.cards (id),
  final_amount numeric(14, 2) not null constraint transactions_final_amount_negative check (final_amount >= 0 and final_amount <> 'NaN'),
  points_earned bigint not null default 0,
  external_order_id text,
  tag jsonb,
  actor_user_id uuid,
  created_at timestamptz not null,
  constraint transactions_payments_name_their_parties check (
    tx_type <> 'payment' or (card_id is not null and member_id is not null and merchant_id is not null)),
  constraint transactions_refunds_name_their_payment check ((tx_type = 'refund') = (original_tx_id is not null))
) partition by range (id);
comment on table app.transactions is
  'Every movement of money, written once. What changes later (refunded, settled) is derived from other rows, never stored here.';
create index transactions_by_card on app.transactions (card_id, id) where card_id is not null;
create index transactions_by_merchant on app.transactions (merchant_id, id) where merchant_id is not null;
create index transactions_by_original on app.transactions (original_tx_id) where original_tx_id is not null;
create index transactions_by_payment_code on app.transactions (payment_code_id) where payment_code_id is not null;
alter table app.transactions enable row level security;
select app.partition_by_month('app.transactions', true);

create table app.transaction_numbers (
  tx_no text primary key,
  tx_id uuid not null constraint transaction_numbers_tx_id_taken unique references app.transactions (id)
);
comment on table app.transaction_numbers is 'Transaction numbers, unique over all partitions.';
alter table app.transaction_numbers enable row level security;
select sec.hold_append_only('app.transaction_numbers');

create table app.merchant_orders (
  merchant_id uuid not null references app.merchants (id),
  external_order_id text not null
    constraint merchant_orders_id_blank_or_long check (char_length(external_order_id) between 1 and 128),
  tx_id uuid not null references app.transactions (id),
  primary key (merchant_id, external_order_id)
);
comment on table app.merchant_orders is 'The payment that holds a merchant''s order; a full refund frees it for another one.';
alter table app.merchant_orders enable row level security;

create table app.idempotency_keys (
  scope text not null,
  key text not null constraint idempotency_keys_key_well_formed check (rules.is_idempotency_key(key)),
  fingerprint bytea not null,
  result_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (scope, key)
);
comment on table app.idempotency_keys is
  'Requests that were committed, kept for ever. The answer is read again from result_id, a row that never changes.';
alter table app.idempotency_keys enable row level security;
select sec.hold_append_only('app.idempotency_keys');
