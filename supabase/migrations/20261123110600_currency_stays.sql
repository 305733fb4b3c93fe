-- The currency of the house is chosen before the first transaction.

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
  'Admin: changes a setting from the next call on. Amounts are plain decimals with at most two decimals. The currency stays once there is a '
  'transaction. Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, INVALID_SETTING, SETTING_NOT_FOUND.';
revoke all on function public.set_setting(text, text) from public, anon, authenticated, service_role;
grant execute on function public.set_setting(text, text) to authenticated;
