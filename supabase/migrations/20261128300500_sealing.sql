-- After a clock that ran ahead the chain of seals reaches into the future. Going on from there, nothing would be sealed for as long as the
-- clock was wrong, and every honest row would look added. So the chain can be taken back, by an admin who acknowledged the clock: the next
-- seal begins again where the last honest one ended, and the seals between answer for the rows that they hold, not for new ones. And a
-- finding that turned out to be honest can be acknowledged, with a reason, for the row as it is now: a further change is found again.

create table app.seal_rewinds (
  id uuid primary key,
  seal_no bigint not null constraint seal_rewinds_seal_no_taken unique,
  id_from uuid not null,
  rewound_at timestamptz not null
);
comment on table app.seal_rewinds is
  'The seal of this number begins at id_from again, before the end of the one before it: that was made by a wrong clock. Sealed like a log.';
alter table app.seal_rewinds enable row level security;
select sec.hold_append_only('app.seal_rewinds');

create table app.seal_acknowledgements (
  id uuid primary key,
  seal_no bigint,
  table_name text not null,
  row_id uuid,
  what text not null,
  row_hash bytea,
  reason text not null constraint seal_acknowledgements_reason_blank_or_long check (char_length(reason) between 1 and 500),
  acknowledged_by uuid,
  acknowledged_at timestamptz not null
);
comment on table app.seal_acknowledgements is
  'Findings of verify_seals that an admin looked at and explained; row_hash: what is there in its place, NULL for nothing. With another hash it '
  'is found again.';
create index seal_acknowledgements_by_finding on app.seal_acknowledgements (seal_no, table_name, row_id);
alter table app.seal_acknowledgements enable row level security;
select sec.hold_append_only('app.seal_acknowledgements');

create or replace function app.sealed_logs()
returns text[]
language sql immutable
as $$
  select array['app.transactions', 'app.ledger_entries', 'app.point_ledger', 'audit.event_log', 'app.purged_ranges', 'app.seal_rewinds',
    'app.seal_acknowledgements']
$$;

create or replace function app.log_rows(p_log text, p_id_from uuid, p_id_to uuid)
returns table (row_id uuid, row_hash bytea)
language plpgsql stable
set timezone = 'UTC'
set bytea_output = 'hex'
as $$
begin
  case p_log
  when 'app.transactions' then
    return query select t.id, app.row_hash(to_jsonb(t), 'id')
      from app.transactions t where t.id >= p_id_from and t.id < p_id_to;
  when 'app.ledger_entries' then
    return query select e.tx_id, sha256(string_agg(app.row_hash(to_jsonb(e), 'tx_id'), ''::bytea order by e.entry_no))
      from app.ledger_entries e where e.tx_id >= p_id_from and e.tx_id < p_id_to group by e.tx_id;
  when 'app.point_ledger' then
    return query select l.id, app.row_hash(to_jsonb(l), 'id')
      from app.point_ledger l where l.id >= p_id_from and l.id < p_id_to;
  when 'audit.event_log' then
    return query select a.id, app.row_hash(to_jsonb(a), 'id')
      from audit.event_log a where a.id >= p_id_from and a.id < p_id_to;
  when 'app.purged_ranges' then
    return query select r.id, app.row_hash(to_jsonb(r), 'id')
      from app.purged_ranges r where r.id >= p_id_from and r.id < p_id_to;
  when 'app.seal_rewinds' then
    return query select r.id, app.row_hash(to_jsonb(r), 'id')
      from app.seal_rewinds r where r.id >= p_id_from and r.id < p_id_to;
  when 'app.seal_acknowledgements' then
    return query select a.id, app.row_hash(to_jsonb(a), 'id')
      from app.seal_acknowledgements a where a.id >= p_id_from and a.id < p_id_to;
  end case;
end;
$$;

create or replace function app.first_unsealed(p_id_from uuid, p_id_to uuid)
returns uuid
language sql stable
as $$
  select least(
    (select t.id from app.transactions t where t.id >= p_id_from and t.id < p_id_to order by t.id limit 1),
    (select e.tx_id from app.ledger_entries e where e.tx_id >= p_id_from and e.tx_id < p_id_to order by e.tx_id limit 1),
    (select l.id from app.point_ledger l where l.id >= p_id_from and l.id < p_id_to order by l.id limit 1),
    (select a.id from audit.event_log a where a.id >= p_id_from and a.id < p_id_to order by a.id limit 1),
    (select r.id from app.purged_ranges r where r.id >= p_id_from and r.id < p_id_to order by r.id limit 1),
    (select r.id from app.seal_rewinds r where r.id >= p_id_from and r.id < p_id_to order by r.id limit 1),
    (select a.id from app.seal_acknowledgements a where a.id >= p_id_from and a.id < p_id_to order by a.id limit 1))
$$;

create function app.rewind_seals(p_now timestamptz)
returns uuid
language plpgsql
as $$
declare
  v_state app.seal_state;
  v_id_from uuid;
begin
  select s.* into strict v_state from app.seal_state s for update;
  if v_state.last_id_to <= app.uuid_v7_floor(p_now) then
    return null;
  end if;
  v_id_from := coalesce(
    (select s.id_to from app.seals s where s.id_to <= app.uuid_v7_floor(p_now) order by s.id_to desc limit 1),
    '00000000-0000-0000-0000-000000000000');
  insert into app.seal_rewinds (id, seal_no, id_from, rewound_at) values (app.uuid_v7(p_now), v_state.last_seal_no + 1, v_id_from, p_now)
  on conflict (seal_no) do nothing;
  update app.seal_state s set last_id_to = v_id_from, fenced_at = null, running = '{}', final_at = null;
  return v_id_from;
end;
$$;
comment on function app.rewind_seals(timestamptz) is
  'Takes the chain back to the last seal that ends before now, when it reaches further; where it goes on, NULL when it was not taken back.';

create function app.reopened_from(p_seal app.seals)
returns uuid
language sql stable
as $$
  select min(r.id_from::text)::uuid from app.seal_rewinds r where r.seal_no > p_seal.seal_no and r.id_from < p_seal.id_to
$$;
comment on function app.reopened_from(app.seals) is
  'From which id on later seals answer for new rows in this one''s range, NULL when they do not.';

create function app.rows_of_seal(p_seal app.seals, p_log text, p_row_ids uuid[])
returns table (row_id uuid, row_hash bytea)
language plpgsql stable
as $$
declare
  v_reopened_from uuid := app.reopened_from(p_seal);
begin
  return query
    select r.row_id, r.row_hash from app.log_rows(p_log, p_seal.id_from, p_seal.id_to) r
    where v_reopened_from is null or r.row_id < v_reopened_from
       or r.row_id in (select i.row_id from unnest(p_row_ids) as i (row_id));
end;
$$;
comment on function app.rows_of_seal(app.seals, text, uuid[]) is
  'The rows of a log that a seal answers for: all of its range or, past the point that the chain was taken back to, those that it holds.';

create or replace function app.differing_rows(p_seal app.seals, p_log text, p_row_ids uuid[], p_row_hashes bytea[])
returns table (row_id uuid, what text)
language sql stable
as $$
  with differing as (
    select coalesce(i.row_id, r.row_id) as row_id, i.row_hash as sealed, r.row_hash as found
    from unnest(p_row_ids, p_row_hashes) as i (row_id, row_hash)
    full join app.rows_of_seal(p_seal, p_log, p_row_ids) r on r.row_id = i.row_id
    where i.row_hash is distinct from r.row_hash
  )
  select d.row_id, case
    when d.found is null then 'removed'
    when exists (select from differing o where o.sealed = d.found and o.row_id is distinct from d.row_id) then 'reordered'
    when d.sealed is null then 'added'
    else 'changed'
  end
  from differing d order by d.row_id
$$;

create or replace function app.log_violations(p_seal app.seals, p_log text)
returns table (row_id uuid, what text)
language plpgsql stable
as $$
declare
  v_sealed text := p_seal.parts -> p_log ->> 'digest';
  v_items app.seal_items;
  v_found text;
begin
  select i.* into v_items from app.seal_items i where i.seal_no = p_seal.seal_no and i.log = p_log;
  select app.items_digest(array_agg(r.row_id order by r.row_id), array_agg(r.row_hash order by r.row_id)) into v_found
  from app.rows_of_seal(p_seal, p_log, v_items.row_ids) r;
  if v_items.seal_no is null and app.is_purged(p_log, p_seal.id_to) then
    v_sealed := null;
  elsif v_items.seal_no is null and v_sealed is not null then
    return query select null::uuid, 'items_removed';
    if v_found is distinct from v_sealed then
      return query select null::uuid, 'changed';
    end if;
    return;
  elsif app.items_digest(v_items.row_ids, v_items.row_hashes) is distinct from v_sealed
        or cardinality(v_items.row_ids) is distinct from cardinality(v_items.row_hashes)
  then
    return query select null::uuid, 'items_changed';
  end if;
  if v_found is distinct from v_sealed then
    return query select d.row_id, d.what from app.differing_rows(p_seal, p_log, v_items.row_ids, v_items.row_hashes) d;
    if not found then
      return query select null::uuid, 'changed';
    end if;
  end if;
end;
$$;

create or replace function app.chain_violation(p_seal app.seals, p_previous app.seals)
returns text
language sql stable
as $$
  select case when p_seal.root is distinct from app.seal_root(p_seal)
    or p_seal.previous_root is distinct from coalesce(p_previous.root, decode(repeat('00', 32), 'hex'))
    or p_seal.id_from is distinct from coalesce(
      (select r.id_from from app.seal_rewinds r where r.seal_no = p_seal.seal_no), p_previous.id_to,
      '00000000-0000-0000-0000-000000000000')
    then 'seal_changed' end
$$;
comment on function app.chain_violation(app.seals, app.seals) is
  'seal_changed unless the seal has the root of its row and continues the one before (all NULL before the first), or begins where the chain '
  'was taken back to.';

create function app.finding_hash(p_seal_no bigint, p_table_name text, p_row_id uuid)
returns bytea
language plpgsql stable
as $$
begin
  if p_row_id is null or not p_table_name = any (app.sealed_logs()) then
    return (select app.seal_root(s) from app.seals s where s.seal_no = p_seal_no);
  end if;
  return (
    select r.row_hash
    from app.log_rows(p_table_name, p_row_id, app.uuid_v7_floor(app.uuid_v7_time(p_row_id) + interval '2 milliseconds')) r
    where r.row_id = p_row_id);
end;
$$;
comment on function app.finding_hash(bigint, text, uuid) is
  'The hash of what a finding is about as it is now: the row or, without one, the seal; NULL when that is not there.';

create function app.is_acknowledged(p_seal_no bigint, p_table_name text, p_row_id uuid, p_what text)
returns boolean
language plpgsql stable
as $$
begin
  return exists (
    select from app.seal_acknowledgements a
    where a.seal_no is not distinct from p_seal_no and a.table_name = p_table_name and a.row_id is not distinct from p_row_id and a.what = p_what
      and a.row_hash is not distinct from app.finding_hash(p_seal_no, p_table_name, p_row_id));
end;
$$;
comment on function app.is_acknowledged(bigint, text, uuid, text) is 'Whether an admin explained this finding, and nothing changed since.';

create or replace function app.seal_violations(p_seal_first bigint, p_seal_last bigint)
returns table (seal_no bigint, table_name text, row_id uuid, what text)
language plpgsql stable
as $$
declare
  v_seal app.seals;
  v_previous app.seals;
  v_expected bigint := p_seal_first;
  v_rows_max bigint := rules.limit_int('page.rows_max');
  v_rows bigint;
begin
  -- Locks the partitions before the first seal is read, so that none is purged in between.
  perform from audit.event_log a limit 1;
  select s.* into v_previous from app.seals s where s.seal_no = p_seal_first - 1;
  if p_seal_first > 1 and v_previous.seal_no is null then
    v_expected := p_seal_first - 1;
  end if;
  for v_seal in
    select s.* from app.seals s where s.seal_no between p_seal_first and p_seal_last order by s.seal_no
  loop
    if v_seal.seal_no <> v_expected then
      return query select m.seal_no, 'app.seals', null::uuid, 'seal_removed'
        from generate_series(v_expected, least(v_seal.seal_no - 1, v_expected + v_rows_max)) as m (seal_no)
        where not app.is_acknowledged(m.seal_no, 'app.seals', null, 'seal_removed');
      if v_seal.root is distinct from app.seal_root(v_seal) then
        return query select v_seal.seal_no, 'app.seals', null::uuid, 'seal_changed';
      end if;
    else
      return query select v_seal.seal_no, 'app.seals', null::uuid, c.what
        from app.chain_violation(v_seal, v_previous) as c (what)
        where c.what is not null and not app.is_acknowledged(v_seal.seal_no, 'app.seals', null, c.what);
    end if;
    return query select v_seal.seal_no, g.log, v.row_id, v.what
      from unnest(app.sealed_logs()) as g (log) cross join lateral app.log_violations(v_seal, g.log) v
      where not app.is_acknowledged(v_seal.seal_no, g.log, v.row_id, v.what);
    get diagnostics v_rows = row_count;
    v_rows_max := v_rows_max - v_rows;
    exit when v_rows_max <= 0;
    v_previous := v_seal;
    v_expected := v_seal.seal_no + 1;
  end loop;
end;
$$;
comment on function app.seal_violations(bigint, bigint) is
  'What is wrong in these seals: with their chain, their items, and the rows they cover, less what was acknowledged. Reads all those rows; '
  'stops after the seal in which it has named as many rows as a page holds.';

create or replace function app.tip_violations()
returns table (seal_no bigint, table_name text, row_id uuid, what text)
language sql stable
as $$
  select v.seal_no, v.table_name, v.row_id, v.what
  from (
    select t.last_seal_no as seal_no, 'app.seals' as table_name, null::uuid as row_id, 'seal_removed' as what
    from app.seal_state t
    where t.last_seal_no <> coalesce((select max(s.seal_no) from app.seals s), 0)
    union all
    select t.last_seal_no, 'app.seals', null::uuid, 'seal_changed'
    from app.seal_state t join app.seals s on s.seal_no = t.last_seal_no
    where s.root is distinct from t.last_root
       or coalesce((select r.id_from from app.seal_rewinds r where r.seal_no = t.last_seal_no + 1), s.id_to) is distinct from t.last_id_to
    union all
    select 0, 'app.seal_state', null::uuid, 'removed' where not exists (select from app.seal_state)
    union all
    select r.seal_last, 'app.purged_ranges', r.id, 'purged_too_early'
    from app.purged_ranges r
    where r.id_to > app.uuid_v7_floor(least(r.purged_at, now()) - app.audit_kept())) v
  where not app.is_acknowledged(v.seal_no, v.table_name, v.row_id, v.what)
$$;
comment on function app.tip_violations() is
  'What is wrong with the end of the chain, less what was acknowledged: last seals dropped or made anew without the memory of the tip, and '
  'purges before their time.';
