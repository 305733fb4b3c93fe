create function rules.is_time_zone(p_name text)
returns boolean
language plpgsql immutable
as $$
begin
  perform timestamptz '2000-01-01 00:00:00+00' at time zone p_name;
  return p_name ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$';
exception when invalid_parameter_value then
  return false;
end;
$$;
comment on function rules.is_time_zone(text) is 'Whether Postgres knows a time zone of this name.';

create table app.settings (
  key text primary key,
  value text not null,
  kind text not null constraint settings_kind_known check (kind in ('amount', 'time_zone', 'choice')),
  comment text not null,
  constraint settings_amounts_are_amounts check (kind <> 'amount' or value ~ '^[0-9]{1,12}[.][0-9]{2}$'),
  constraint settings_time_zones_are_known check (kind <> 'time_zone' or rules.is_time_zone(value))
);
comment on table app.settings is 'What the house decides: time zone and limits. Amounts are raw amounts of the house currency.';
alter table app.settings enable row level security;

insert into app.settings (key, value, kind, comment) values
  ('time_zone', 'Asia/Taipei', 'time_zone', 'Time zone of the house: when a card''s day begins'),
  ('payment_amount_max', '50000.00', 'amount', 'Most for one payment'),
  ('payment_card_day_max', '200000.00', 'amount', 'Most for one card and day'),
  ('cashier_refund_max', '1000.00', 'amount', 'Most that a cashier refunds; above it a manager or owner does'),
  ('refund_points', 'clawback', 'choice', 'clawback: a refund takes back the points it earned; keep: it does not');

create function app.setting(p_key text)
returns text
language plpgsql stable
set search_path = ''
as $$
declare
  v_value text := (select s.value from app.settings s where s.key = p_key);
begin
  if v_value is null then
    perform rules.fail('NOT_CONFIGURED', jsonb_build_object('what', p_key));
  end if;
  return v_value;
end;
$$;
comment on function app.setting(text) is 'A setting''s text. A missing one stops the call with NOT_CONFIGURED: no limit is ever skipped.';
