-- Bounds and choices of the settings that came before the columns for them.
update app.settings s set min_value = 0, max_value = 1000000 where s.key = 'cash_recharge_cashier_day_max';
update app.settings s set choices = array['CNY', 'HKD', 'TWD', 'USD'] where s.key = 'recharge_currency';
update app.settings s set min_value = 0, max_value = 100000000 where s.key = 'cash_recharge_merchant_day_max';
