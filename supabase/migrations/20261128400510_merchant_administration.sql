-- Admins' calls that wait: the right is read again after the lock, and held.

create or replace function public.update_merchant(
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
  perform sec.hold_admin();
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
  'settlement_mode: realtime, t_plus_1, monthly; day_max: most of raw amounts a day in the merchant''s time zone, counted from when it '
  'is set, and p_clear_day_max takes the limit away. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, INVALID_PRICE, MALFORMED_ARGUMENT, '
  'MERCHANT_NOT_FOUND.';
revoke all on function public.update_merchant(uuid, text, text, int, text, text, numeric, boolean)
  from public, anon, authenticated, service_role;
grant execute on function public.update_merchant(uuid, text, text, int, text, text, numeric, boolean) to authenticated;

create or replace function public.create_merchant(p_code text, p_name text, p_contact text default null)
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
  perform sec.hold_admin();
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
  'Admin: a new, active merchant in the time zone of the house. The code has 1 to 64 printable ASCII characters without spaces and '
  'never changes; the name up to 100 characters, the contact up to 200 or none. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, '
  'MALFORMED_ARGUMENT, MERCHANT_CODE_ALREADY_USED.';
revoke all on function public.create_merchant(text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.create_merchant(text, text, text) to authenticated;

create or replace function public.set_setting(p_key text, p_value text) returns table (key text, value text, kind text, comment text, min_value numeric, max_value numeric, choices text[])
language plpgsql security definer
set search_path = ''
as $$
declare
  v_setting app.settings;
  v_value text;
begin
  perform sec.require_admin();
  select s.* into v_setting from app.settings s where s.key = p_key for no key update;
  perform sec.hold_admin();
  if v_setting.key is null then
    perform rules.fail('SETTING_NOT_FOUND', jsonb_build_object('setting', left(p_key, 64)));
  end if;
  v_value := app.normal_setting(v_setting, p_value);
  if v_value is null then
    perform rules.fail('INVALID_SETTING', jsonb_build_object('setting', p_key));
  end if;
  -- Every amount there is would change its unit.
  if p_key = 'recharge_currency' and v_value <> v_setting.value and exists (select from app.transactions) then
    perform rules.fail('INVALID_SETTING', jsonb_build_object('setting', p_key));
  end if;
  if v_value <> v_setting.value then
    update app.settings s set value = v_value where s.key = p_key;
    perform audit.log('admin', 'setting.changed', 'setting', p_key, jsonb_build_object('from', v_setting.value, 'to', v_value));
  end if;
  return query
    select s.key, s.value, s.kind, s.comment, s.min_value, s.max_value, s.choices from app.settings s where s.key = p_key;
end;
$$;
comment on function public.set_setting(text, text) is
  'Admin: changes a setting from the next call on. Amounts are plain decimals with at most two decimals. The currency stays once there '
  'is a transaction. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, INVALID_SETTING, SETTING_NOT_FOUND.';
revoke all on function public.set_setting(text, text) from public, anon, authenticated, service_role;
grant execute on function public.set_setting(text, text) to authenticated;
