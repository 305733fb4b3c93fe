-- What was settled with a merchant, and which transactions each settlement took.

alter table app.merchants
  add column fee_bps int not null default 0 constraint merchants_fee_bps_out_of_range check (fee_bps between 0 and 10000),
  add column settlement_mode text not null default 't_plus_1'
    constraint merchants_settlement_mode_known check (settlement_mode in ('realtime', 't_plus_1', 'monthly'));
comment on table app.merchants is
  'Shops that charge cards. day_max: most of raw amounts a day in its time zone; NULL is no limit. fee_bps: our fee in hundredths of a '
  'percent; settlement_mode: the periods cron settles. Both hold for settlements made from then on.';

-- A payout of nothing is a transaction too, so that every paid settlement has one.
alter table app.transactions drop constraint transactions_raw_amount_not_positive;
alter table app.transactions add constraint transactions_raw_amount_not_positive check (
  (raw_amount > 0 or (raw_amount = 0 and tx_type = 'settlement')) and raw_amount <> 'NaN');

-- An id is drawn when a call begins, created_at after its locks. With a bound on the time between, a range of ids holds every transaction
-- of a period: app.unsettled_transactions rests on it. A call that waited longer is refused and may be sent again.
alter table app.transactions add constraint transactions_id_is_drawn_in_the_hour_before check (
  id >= app.uuid_v7_floor(created_at - interval '1 hour'));

create sequence app.settlement_no_seq;

create table app.settlements (
  id uuid primary key,
  settlement_no text not null constraint settlements_settlement_no_taken unique
    constraint settlements_settlement_no_well_formed check (settlement_no ~ '^STL[0-9]{10,}$'),
  merchant_id uuid not null references app.merchants (id),
  mode text not null constraint settlements_mode_known check (mode in ('realtime', 't_plus_1', 'monthly')),
  period_start timestamptz not null,
  period_end timestamptz not null,
  gross numeric(14, 2) not null,
  refunds numeric(14, 2) not null,
  cash numeric(14, 2) not null,
  payment_count int not null,
  refund_count int not null,
  cash_count int not null,
  fee_bps int not null,
  fee numeric(14, 2) not null,
  carried_from uuid constraint settlements_debt_carried_once unique references app.settlements (id),
  carried_in numeric(14, 2) not null,
  net numeric(14, 2) not null,
  status text not null default 'pending' constraint settlements_status_known check (status in ('pending', 'settled', 'paid', 'failed')),
  payout_tx_id uuid constraint settlements_payout_tx_id_taken unique references app.transactions (id),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint settlements_period_empty check (period_start < period_end),
  constraint settlements_period_not_over check (period_end <= created_at),
  constraint settlements_period_start_taken unique (merchant_id, period_start),
  constraint settlements_period_end_taken unique (merchant_id, period_end),
  constraint settlements_of_nothing check (payment_count + refund_count + cash_count > 0),
  constraint settlements_sums_negative check (
    gross >= 0 and refunds >= 0 and cash >= 0 and fee >= 0 and 'NaN' not in (gross, refunds, cash, fee)),
  constraint settlements_carry_a_debt_only check (carried_in <= 0 and (carried_in < 0) = (carried_from is not null)),
  constraint settlements_net_is_the_rest check (net = gross - refunds - cash - fee + carried_in),
  constraint settlements_paid_has_its_transaction check ((status = 'paid') = (payout_tx_id is not null))
);
comment on table app.settlements is
  'What we owe a merchant for a half-open period: net = gross - refunds - cash - fee + carried_in. A negative net is paid out as 0 and '
  'carried into the next one, which names it in carried_from. All but the status is written once.';
create index settlements_in_debt on app.settlements (merchant_id) where net < 0;
alter table app.settlements enable row level security;

create trigger amounts_are_never_changed
  before update of id, settlement_no, merchant_id, mode, period_start, period_end, gross, refunds, cash, payment_count, refund_count,
    cash_count, fee_bps, fee, carried_from, carried_in, net, created_at
  on app.settlements for each row execute function sec.refuse_change();
alter table app.settlements enable always trigger amounts_are_never_changed;
create trigger rows_are_never_deleted before delete on app.settlements for each row execute function sec.refuse_change();
alter table app.settlements enable always trigger rows_are_never_deleted;
select sec.hold_against_truncate('app.settlements');

create table app.settlement_items (
  tx_id uuid primary key references app.transactions (id),
  settlement_id uuid not null references app.settlements (id)
);
comment on table app.settlement_items is 'The settlement that took a transaction: one, for ever.';
create index settlement_items_by_settlement on app.settlement_items (settlement_id, tx_id);
alter table app.settlement_items enable row level security;
select sec.hold_append_only('app.settlement_items');
