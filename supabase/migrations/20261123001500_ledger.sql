create table app.ledger_entries (
  tx_id uuid not null references app.transactions (id),
  entry_no smallint not null constraint ledger_entries_entry_no_not_positive check (entry_no > 0),
  account text not null constraint ledger_entries_account_known check (account in (
    'card', 'merchant_payable', 'wechat_clearing', 'alipay_clearing', 'cash_clearing', 'payout_clearing',
    'fee_income', 'forfeited_vouchers', 'adjustments')),
  card_id uuid references app.cards (id),
  merchant_id uuid references app.merchants (id),
  delta numeric(14, 2) not null constraint ledger_entries_delta_is_zero check (delta <> 0 and delta <> 'NaN'),
  primary key (tx_id, entry_no),
  constraint ledger_entries_card_entries_name_their_card check ((account = 'card') = (card_id is not null)),
  constraint ledger_entries_payable_entries_name_their_merchant
    check ((account = 'merchant_payable') = (merchant_id is not null))
) partition by range (tx_id);
comment on table app.ledger_entries is
  'Double entry: the deltas of a transaction sum to zero. What we owe is positive (a card''s balance, a merchant''s payable).';
create index ledger_entries_by_card on app.ledger_entries (card_id, tx_id) where card_id is not null;
create index ledger_entries_by_merchant on app.ledger_entries (merchant_id, tx_id) where merchant_id is not null;
alter table app.ledger_entries enable row level security;
select app.partition_by_month('app.ledger_entries', true);

create table app.point_ledger (
  id uuid primary key,
  card_id uuid not null references app.cards (id),
  tx_id uuid references app.transactions (id),
  delta bigint not null constraint point_ledger_delta_is_zero check (delta <> 0),
  level_before int not null,
  level_after int not null,
  reason text not null,
  created_at timestamptz not null
) partition by range (id);
comment on table app.point_ledger is 'Every change of a card''s points and, with it, of its level.';
create index point_ledger_by_card on app.point_ledger (card_id, id);
alter table app.point_ledger enable row level security;
select app.partition_by_month('app.point_ledger', true);
