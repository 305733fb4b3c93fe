create sequence app.recharge_order_no_seq;

create table app.recharge_orders (
  id uuid primary key,
  order_no text not null default 'ORD' || rules.padded(nextval('app.recharge_order_no_seq'), 10)
    constraint recharge_orders_order_no_taken unique
    constraint recharge_orders_order_no_well_formed check (order_no ~ '^ORD[0-9]{10,}$'),
  card_id uuid not null references app.cards (id),
  member_id uuid not null references app.member_profiles (id),
  amount numeric(14, 2) not null constraint recharge_orders_amount_not_positive check (amount > 0 and amount <> 'NaN'),
  currency text not null constraint recharge_orders_currency_well_formed check (currency ~ '^[A-Z]{3}$'),
  provider text not null constraint recharge_orders_provider_known check (provider in ('wechat', 'alipay')),
  status text not null default 'pending'
    constraint recharge_orders_status_known check (status in ('pending', 'expired', 'completed', 'needs_review', 'refunded_outside')),
  expires_at timestamptz not null,
  created_at timestamptz not null
);
comment on table app.recharge_orders is
  'Recharges that a member ordered through a provider. Nothing is credited before a verified payment; needs_review: none was credited, and '
  'one waits for an admin.';
create index recharge_orders_by_member on app.recharge_orders (member_id, id);
create index recharge_orders_by_card on app.recharge_orders (card_id, id);
create index recharge_orders_pending on app.recharge_orders (expires_at) where status = 'pending';
alter table app.recharge_orders enable row level security;

create table app.recharge_payments (
  provider text not null constraint recharge_payments_provider_known check (provider in ('wechat', 'alipay')),
  provider_tx_id text not null
    constraint recharge_payments_provider_tx_id_blank_or_long check (char_length(provider_tx_id) between 1 and 128),
  order_id uuid not null references app.recharge_orders (id),
  amount numeric(14, 2) not null constraint recharge_payments_amount_not_positive check (amount > 0 and amount <> 'NaN'),
  currency text not null constraint recharge_payments_currency_well_formed check (currency ~ '^[A-Z]{3}$'),
  status text not null constraint recharge_payments_status_known check (status in ('credited', 'needs_review', 'refunded_outside')),
  review_reason text constraint recharge_payments_review_reason_known check (review_reason in (
    'wrong_provider', 'wrong_currency', 'wrong_amount', 'second_payment', 'card_closed')),
  is_late boolean not null,
  tx_id uuid constraint recharge_payments_tx_id_taken unique references app.transactions (id),
  paid_at timestamptz not null,
  recorded_at timestamptz not null,
  resolved_at timestamptz,
  resolved_by uuid,
  resolution_note text
    constraint recharge_payments_resolution_note_blank_or_long check (char_length(resolution_note) between 1 and 500),
  primary key (provider, provider_tx_id),
  constraint recharge_payments_credited_with_transaction check ((status = 'credited') = (tx_id is not null)),
  constraint recharge_payments_review_has_its_reason check (status = 'credited' or review_reason is not null),
  constraint recharge_payments_resolved_after_a_review check (
    (resolved_at is not null) = (status <> 'needs_review' and review_reason is not null)
    and (resolved_by is not null) = (resolved_at is not null)),
  constraint recharge_payments_other_money_is_never_credited check (status <> 'credited' or review_reason is distinct from 'wrong_currency')
);
comment on table app.recharge_payments is
  'Every payment that a provider reported, once each: credited, or waiting for an admin with the reason why. is_late: paid after the order '
  'had expired.';
create index recharge_payments_by_order on app.recharge_payments (order_id);
create index recharge_payments_to_review on app.recharge_payments (order_id) where status = 'needs_review';
alter table app.recharge_payments enable row level security;

create function sec.refuse_change_of_payment()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.status = 'needs_review' and new.status <> 'needs_review'
     and to_jsonb(new) - '{status,tx_id,resolved_at,resolved_by,resolution_note}'::text[]
       = to_jsonb(old) - '{status,tx_id,resolved_at,resolved_by,resolution_note}'::text[]
  then
    return new;
  end if;
  raise exception '% of % is refused: a reported payment changes once, when its review ends', tg_op, tg_table_name
    using errcode = 'object_not_in_prerequisite_state';
end;
$$;
comment on function sec.refuse_change_of_payment() is 'Holds what a provider reported, but for the end of its review.';
create trigger payments_only_end_their_review before update or delete on app.recharge_payments
  for each row execute function sec.refuse_change_of_payment();
alter table app.recharge_payments enable always trigger payments_only_end_their_review;
select sec.hold_against_truncate('app.recharge_payments');

create table app.cash_orders (
  scope text not null,
  external_order_id text not null
    constraint cash_orders_id_blank_or_long check (char_length(external_order_id) between 1 and 128),
  tx_id uuid not null references app.transactions (id),
  primary key (scope, external_order_id)
);
comment on table app.cash_orders is 'The cash recharge that holds an order of a merchant or of the house, for ever.';
alter table app.cash_orders enable row level security;
select sec.hold_append_only('app.cash_orders');

create table app.cashier_cash_days (
  merchant_id uuid not null references app.merchants (id),
  user_id uuid not null,
  day date not null,
  total numeric(14, 2) not null constraint cashier_cash_days_total_no_number check (total > 0 and total <> 'NaN'),
  primary key (merchant_id, user_id, day)
);
comment on table app.cashier_cash_days is 'Cash that a cashier took for recharges on a day of the merchant''s time zone.';
alter table app.cashier_cash_days enable row level security;

create table app.merchant_cash_days (
  merchant_id uuid not null references app.merchants (id),
  day date not null,
  total numeric(14, 2) not null constraint merchant_cash_days_total_no_number check (total > 0 and total <> 'NaN'),
  primary key (merchant_id, day)
);
comment on table app.merchant_cash_days is 'Cash that a merchant took for recharges on a day of its time zone.';
alter table app.merchant_cash_days enable row level security;

insert into app.settings (key, value, kind, comment) values
  ('cash_recharge_cashier_day_max', '50000.00', 'amount', 'Most cash that one cashier takes for recharges a day; above it a manager does'),
  ('cash_recharge_merchant_day_max', '200000.00', 'amount', 'Most cash that one merchant takes for recharges a day, whoever of it'),
  ('recharge_currency', 'CNY', 'choice', 'Currency of recharge orders, in which providers must have been paid (ISO 4217)');
