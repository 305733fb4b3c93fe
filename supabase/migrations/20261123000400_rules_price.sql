-- Money, price, points and levels: twins of the core's arithmetic, held equal by spec/vectors.

create function rules.is_amount(p_amount numeric)
returns boolean
language sql immutable parallel safe
as $$
  select p_amount is not null
     and p_amount not in ('NaN', 'Infinity', '-Infinity')
     and p_amount > 0
     and p_amount < 1000000000000
     and p_amount = round(p_amount, 2)
$$;
comment on function rules.is_amount(numeric) is
  'A payable amount: a number of numeric(14,2), above zero, with at most two decimals. Never NULL.';

create function rules.final_price(p_raw_amount numeric, p_discount numeric)
returns numeric
language sql immutable parallel safe
as $$ select round(p_raw_amount * p_discount, 2) $$;
comment on function rules.final_price(numeric, numeric) is
  'Raw amount times multiplier, two decimals, halves away from zero: 299.00 x 0.950 = 284.05.';

create function rules.points_for(p_raw_amount numeric, p_final_amount numeric, p_earns_points boolean)
returns bigint
language sql immutable parallel safe
as $$ select case when p_earns_points and p_final_amount > 0 then floor(p_raw_amount)::bigint else 0 end $$;
comment on function rules.points_for(numeric, numeric, boolean) is
  'Whole units of the raw amount for cards that earn; nothing when the final amount is 0.00.';

create function rules.level_for(p_points bigint, p_points_minimums bigint[])
returns int
language sql immutable parallel safe
as $$
  select (count(*) - 1)::int from unnest(p_points_minimums) as m (points_min) where m.points_min <= p_points
$$;
comment on function rules.level_for(bigint, bigint[]) is
  'Index of the highest level whose first point is reached; the minimums are ascending and begin with 0.';

create function rules.points_taken_back(p_points_earned bigint, p_refunded_total numeric, p_final_amount numeric)
returns bigint
language sql immutable parallel safe
as $$
  select case
    when p_refunded_total >= p_final_amount then p_points_earned
    else floor(p_points_earned * p_refunded_total / p_final_amount)::bigint end
$$;
comment on function rules.points_taken_back(bigint, numeric, numeric) is
  'Points taken back in all after refunds of a total: the same share, rounded down; everything at a full refund.';
