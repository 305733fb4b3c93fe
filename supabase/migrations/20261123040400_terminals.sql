-- Terminals: drawn codes. Rows are never deleted, so a code is never used again.

alter table app.terminals
  add constraint terminals_label_blank_or_long check (char_length(label) between 1 and 64);

create function rules.terminal_code_of(p_number bigint)
returns text
language sql immutable parallel safe
as $$
  select string_agg(
    substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', (p_number / (36 ^ p.place)::bigint % 36)::int + 1, 1), '' order by p.place desc)
  from generate_series(0, 5) as p (place)
$$;
comment on function rules.terminal_code_of(bigint) is 'Six characters 0-9A-Z: the number to base 36, of which the last six digits count.';

create function app.draw_terminal_code()
returns text
language sql volatile
set search_path = ''
as $$ select rules.terminal_code_of(('x' || encode(extensions.gen_random_bytes(7), 'hex'))::bit(56)::bigint) $$;
comment on function app.draw_terminal_code() is
  'A random terminal code; two thousand million there are, so a taken one is rare and drawn anew.';

create function app.merchant_violations()
returns table (rule text, object text, detail text)
language sql stable
set search_path = ''
as $$
  select 'terminal_is_the_merchants', t.tx_no, t.terminal_code
  from app.transactions t
  left join app.terminals x on x.code = t.terminal_code
  where t.terminal_code is not null and x.merchant_id is distinct from t.merchant_id
$$;
comment on function app.merchant_violations() is 'For verify_ledger: a transaction''s terminal is one of its merchant''s.';
