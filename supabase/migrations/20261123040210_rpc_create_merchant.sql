create function public.create_merchant(p_code text, p_name text, p_contact text default null)
returns table (
  merchant_id uuid, code text, name text, contact text, status text, time_zone text, fee_bps int, settlement_mode text, day_max numeric,
  created_at timestamptz)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_merchant app.merchants;
  v_name text;
  v_contact text;
begin
  perform sec.require_admin();
  if p_code is null or p_code !~ '^[!-~]+$' or char_length(p_code) > rules.limit_int('merchant.code_chars_max') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'code'));
  end if;
  v_name := sec.normal_name(p_name);
  v_contact := sec.bounded_text(p_contact, 200, 'contact');
  -- Waits for another transaction that is making the same code.
  insert into app.merchants (code, name, contact, time_zone)
  values (p_code, v_name, v_contact, app.setting('time_zone'))
  on conflict on constraint merchants_code_taken do nothing
  returning * into v_merchant;
  if v_merchant.id is null then
    perform rules.fail('MERCHANT_CODE_ALREADY_USED');
  end if;
  perform audit.log('admin', 'merchant.created', 'merchant', v_merchant.code, jsonb_build_object('name', v_merchant.name));
  return query select
    v_merchant.id, v_merchant.code, v_merchant.name, v_merchant.contact, v_merchant.status, v_merchant.time_zone,
    v_merchant.fee_bps, v_merchant.settlement_mode, v_merchant.day_max::numeric, v_merchant.created_at;
end;
$$;
comment on function public.create_merchant(text, text, text) is
  'Admin: a new, active merchant in the time zone of the house. The code has 1 to 64 printable ASCII characters without spaces and never '
  'changes; the name up to 100 characters, the contact up to 200 or none. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, '
  'MALFORMED_ARGUMENT, MERCHANT_CODE_ALREADY_USED.';
revoke all on function public.create_merchant(text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.create_merchant(text, text, text) to authenticated;
