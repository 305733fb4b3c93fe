create function sec.check_merchant_terms(
  p_fee_bps int, p_time_zone text, p_settlement_mode text, p_day_max numeric, p_clear_day_max boolean)
returns void
language plpgsql immutable
set search_path = ''
as $$
declare
  v_field text := case
    when p_fee_bps not between 0 and rules.limit_int('merchant.fee_bps_max') then 'fee_bps'
    when not rules.is_time_zone(p_time_zone) then 'time_zone'
    when p_settlement_mode not in ('realtime', 't_plus_1', 'monthly') then 'settlement_mode'
    when p_clear_day_max is null or (p_clear_day_max and p_day_max is not null) then 'clear_day_max'
  end;
begin
  if p_day_max is not null and not rules.is_amount(p_day_max) then
    perform rules.fail('INVALID_PRICE', jsonb_build_object('field', 'day_max'));
  end if;
  if v_field is not null then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', v_field));
  end if;
end;
$$;
comment on function sec.check_merchant_terms(int, text, text, numeric, boolean) is
  'Refuses terms that no merchant can have; NULL is no change.';

create function public.update_merchant(
  p_merchant_id uuid, p_name text default null, p_contact text default null, p_fee_bps int default null,
  p_time_zone text default null, p_settlement_mode text default null, p_day_max numeric default null,
  p_clear_day_max boolean default false)
returns table (
  merchant_id uuid, code text, name text, contact text, status text, time_zone text, fee_bps int, settlement_mode text, day_max numeric,
  created_at timestamptz)
language plpgsql security definer
set search_path = ''
as $$
declare
  v_old app.merchants;
  v_new app.merchants;
  v_name text;
  v_contact text;
begin
  perform sec.require_admin();
  perform sec.check_merchant_terms(p_fee_bps, p_time_zone, p_settlement_mode, p_day_max, p_clear_day_max);
  v_name := case when p_name is not null then sec.normal_name(p_name) end;
  v_contact := sec.bounded_text(p_contact, 200, 'contact');
  select m.* into v_old from app.merchants m where m.id = p_merchant_id for no key update;
  if v_old.id is null then
    perform rules.fail('MERCHANT_NOT_FOUND');
  end if;
  update app.merchants m
  set name = coalesce(v_name, m.name),
      contact = case when p_contact is null then m.contact else v_contact end,
      fee_bps = coalesce(p_fee_bps, m.fee_bps),
      time_zone = coalesce(p_time_zone, m.time_zone),
      settlement_mode = coalesce(p_settlement_mode, m.settlement_mode),
      day_max = case when p_clear_day_max then null else coalesce(p_day_max, m.day_max) end
  where m.id = p_merchant_id
  returning m.* into v_new;
  if v_new is distinct from v_old then
    -- A contact may be a person: that it changed is recorded, not what it says.
    perform audit.log('admin', 'merchant.updated', 'merchant', v_new.code,
      app.changed_fields(to_jsonb(v_old) - 'contact', to_jsonb(v_new) - 'contact')
      || case when v_new.contact is distinct from v_old.contact then '{"contact": "changed"}'::jsonb else '{}' end);
  end if;
  return query select
    v_new.id, v_new.code, v_new.name, v_new.contact, v_new.status, v_new.time_zone, v_new.fee_bps, v_new.settlement_mode,
    v_new.day_max::numeric, v_new.created_at;
end;
$$;
comment on function public.update_merchant(uuid, text, text, int, text, text, numeric, boolean) is
  'Admin: changes what is given and leaves what is NULL. An empty contact is none. fee_bps: 0 to 10000 hundredths of a per cent; '
  'settlement_mode: realtime, t_plus_1, monthly; day_max: most of raw amounts a day in the merchant''s time zone, counted from when it is '
  'set, and p_clear_day_max takes the limit away. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, INVALID_PRICE, MALFORMED_ARGUMENT, '
  'MERCHANT_NOT_FOUND.';
revoke all on function public.update_merchant(uuid, text, text, int, text, text, numeric, boolean)
  from public, anon, authenticated, service_role;
grant execute on function public.update_merchant(uuid, text, text, int, text, text, numeric, boolean) to authenticated;
