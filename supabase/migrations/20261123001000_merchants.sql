create table app.merchants (
  id uuid primary key default app.uuid_v7(),
  code text not null constraint merchants_code_taken unique
    constraint merchants_code_blank_or_long check (char_length(code) between 1 and 64),
  name text not null constraint merchants_name_blank_or_long check (char_length(name) between 1 and 100),
  contact text,
  status text not null default 'active' constraint merchants_status_known check (status in ('active', 'suspended')),
  time_zone text not null default 'Asia/Taipei'
    constraint merchants_time_zone_unknown check (rules.is_time_zone(time_zone)),
  day_max numeric(14, 2) constraint merchants_day_max_not_positive check (day_max > 0 and day_max <> 'NaN'),
  created_at timestamptz not null default now()
);
comment on table app.merchants is 'Shops that charge cards. day_max: most of raw amounts a day in its time zone; NULL is no limit.';
alter table app.merchants enable row level security;

create table app.merchant_users (
  merchant_id uuid not null references app.merchants (id),
  user_id uuid not null,
  role text not null constraint merchant_users_role_known check (role in ('owner', 'manager', 'cashier')),
  created_at timestamptz not null default now(),
  primary key (merchant_id, user_id)
);
comment on table app.merchant_users is 'Who works for a merchant, by Supabase Auth user.';
create index merchant_users_by_user on app.merchant_users (user_id);
alter table app.merchant_users enable row level security;

create table app.terminals (
  code text primary key constraint terminals_code_well_formed check (code ~ '^[0-9A-Z]{6}$'),
  merchant_id uuid not null references app.merchants (id),
  label text not null,
  status text not null default 'active' constraint terminals_status_known check (status in ('active', 'retired')),
  created_at timestamptz not null default now()
);
comment on table app.terminals is 'Points of sale. A code is unique over all merchants and never used again.';
create index terminals_by_merchant on app.terminals (merchant_id);
alter table app.terminals enable row level security;

create table app.merchant_day_totals (
  merchant_id uuid not null references app.merchants (id),
  day date not null,
  shard smallint not null constraint merchant_day_totals_shard_known check (shard between 0 and 15),
  raw_total numeric(14, 2) not null constraint merchant_day_totals_raw_total_no_number check (raw_total <> 'NaN'),
  primary key (merchant_id, day, shard)
);
comment on table app.merchant_day_totals is 'Raw amounts a merchant with a day_max took, in 16 rows by hash of the card so that no row is hot.';
alter table app.merchant_day_totals enable row level security;
