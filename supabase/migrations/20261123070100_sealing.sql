-- Taking the rows of a slice, and knowing which slice is final. See the head of the migration of seals.

create function app.sealed_logs()
returns text[]
language sql immutable
as $$ select array['app.transactions', 'app.ledger_entries', 'app.point_ledger', 'audit.event_log', 'app.purged_ranges'] $$;
comment on function app.sealed_logs() is 'The tables that seals cover.';

create function app.row_hash(p_row jsonb, p_without text)
returns bytea
language sql stable
as $$ select pg_catalog.sha256(pg_catalog.convert_to((pg_catalog.jsonb_strip_nulls(p_row) - p_without)::text, 'UTF8')) $$;
comment on function app.row_hash(jsonb, text) is
  'SHA-256 of a row but for one column. Times and bytes print by the session''s settings: callers set timezone and bytea_output.';

create function app.log_rows(p_log text, p_id_from uuid, p_id_to uuid)
returns table (row_id uuid, row_hash bytea)
language plpgsql stable
set search_path = ''
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
  end case;
end;
$$;
comment on function app.log_rows(text, uuid, uuid) is
  'Ids and hashes of a log''s rows in a range of ids; all entries of a transaction are one. The id is not part of the hash, so that a row '
  'under another row''s id is recognised.';

create function app.items_digest(p_row_ids uuid[], p_row_hashes bytea[])
returns text
language sql stable
as $$
  select pg_catalog.encode(pg_catalog.sha256(pg_catalog.string_agg(
    coalesce(pg_catalog.uuid_send(i.row_id), '') || coalesce(i.row_hash, ''), ''::bytea order by i.position)), 'hex')
  from unnest(p_row_ids, p_row_hashes) with ordinality as i (row_id, row_hash, position)
$$;
comment on function app.items_digest(uuid[], bytea[]) is 'SHA-256 over ids and hashes in their order, as hex; NULL for none.';

create function app.seal_root(p_seal app.seals)
returns bytea
language sql stable
set search_path = ''
set timezone = 'UTC'
set bytea_output = 'hex'
as $$ select app.row_hash(to_jsonb(p_seal), 'root') $$;
comment on function app.seal_root(app.seals) is 'The root that a seal must have: SHA-256 of its row, the root before included.';

create function app.running_transactions()
returns text[]
language sql volatile
set search_path = ''
as $$
  select coalesce(array_agg(l.virtualxid), '{}') from pg_catalog.pg_locks l
  where l.locktype = 'virtualxid' and l.mode = 'ExclusiveLock' and l.granted and l.pid is distinct from pg_backend_pid()
    -- Of a process that is not listed, or not with its database, the database is not known: it counts.
    and not exists (
      select from pg_catalog.pg_stat_activity a
      where a.pid = l.pid and a.datid <> (select d.oid from pg_catalog.pg_database d where d.datname = current_database()))
$$;
comment on function app.running_transactions() is
  'The virtual ids of everybody else''s running transactions in this database. Pid and database are shown to every role.';

create function app.seal_margin()
returns interval
language sql immutable
as $$ select interval '10 seconds' $$;
comment on function app.seal_margin() is 'How far clocks may step back, or differ between servers, before honest rows look added.';

create function app.has_prepared_transaction()
returns boolean
language sql volatile
set search_path = ''
as $$ select exists (select from pg_catalog.pg_prepared_xacts p where p.database = current_database()) $$;
comment on function app.has_prepared_transaction() is 'Whether a transaction waits for its second phase: it has no virtual id any more.';

create function app.final_at()
returns timestamptz
language plpgsql
set search_path = ''
as $$
declare
  -- The clock first: who is not among the running ones now either ended before, or reads a later clock.
  v_now timestamptz := clock_timestamp();
  v_running text[] := app.running_transactions();
  -- And this last: who was running a moment ago is now here, or over.
  v_has_prepared boolean := app.has_prepared_transaction();
  v_state app.seal_state;
begin
  select s.* into strict v_state from app.seal_state s;
  if v_state.fenced_at > v_now then
    v_state.fenced_at := null;
  end if;
  if v_state.fenced_at is not null and (v_has_prepared or v_state.running && v_running) then
    return v_state.final_at;
  end if;
  v_state.final_at := greatest(v_state.final_at, v_state.fenced_at);
  if v_running = '{}' and not v_has_prepared then
    v_state.final_at := greatest(v_state.final_at, v_now);
  end if;
  update app.seal_state s set fenced_at = v_now, running = v_running, final_at = v_state.final_at;
  return v_state.final_at;
end;
$$;
comment on function app.final_at() is
  'Lowers the fence when everybody it waited for is gone, raises the next one, and answers since when ids may still appear. NULL: not '
  'known yet. For whoever holds the lock on seal_state, in read committed.';

create function app.first_unsealed(p_id_from uuid, p_id_to uuid)
returns uuid
language sql stable
set search_path = ''
as $$
  select least(
    (select t.id from app.transactions t where t.id >= p_id_from and t.id < p_id_to order by t.id limit 1),
    (select e.tx_id from app.ledger_entries e where e.tx_id >= p_id_from and e.tx_id < p_id_to order by e.tx_id limit 1),
    (select l.id from app.point_ledger l where l.id >= p_id_from and l.id < p_id_to order by l.id limit 1),
    (select a.id from audit.event_log a where a.id >= p_id_from and a.id < p_id_to order by a.id limit 1),
    (select r.id from app.purged_ranges r where r.id >= p_id_from and r.id < p_id_to order by r.id limit 1))
$$;
comment on function app.first_unsealed(uuid, uuid) is 'The first id of any log in a range; NULL when there is none.';

create function app.uuid_v7_time(p_id uuid)
returns timestamptz
language sql immutable
as $$ select to_timestamp(('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) $$;
comment on function app.uuid_v7_time(uuid) is 'The moment that a UUIDv7 was drawn, to the millisecond.';

create function app.slice_end(p_first uuid, p_id_to uuid, p_rows_max int)
returns uuid
language sql stable
set search_path = ''
as $$
  -- At most so many rows of each log; the entries go with their transactions. Purging drops months, so a slice has rows of one only.
  select least(
    p_id_to,
    app.uuid_v7_floor((date_trunc('month', app.uuid_v7_time(p_first) at time zone 'UTC') + interval '1 month') at time zone 'UTC'),
    (select t.id from app.transactions t where t.id >= p_first and t.id < p_id_to order by t.id offset p_rows_max limit 1),
    (select l.id from app.point_ledger l where l.id >= p_first and l.id < p_id_to order by l.id offset p_rows_max limit 1),
    (select a.id from audit.event_log a where a.id >= p_first and a.id < p_id_to order by a.id offset p_rows_max limit 1))
$$;
comment on function app.slice_end(uuid, uuid, int) is 'Where a slice that begins with this row ends, at most at the given id.';

create function app.seal_rows(p_id_to uuid, p_rows_max int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_seal app.seals;
  v_first uuid;
begin
  -- From the remembered tip: a seal that was dropped leaves a gap instead of being made anew.
  select t.last_seal_no + 1, t.last_root, t.last_id_to into strict v_seal.seal_no, v_seal.previous_root, v_seal.id_from
  from app.seal_state t;
  v_first := app.first_unsealed(v_seal.id_from, p_id_to);
  if v_first is null then
    return 0;
  end if;
  v_seal.id_to := app.slice_end(v_first, p_id_to, p_rows_max);
  insert into app.seal_items (seal_no, log, row_ids, row_hashes)
  select v_seal.seal_no, g.log, array_agg(r.row_id order by r.row_id), array_agg(r.row_hash order by r.row_id)
  from unnest(app.sealed_logs()) as g (log)
  cross join lateral app.log_rows(g.log, v_seal.id_from, v_seal.id_to) r
  group by g.log;
  select sum(cardinality(i.row_ids)), jsonb_object_agg(i.log, jsonb_build_object(
    'rows', cardinality(i.row_ids), 'digest', app.items_digest(i.row_ids, i.row_hashes)))
  into v_seal.row_count, v_seal.parts
  from app.seal_items i where i.seal_no = v_seal.seal_no;
  v_seal.sealed_at := clock_timestamp();
  v_seal.root := app.seal_root(v_seal);
  insert into app.seals select v_seal.*;
  update app.seal_state t set last_seal_no = v_seal.seal_no, last_root = v_seal.root, last_id_to = v_seal.id_to;
  return v_seal.row_count;
end;
$$;
comment on function app.seal_rows(uuid, int) is
  'Makes one seal over the next slice of ids below p_id_to, at most p_rows_max rows of a log; answers how many items it has. All ids below '
  'p_id_to must be final, and the caller must hold the lock on seal_state.';
