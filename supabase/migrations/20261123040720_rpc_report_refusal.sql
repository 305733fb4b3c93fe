create function public.report_refusal(
  p_rpc text, p_code text, p_actor_user_id uuid default null, p_merchant_code text default null, p_params jsonb default null,
  p_request_id text default null)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_now timestamptz;
  v_field text;
begin
  perform sec.require_service();
  v_field := case
    when p_rpc is null or p_rpc !~ '^[a-z][a-z0-9_]{0,62}$' then 'rpc'
    when p_code is null or not exists (select from rules.error_codes() e where e.code = p_code) then 'code'
    -- What a refusal carries is short and flat. A run of digits as long as a payment code's handle and password is none of it.
    when p_params is not null and (
      jsonb_typeof(p_params) <> 'object' or octet_length(p_params::text) > 1024 or p_params::text ~ '[0-9]{20}') then 'params'
    when p_request_id !~ '^[A-Za-z0-9._-]{1,128}$' then 'request_id'
  end;
  if v_field is not null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', v_field));
  end if;
  v_now := clock_timestamp();
  insert into audit.event_log (id, created_at, actor_user_id, actor_role, action, object_type, object_id, params, request_id)
  values (
    app.uuid_v7(v_now), v_now, p_actor_user_id, 'service', 'call.refused', 'rpc', p_rpc,
    jsonb_strip_nulls(jsonb_build_object(
      'code', p_code, 'params', p_params,
      -- As the caller sent it; what no merchant's code can be is not kept.
      'merchant_code', case when p_merchant_code ~ '^[!-~]{1,64}$' and p_merchant_code !~ '[0-9]{20}' then p_merchant_code end)),
    coalesce(p_request_id, sec.request_id()));
  return true;
end;
$$;
comment on function public.report_refusal(text, text, uuid, text, jsonb, text) is
  'Service: records that a call was refused, whose own audit row rolled back with it: action call.refused, object rpc and its name. The '
  'code is of the catalogue; p_params, the refusal''s own, are an object of at most 1024 bytes; p_actor_user_id is who had called. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.report_refusal(text, text, uuid, text, jsonb, text) from public, anon, authenticated, service_role;
grant execute on function public.report_refusal(text, text, uuid, text, jsonb, text) to service_role;
