create function public.acknowledge_seal_finding(
  p_seal_no bigint default null, p_table_name text default null, p_row_id uuid default null, p_what text default null,
  p_reason text default null)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform sec.require_admin();
  if p_table_name is null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'table_name'));
  end if;
  if p_what is null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'what'));
  end if;
  perform app.check_reason(p_reason);
  if not exists (
    select from (select f.* from app.seal_violations(p_seal_no, p_seal_no) f union all select t.* from app.tip_violations() t) v
    where v.seal_no is not distinct from p_seal_no and v.table_name = p_table_name and v.row_id is not distinct from p_row_id and v.what = p_what)
  then
    return false;
  end if;
  perform sec.hold_admin();
  insert into app.seal_acknowledgements (id, seal_no, table_name, row_id, what, row_hash, reason, acknowledged_by, acknowledged_at)
  values (
    app.uuid_v7(), p_seal_no, p_table_name, p_row_id, p_what, app.finding_hash(p_seal_no, p_table_name, p_row_id), btrim(p_reason),
    (sec.caller()).user_id, clock_timestamp());
  perform audit.log('admin', 'seal.finding_acknowledged', 'seal', p_seal_no::text, jsonb_build_object(
    'table_name', p_table_name, 'row_id', p_row_id, 'what', p_what, 'reason', btrim(p_reason)));
  return true;
end;
$$;
comment on function public.acknowledge_seal_finding(bigint, text, uuid, text, text) is
  'Admin: explains one finding of verify_seals, named as that names it (row_id NULL for one about a seal), with a reason of one line and at '
  'most 500 characters. It is not found again while the row stays as it is now. false: there is no such finding, or it was acknowledged. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.acknowledge_seal_finding(bigint, text, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function public.acknowledge_seal_finding(bigint, text, uuid, text, text) to authenticated;
