-- Holding the rows against their seals, and the seals against each other.

create function app.differing_rows(p_seal app.seals, p_log text, p_row_ids uuid[], p_row_hashes bytea[])
returns table (row_id uuid, what text)
language sql stable
set search_path = ''
as $$
  with differing as (
    select coalesce(i.row_id, r.row_id) as row_id, i.row_hash as sealed, r.row_hash as found
    from unnest(p_row_ids, p_row_hashes) as i (row_id, row_hash)
    full join app.log_rows(p_log, p_seal.id_from, p_seal.id_to) r on r.row_id = i.row_id
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
comment on function app.differing_rows(app.seals, text, uuid[], bytea[]) is
  'Rows that are not as the items say. Reordered: what was sealed under the id of another row that is gone or differs too.';

create function app.log_violations(p_seal app.seals, p_log text)
returns table (row_id uuid, what text)
language plpgsql stable
set search_path = ''
as $$
declare
  v_sealed text := p_seal.parts -> p_log ->> 'digest';
  v_items app.seal_items;
  v_found text;
begin
  select i.* into v_items from app.seal_items i where i.seal_no = p_seal.seal_no and i.log = p_log;
  select app.items_digest(array_agg(r.row_id order by r.row_id), array_agg(r.row_hash order by r.row_id)) into v_found
  from app.log_rows(p_log, p_seal.id_from, p_seal.id_to) r;
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
comment on function app.log_violations(app.seals, text) is
  'What is wrong with the rows of one log in one seal. Without a row id: the items themselves, or rows that the items no longer name.';

create function app.chain_violation(p_seal app.seals, p_previous app.seals)
returns text
language sql stable
set search_path = ''
as $$
  select case when p_seal.root is distinct from app.seal_root(p_seal)
    or p_seal.previous_root is distinct from coalesce(p_previous.root, decode(repeat('00', 32), 'hex'))
    or p_seal.id_from is distinct from coalesce(p_previous.id_to, '00000000-0000-0000-0000-000000000000')
    then 'seal_changed' end
$$;
comment on function app.chain_violation(app.seals, app.seals) is
  'seal_changed unless the seal has the root of its row and continues the one before (all NULL before the first).';

create function app.seal_violations(p_seal_first bigint, p_seal_last bigint)
returns table (seal_no bigint, table_name text, row_id uuid, what text)
language plpgsql stable
set search_path = ''
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
        from generate_series(v_expected, least(v_seal.seal_no - 1, v_expected + v_rows_max)) as m (seal_no);
      if v_seal.root is distinct from app.seal_root(v_seal) then
        return query select v_seal.seal_no, 'app.seals', null::uuid, 'seal_changed';
      end if;
    else
      return query select v_seal.seal_no, 'app.seals', null::uuid, c.what
        from app.chain_violation(v_seal, v_previous) as c (what) where c.what is not null;
    end if;
    return query select v_seal.seal_no, g.log, v.row_id, v.what
      from unnest(app.sealed_logs()) as g (log) cross join lateral app.log_violations(v_seal, g.log) v;
    get diagnostics v_rows = row_count;
    v_rows_max := v_rows_max - v_rows;
    exit when v_rows_max <= 0;
    v_previous := v_seal;
    v_expected := v_seal.seal_no + 1;
  end loop;
end;
$$;
comment on function app.seal_violations(bigint, bigint) is
  'What is wrong in these seals: with their chain, their items, and the rows they cover. Reads all those rows; stops after the seal in '
  'which it has named as many rows as a page holds.';

create function app.tip_violations()
returns table (seal_no bigint, table_name text, row_id uuid, what text)
language sql stable
set search_path = ''
as $$
  select t.last_seal_no, 'app.seals', null::uuid, 'seal_removed'
  from app.seal_state t
  where t.last_seal_no <> coalesce((select max(s.seal_no) from app.seals s), 0)
  union all
  select t.last_seal_no, 'app.seals', null::uuid, 'seal_changed'
  from app.seal_state t join app.seals s on s.seal_no = t.last_seal_no
  where s.root is distinct from t.last_root or s.id_to is distinct from t.last_id_to
  union all
  select 0, 'app.seal_state', null::uuid, 'removed' where not exists (select from app.seal_state)
  union all
  select r.seal_last, 'app.purged_ranges', r.id, 'purged_too_early'
  from app.purged_ranges r
  where r.id_to > app.uuid_v7_floor(least(r.purged_at, now()) - app.audit_kept())
$$;
;
comment on function app.tip_violations() is
  'What is wrong with the end of the chain: last seals dropped or made anew without the memory of the tip, and purges before their time.';
