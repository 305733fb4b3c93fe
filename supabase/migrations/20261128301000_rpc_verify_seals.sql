create or replace function public.verify_seals(
  p_seal_first bigint default 1, p_seals_max int default null, p_anchor_seal_no bigint default null, p_anchor_root text default null)
returns table (seal_no bigint, table_name text, row_id uuid, what text)
language plpgsql stable security definer
set search_path = ''
set jit = off
as $$
declare
  -- Beyond every seal, and far from where numbers end.
  v_seal_last constant bigint := 1000000000000000;
begin
  perform sec.require_admin_or_service();
  if p_seal_first is null or p_seal_first not between 1 and v_seal_last then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'seal_first'));
  end if;
  if p_seals_max < 1 then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'seals_max'));
  end if;
  if p_anchor_seal_no < 1 or (p_anchor_seal_no is null) <> (p_anchor_root is null) then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'anchor_seal_no'));
  end if;
  if p_anchor_root !~ '^[0-9a-f]{64}$' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'anchor_root'));
  end if;
  return query
    select v.* from (
      select p_anchor_seal_no, 'app.seals', null::uuid, 'anchor_differs'
      where p_anchor_root is not null and not exists (
        select from app.seals s where s.seal_no = p_anchor_seal_no and encode(s.root, 'hex') = p_anchor_root)
      union all
      select t.* from app.tip_violations() t
      union all
      select s.* from app.seal_violations(p_seal_first, coalesce(p_seal_first - 1 + p_seals_max, v_seal_last)) s
    ) v limit rules.limit_int('page.rows_max');
end;
$$;
comment on function public.verify_seals(bigint, int, bigint, text) is
  'Admin, service: what was changed behind the triggers'' back in these seals, at most 200 rows, none when all is well. what, of a row: '
  'changed, removed, added, reordered (it stands under the id of another); of a seal, without row id: seal_changed, seal_removed, '
  'items_changed, items_removed, changed (rows that its items no longer name), purged_too_early; anchor_differs when the seal of that '
  'number has not the given root (64 hex digits, from get_latest_seal). Rows are named in the table''s name; ledger entries by their '
  'transaction. What acknowledge_seal_finding explained is left out. Reads all rows of those seals; with p_seals_max it works in parts. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.verify_seals(bigint, int, bigint, text) from public, anon, authenticated, service_role;
grant execute on function public.verify_seals(bigint, int, bigint, text) to authenticated, service_role;
