-- Tamper evidence for the ledger and the audit log. Triggers stop everybody but a superuser; seals show what a superuser did.
--
-- What a seal covers. Rows of sealed logs have UUIDv7 ids that their own transaction draws from the clock, so one range of ids is one
-- slice of time of all logs together. Seal n covers the slice that begins where seal n-1 ends; the slices leave no gap. Whatever row
-- lies in a sealed slice and is not among its items was added, however old its id looks.
--
-- When a slice is final. A row with an old id can commit late: ids are drawn early, and a transaction may stay open. A watermark of ids
-- alone would call it added. So sealing raises a fence: it reads the clock, then notes every transaction that is running (pg_locks shows
-- the virtual ids of all of them, to everybody, whether or not they have written yet). Once none of those is left, all ids from before
-- the fence are committed or never will be, since who began later reads a later clock. The clock may step back: a margin stays unsealed,
-- and a fence from the future is thrown away. A larger step, or a server that takes over with a clock behind by more than the margin,
-- makes honest rows look added: verify_seals then names them, and a human compares. Prepared transactions and long ones
-- delay the sealing; nobody waits for it, as it locks nothing that a payment touches.
--
-- What is hashed: all columns as JSON without NULLs, so that a column added later changes no old hash as long as it is nullable and has
-- no default. A field of a JSON column that is null counts as absent.
--
-- What this cannot show. Whoever may change everything may also compute every later seal anew, or drop the last seals together with
-- what remembers them, or change a row in the minutes before it is sealed. Against the first two keep the answer of get_latest_seal()
-- outside of the database and give it to verify_seals now and then: no history before such an anchor can change unseen.

create table app.seals (
  seal_no bigint primary key,
  id_from uuid not null,
  id_to uuid not null,
  sealed_at timestamptz not null,
  row_count int not null,
  parts jsonb not null,
  previous_root bytea not null,
  root bytea not null,
  constraint seals_range_is_empty check (id_from < id_to),
  constraint seals_root_is_sha256 check (octet_length(root) = 32 and octet_length(previous_root) = 32)
);
comment on table app.seals is
  'A chain of seals, kept for ever. Each covers the rows of all sealed logs with id_from <= id < id_to; parts: for each log that has any, '
  'its rows and the SHA-256 of its items; root: SHA-256 of this row, the root before included.';
alter table app.seals enable row level security;
select sec.hold_append_only('app.seals');

create table app.seal_items (
  seal_no bigint,
  log text,
  row_ids uuid[] not null,
  row_hashes bytea[] not null,
  primary key (seal_no, log)
);
comment on table app.seal_items is
  'Which rows a seal covers, by position, and the SHA-256 of each: so that verify_seals can name the row. Purged with its rows.';
-- Hashes do not compress.
alter table app.seal_items alter column row_hashes set storage external;
alter table app.seal_items enable row level security;

create table app.purged_ranges (
  id uuid primary key,
  log text not null constraint purged_ranges_log_is_kept_for_ever check (log = 'audit.event_log'),
  id_from uuid not null,
  id_to uuid not null,
  row_count bigint not null,
  seal_first bigint,
  seal_last bigint,
  last_root bytea,
  purged_at timestamptz not null,
  constraint purged_ranges_range_is_empty check (id_from < id_to),
  constraint purged_ranges_rows_have_their_seals check (row_count = 0 or (seal_first is not null and last_root is not null))
);
comment on table app.purged_ranges is
  'What was purged of a sealed log, with the numbers of its seals and the root of the last. Sealed like a log itself.';
alter table app.purged_ranges enable row level security;
select sec.hold_append_only('app.purged_ranges');

create function app.audit_kept()
returns interval
language sql immutable
as $$ select interval '2555 days' $$;
comment on function app.audit_kept() is 'How long the audit log is kept: seven years.';

create function app.is_purged(p_log text, p_seal_end uuid)
returns boolean
language sql stable
set search_path = ''
as $$
  -- The rows of a seal lie in one month, the one that its range ends in.
  select exists (select from app.purged_ranges r where r.log = p_log and r.id_from < p_seal_end and p_seal_end <= r.id_to)
$$;
comment on function app.is_purged(text, uuid) is 'Whether the rows of a log in the seal that ends here were purged, with a record of it.';

create function sec.refuse_change_unless_purged()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' and exists (
    select from app.seals s where s.seal_no = old.seal_no and app.is_purged(old.log, s.id_to))
  then
    return old;
  end if;
  raise exception '% of % is refused: rows of this table are written once', tg_op, tg_table_name
    using errcode = 'object_not_in_prerequisite_state';
end;
$$;
comment on function sec.refuse_change_unless_purged() is 'Holds the items of seals append-only, but for those whose rows were purged.';
create trigger rows_are_never_changed before update or delete on app.seal_items
  for each row execute function sec.refuse_change_unless_purged();
alter table app.seal_items enable always trigger rows_are_never_changed;
select sec.hold_against_truncate('app.seal_items');

create table app.seal_state (
  is_the_only_row boolean primary key default true constraint seal_state_has_one_row check (is_the_only_row),
  fenced_at timestamptz,
  running text[] not null default '{}',
  final_at timestamptz,
  last_seal_no bigint not null default 0,
  last_root bytea not null default decode(repeat('00', 32), 'hex'),
  last_id_to uuid not null default '00000000-0000-0000-0000-000000000000'
);
comment on table app.seal_state is
  'The fence that waits for the transactions that ran when it was raised; final_at: ids from before it are final; the tip of the chain.';
alter table app.seal_state enable row level security;
insert into app.seal_state default values;
