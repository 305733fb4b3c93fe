create sequence app.member_no_seq;

create table app.member_profiles (
  id uuid primary key default app.uuid_v7(),
  member_no text not null default 'M' || rules.padded(nextval('app.member_no_seq'), 8)
    constraint member_profiles_member_no_taken unique
    constraint member_profiles_member_no_well_formed check (member_no ~ '^M[0-9]{8,}$'),
  name text not null constraint member_profiles_name_blank_or_long check (char_length(name) between 1 and 100),
  phone text constraint member_profiles_phone_taken unique
    constraint member_profiles_phone_well_formed check (phone ~ '^[+][1-9][0-9]{6,14}$'),
  email text constraint member_profiles_email_taken unique
    constraint member_profiles_email_well_formed check (email = lower(email) and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
  status text not null default 'active' constraint member_profiles_status_known check (status in ('active', 'suspended', 'deleted')),
  auth_user_id uuid constraint member_profiles_auth_user_taken unique,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table app.member_profiles is 'Members. auth_user_id links one to its Supabase Auth user; deleted ones keep number and books only.';
alter table app.member_profiles enable row level security;

create table app.admin_users (
  user_id uuid primary key,
  created_at timestamptz not null default now()
);
comment on table app.admin_users is 'Supabase Auth users who run the house.';
alter table app.admin_users enable row level security;
