-- What a setting may be is data beside it: its kind, its bounds, its choices. set_setting holds values to all of them; the table itself
-- to kind and choices.

alter table app.settings
  add column min_value numeric,
  add column max_value numeric,
  add column choices text[],
  add constraint settings_bounds_are_ordered check (min_value <= max_value),
  drop constraint settings_kind_known,
  add constraint settings_kind_known check (kind in ('amount', 'integer', 'time_zone', 'choice')),
  add constraint settings_integers_are_integers check (kind <> 'integer' or value ~ '^(0|[1-9][0-9]{0,8})$'),
  add constraint settings_choices_are_known check (kind <> 'choice' or value = any (choices));
comment on table app.settings is
  'What the house decides: time zone and limits. Amounts are raw amounts of the house currency. min_value, max_value: bounds of an amount '
  'or integer, both included; choices: the values of a choice, without which it cannot be changed.';

update app.settings s
set min_value = b.min_value, max_value = b.max_value
from (values
  ('payment_amount_max', 0.00, 1000000.00),
  ('payment_card_day_max', 0.00, 10000000.00),
  ('cashier_refund_max', 0.00, 1000000.00)
) as b (key, min_value, max_value)
where s.key = b.key;
update app.settings s set choices = array['clawback', 'keep'] where s.key = 'refund_points';

create function app.normal_setting(p_setting app.settings, p_value text)
returns text
language plpgsql immutable
set search_path = ''
as $$
declare
  v_number numeric;
begin
  if p_value is null then
    return null;
  end if;
  case p_setting.kind
    when 'amount' then
      v_number := case when p_value ~ '^[0-9]{1,12}([.][0-9]{1,2})?$' then p_value::numeric(14, 2) end;
    when 'integer' then
      v_number := case when p_value ~ '^(0|[1-9][0-9]{0,8})$' then p_value::numeric end;
    when 'time_zone' then
      return case when rules.is_time_zone(p_value) then p_value end;
    when 'choice' then
      return case when p_value = any (p_setting.choices) then p_value end;
  end case;
  if v_number < p_setting.min_value or v_number > p_setting.max_value then
    return null;
  end if;
  return v_number::text;
end;
$$;
comment on function app.normal_setting(app.settings, text) is
  'A value as the setting keeps it, amounts with two decimals; NULL when it is not of its kind, out of its bounds or none of its choices.';
