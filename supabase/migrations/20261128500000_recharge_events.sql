create table app.recharge_events (
  id uuid primary key,
  order_id uuid not null references app.recharge_orders (id),
  provider text not null constraint recharge_events_provider_known check (provider in ('wechat', 'alipay')),
  provider_event_id text not null
    constraint recharge_events_provider_event_id_blank_or_long check (char_length(provider_event_id) between 1 and 200),
  provider_tx_id text
    constraint recharge_events_provider_tx_id_blank_or_long check (char_length(provider_tx_id) between 1 and 128),
  kind text not null constraint recharge_events_kind_known check (kind in ('refunded', 'closed')),
  amount numeric(14, 2) constraint recharge_events_amount_not_positive check (amount > 0 and amount <> 'NaN'),
  facts jsonb not null constraint recharge_events_facts_no_object_or_long
    check (jsonb_typeof(facts) = 'object' and octet_length(facts::text) <= 4096),
  recorded_at timestamptz not null,
  resolved_at timestamptz,
  resolved_by uuid,
  resolution_note text
    constraint recharge_events_resolution_note_blank_or_long check (char_length(resolution_note) between 1 and 500),
  constraint recharge_events_event_taken unique (provider, provider_event_id),
  constraint recharge_events_resolved_by_somebody check (
    (resolved_by is not null) = (resolved_at is not null) and (resolution_note is null or resolved_at is not null))
);
comment on table app.recharge_events is
  'What a provider''s signed notice says against a payment of a recharge order: given back there in whole or in part, or closed. Each waits for an '
  'admin, who sees to the card; the ledger follows no provider by itself. facts: the provider''s own words for it.';
create index recharge_events_by_order on app.recharge_events (order_id);
create index recharge_events_to_review on app.recharge_events (id) where resolved_at is null;
alter table app.recharge_events enable row level security;

create function sec.refuse_change_of_recharge_event()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.resolved_at is null and new.resolved_at is not null
     and to_jsonb(new) - '{resolved_at,resolved_by,resolution_note}'::text[]
       = to_jsonb(old) - '{resolved_at,resolved_by,resolution_note}'::text[]
  then
    return new;
  end if;
  raise exception '% of % is refused: what a provider reported changes once, when its review ends', tg_op, tg_table_name
    using errcode = 'object_not_in_prerequisite_state';
end;
$$;
comment on function sec.refuse_change_of_recharge_event() is 'Holds what a provider reported, but for the end of its review.';
revoke execute on function sec.refuse_change_of_recharge_event() from public, anon, authenticated, service_role;
create trigger events_only_end_their_review before update or delete on app.recharge_events
  for each row execute function sec.refuse_change_of_recharge_event();
alter table app.recharge_events enable always trigger events_only_end_their_review;
select sec.hold_against_truncate('app.recharge_events');
