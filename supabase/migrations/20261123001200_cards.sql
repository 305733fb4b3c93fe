create sequence app.card_no_seq;

create table app.card_type_rules (
  card_type text primary key,
  number_prefix text not null unique,
  pays text not null constraint card_type_rules_pays_known check (pays in ('yes', 'once', 'no')),
  is_rechargeable boolean not null,
  is_shareable boolean not null,
  earns_points boolean not null,
  has_level_discount boolean not null,
  has_fixed_discount boolean not null,
  has_corporate_discount boolean not null
);
comment on table app.card_type_rules is 'What a type of card may do: data, not code.';
alter table app.card_type_rules enable row level security;

insert into app.card_type_rules
  (card_type, number_prefix, pays, is_rechargeable, is_shareable, earns_points, has_level_discount, has_fixed_discount, has_corporate_discount)
values
  ('standard', 'STD', 'yes', true, false, true, true, false, true),
  ('prepaid', 'PPD', 'yes', true, true, true, true, true, false),
  ('corporate', 'COR', 'yes', true, true, false, false, true, false),
  ('voucher', 'VCH', 'once', false, false, false, false, false, false);

create table app.cards (
  id uuid primary key default app.uuid_v7(),
  card_no text not null constraint cards_card_no_taken unique
    constraint cards_card_no_well_formed check (card_no ~ '^(STD|PPD|COR|VCH)[0-9]{8,}$'),
  card_type text not null references app.card_type_rules (card_type),
  name text,
  personal_member_id uuid references app.member_profiles (id),
  status text not null default 'active'
    constraint cards_status_known check (status in ('active', 'frozen', 'lost', 'expired', 'closed')),
  balance numeric(14, 2) not null default 0 constraint cards_balance_not_negative check (balance >= 0 and balance <> 'NaN'),
  points bigint not null default 0 constraint cards_points_not_negative check (points >= 0),
  level int not null default 0 references app.membership_levels (level),
  fixed_discount numeric(4, 3) constraint cards_fixed_discount_in_range check (fixed_discount between 0 and 1),
  binding_password_hash text,
  expires_at timestamptz,
  paid_on date,
  paid_on_total numeric(14, 2) not null default 0 constraint cards_paid_on_total_no_number check (paid_on_total <> 'NaN'),
  created_at timestamptz not null default now(),
  constraint cards_personal_types_name_their_member
    check ((card_type in ('standard', 'voucher')) = (personal_member_id is not null))
) with (fillfactor = 80);
comment on table app.cards is
  'Cards with their balance, which equals the sum of their ledger entries. paid_on_total: raw amounts paid on the day paid_on.';
create unique index cards_one_standard_card_a_member on app.cards (personal_member_id) where card_type = 'standard';
create index cards_by_personal_member on app.cards (personal_member_id) where personal_member_id is not null;
alter table app.cards enable row level security;

create table app.card_bindings (
  card_id uuid not null references app.cards (id),
  member_id uuid not null references app.member_profiles (id),
  role text not null constraint card_bindings_role_known check (role in ('owner', 'admin', 'member', 'viewer')),
  created_at timestamptz not null default now(),
  primary key (card_id, member_id)
);
comment on table app.card_bindings is 'Who may use a card. The member of a standard card or voucher is its owner here too.';
create index card_bindings_by_member on app.card_bindings (member_id);
alter table app.card_bindings enable row level security;

create function app.next_card_no(p_card_type text)
returns text
language sql volatile
set search_path = ''
as $$
  select r.number_prefix || rules.padded(nextval('app.card_no_seq'), 8)
  from app.card_type_rules r where r.card_type = p_card_type
$$;
comment on function app.next_card_no(text) is 'A fresh card number: the type''s prefix and eight digits.';

create function app.make_standard_card(p_member_id uuid)
returns app.cards
language plpgsql
set search_path = ''
as $$
declare
  v_card app.cards;
begin
  insert into app.cards (card_no, card_type, personal_member_id)
  values (app.next_card_no('standard'), 'standard', p_member_id)
  returning * into v_card;
  insert into app.card_bindings (card_id, member_id, role) values (v_card.id, p_member_id, 'owner');
  return v_card;
end;
$$;
comment on function app.make_standard_card(uuid) is 'The one standard card that is made with a member.';
