create table app.settings (
  key text primary key,
  value text not null,
  kind text not null constraint settings_kind_known check (kind in ('amount', 'time_zone', 'choice')),
  comment text not null
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
begin
  return (select s.value from app.settings s where s.key = p_key);
end;
$$;
comment on function app.setting(text) is 'A setting''s text; NULL for an unknown key.';
