-- Books of :size members with a card, a past payment and a live code each, at 1000 merchants; run as superuser on a migrated database.
-- Triggers are off while it loads; `verify_ledger` is asked at the end of the run instead.

set session_replication_role = replica;
set timezone = 'UTC';
select sec.draw_master_key();

create schema bench;

-- Cards are taken in an order that has nothing to do with where their rows lie.
create function bench.card_of(p_n bigint, p_size bigint)
returns bigint language sql immutable as $$ select p_n * 48271 % p_size $$;

create function bench.id(p_kind int, p_n bigint)
returns uuid language sql immutable as $$ select ('0be00000-000' || p_kind || '-7000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;

-- What pgbench's own arithmetic builds too: prefix, zeros, eight digits that begin with 1 to 9, check digit.
create function bench.code(p_n bigint)
returns text language sql immutable as $$ select b.body || rules.luhn_digit(b.body)
from (select '700000000000000' || (10000000 + p_n)::text as body) b $$;

create function bench.issue_codes(p_first bigint, p_last bigint, p_size bigint)
returns void language sql as $$
  insert into app.payment_codes (id, code_hash, key_id, card_id, member_id, issued_at, expires_at)
  select app.uuid_v7(), rules.code_hash(k.value, bench.code(n)), 1, bench.id(2, bench.card_of(n, p_size)),
         bench.id(1, bench.card_of(n, p_size)), now(), now() + interval '1 day'
  from generate_series(p_first, p_last) n
  cross join (select sec.secret('mps_master_key_1') as value) k
$$;

select app.ensure_partition(t.table_name, date_trunc('month', now()) - make_interval(months => m), t.is_append_only)
from app.partitioned_tables t cross join generate_series(1, 12) m;

insert into app.merchants (id, code, name) select bench.id(3, n), 'SHOP' || n, 'Shop ' || n from generate_series(1000, 1999) n;
insert into app.merchant_users (merchant_id, user_id, role)
select bench.id(3, n), bench.id(4, n), 'cashier' from generate_series(1000, 1999) n;

insert into app.member_profiles (id, name, phone)
select bench.id(1, n), 'Member ' || n, '+8869' || lpad(n::text, 8, '0') from generate_series(0, :size - 1) n;
insert into app.cards (id, card_no, card_type, personal_member_id, balance, points)
select bench.id(2, n), app.next_card_no('standard'), 'standard', bench.id(1, n), 99990.00, 10 from generate_series(0, :size - 1) n;
insert into app.card_bindings (card_id, member_id, role) select bench.id(2, n), bench.id(1, n), 'owner' from generate_series(0, :size - 1) n;

-- First every card's credit, then a payment of 10.00 each, spread over the months behind; every fifth at the first merchant.
create table bench.past as
select n, app.uuid_v7(at.created_at) as id, at.created_at, n < :size as is_credit, n % :size as card,
       case when n < :size then app.next_tx_no('ADJ') else app.next_tx_no('PAY') end as tx_no,
       case when n < :size then 100000.00 else 10.00 end as amount,
       case when n % 5 = 0 then 1000 else 1000 + n::bigint * 7919 % 1000 end as shop
from generate_series(0, 2 * :size - 1) n
cross join lateral (select now() - interval '1 hour' - interval '300 days' * (1 - n / (2.0 * :size)) as created_at) at
order by n;

insert into app.transactions (id, tx_no, tx_type, card_id, member_id, merchant_id, payment_code_id, raw_amount, discount_source,
                              final_amount, points_earned, actor_user_id, created_at)
select p.id, p.tx_no, 'adjustment', bench.id(2, p.card), null, null, null, p.amount, 'none', p.amount, 0, null, p.created_at
from bench.past p where p.is_credit
union all
select p.id, p.tx_no, 'payment', bench.id(2, p.card), bench.id(1, p.card), bench.id(3, p.shop), app.uuid_v7(p.created_at), p.amount,
       'level', p.amount, 10, bench.id(4, p.shop), p.created_at
from bench.past p where not p.is_credit;
insert into app.transaction_numbers (tx_no, tx_id) select p.tx_no, p.id from bench.past p;
insert into app.ledger_entries (tx_id, entry_no, account, card_id, merchant_id, delta)
select p.id, 1, 'card', bench.id(2, p.card), null::uuid, case when p.is_credit then p.amount else -p.amount end from bench.past p
union all
select p.id, 2, 'adjustments', null, null, -p.amount from bench.past p where p.is_credit
union all
select p.id, 2, 'merchant_payable', null, bench.id(3, p.shop), p.amount from bench.past p where not p.is_credit;
insert into app.point_ledger (id, card_id, tx_id, delta, level_before, level_after, reason, created_at)
select app.uuid_v7(p.created_at), bench.id(2, p.card), p.id, 10, 0, 0, 'payment', p.created_at
from bench.past p where not p.is_credit;
insert into app.idempotency_keys (scope, key, fingerprint, result_id)
select 'merchant:' || bench.id(3, p.shop), 'past-' || p.n, sha256(p.tx_no::bytea), p.id from bench.past p where not p.is_credit;
insert into audit.event_log (id, created_at, actor_user_id, actor_role, action, object_type, object_id, params)
select app.uuid_v7(p.created_at), p.created_at, bench.id(4, p.shop), 'merchant', 'payment.charged', 'transaction', p.tx_no,
       jsonb_build_object('merchant_code', 'SHOP' || p.shop, 'raw_amount', '10.00', 'final_amount', '10.00')
from bench.past p where not p.is_credit;
drop table bench.past;

select bench.issue_codes(0, :size - 1, :size);
