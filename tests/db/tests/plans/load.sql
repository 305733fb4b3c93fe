-- A house of a size at which an index pays: so that the planner's choice in the test is its choice in the shop. Sizes follow
-- from the setting load.members. Rows keep the tables' rules; the triggers of foreign keys are spared.
set session_replication_role = replica;
set client_min_messages = warning;

create function pg_temp.size() returns int language sql stable as $$ select current_setting('load.members')::int $$;
create function pg_temp.id(p_what text, p_number bigint) returns uuid language sql immutable as $$
  select md5(p_what || p_number)::uuid $$;
create temporary table merchant_number as select n, pg_temp.id('merchant', n) as id from generate_series(1, pg_temp.size() / 2) n;

insert into auth.users (id, email, email_confirmed_at)
select pg_temp.id('user', n), format('load%s@fixture.example', n), now() from generate_series(1, pg_temp.size()) n;

insert into app.member_profiles (id, name, phone, email, auth_user_id)
select pg_temp.id('member', n), format('Member %s', n), '+8869' || lpad(n::text, 8, '0'), format('load%s@fixture.example', n),
  pg_temp.id('user', n)
from generate_series(1, pg_temp.size()) n;

insert into app.cards (id, card_no, card_type, personal_member_id, balance)
select pg_temp.id('card', n), app.next_card_no('standard'), 'standard', pg_temp.id('member', n), 1000
from generate_series(1, pg_temp.size()) n;
insert into app.cards (id, card_no, card_type, fixed_discount, balance)
select pg_temp.id('shared', n), app.next_card_no('prepaid'), 'prepaid', 0.9, 1000 from generate_series(1, pg_temp.size() / 2) n;
insert into app.card_bindings (card_id, member_id, role)
select pg_temp.id('card', n), pg_temp.id('member', n), 'owner' from generate_series(1, pg_temp.size()) n
union all
select pg_temp.id('shared', n), pg_temp.id('member', n * 2 - b), case b when 0 then 'owner' else 'member' end
from generate_series(1, pg_temp.size() / 2) n cross join generate_series(0, 1) b;
insert into app.external_identities (member_id, provider, external_id, created_at)
select pg_temp.id('member', n), 'line', 'line-' || n, now() from generate_series(1, pg_temp.size()) n;
insert into app.binding_attempts (card_id, member_id, wrong_in_a_row)
select pg_temp.id('shared', n), pg_temp.id('member', n * 2), 1 from generate_series(1, pg_temp.size() / 2) n;
insert into app.binding_attempt_days (card_id, day, wrong)
select pg_temp.id('shared', n), current_date, 1 from generate_series(1, pg_temp.size() / 2) n;

insert into app.merchants (id, code, name) select m.id, 'LOAD' || m.n, 'LOAD' || m.n from merchant_number m;
insert into app.merchant_users (merchant_id, user_id, role)
select m.id, pg_temp.id('clerk', m.n), 'owner' from merchant_number m;
insert into app.terminals (code, merchant_id, label)
select lpad(upper(to_hex(m.n)), 6, '0'), m.id, 'till' from merchant_number m;
insert into app.merchant_day_totals (merchant_id, day, shard, raw_total)
select m.id, current_date, s, 1 from merchant_number m cross join generate_series(0, 15, 8) s;

-- The logs reach back two months, each in its partition.
select app.ensure_partition(p.table_name, (date_trunc('month', now() at time zone 'UTC') - make_interval(months => m)) at time zone 'UTC',
  p.is_append_only)
from app.partitioned_tables p cross join generate_series(1, 2) m;

create temporary table payment as
select
  n, at, app.uuid_v7(at) as id, app.uuid_v7(at) as code_id, app.uuid_v7(at) as order_id,
  'PAY' || lpad(n::text, 10, '0') as tx_no,
  case n % 4 when 0 then pg_temp.id('shared', m.member / 2 + 1) else pg_temp.id('card', m.member) end as card_id,
  pg_temp.id('member', m.member) as member_id, pg_temp.id('merchant', n % (pg_temp.size() / 2) + 1) as merchant_id
from generate_series(1, pg_temp.size()) n
cross join lateral (select now() - n * (interval '55 days' / pg_temp.size()) as at, (n * 7919) % (pg_temp.size() - 2) + 1 as member) m
order by n desc;

insert into app.transactions (id, tx_no, tx_type, card_id, member_id, merchant_id, payment_code_id, raw_amount, final_amount,
  points_earned, external_order_id, created_at)
select p.id, p.tx_no, 'payment', p.card_id, p.member_id, p.merchant_id, p.code_id, 10, 10, 10, 'order-' || p.n, p.at from payment p;
insert into app.payment_codes (id, code_hash, key_id, card_id, member_id, issued_at, expires_at, consumed_at, consumed_tx_id)
select p.code_id, sha256(p.tx_no::bytea), (select min(k.key_id) from sec.master_keys k), p.card_id, p.member_id, p.at,
  p.at + interval '1 minute', p.at, p.id
from payment p;
insert into app.merchant_orders (merchant_id, external_order_id, tx_id) select p.merchant_id, 'order-' || p.n, p.id from payment p;
insert into app.idempotency_keys (scope, key, fingerprint, result_id, created_at)
select 'merchant:' || p.merchant_id, 'key-' || p.n, sha256(p.tx_no::bytea), p.id, p.at from payment p;
insert into app.ledger_entries (tx_id, entry_no, account, card_id, delta) select p.id, 1, 'card', p.card_id, -10 from payment p;
insert into app.ledger_entries (tx_id, entry_no, account, merchant_id, delta)
select p.id, 2, 'merchant_payable', p.merchant_id, 10 from payment p;
insert into app.point_ledger (id, card_id, tx_id, delta, level_before, level_after, reason, created_at)
select app.uuid_v7(p.at), p.card_id, p.id, 10, 0, 0, 'payment', p.at from payment p;
insert into app.level_changes (id, card_id, points, level_before, level_after, created_at)
select app.uuid_v7(p.at), p.card_id, 1000, 0, 1, p.at from payment p;
insert into audit.event_log (id, created_at, actor_user_id, actor_role, action, object_type, object_id, params)
select app.uuid_v7(p.at), p.at, pg_temp.id('clerk', p.n), 'merchant', 'payment.charged', 'transaction', p.tx_no, '{}' from payment p;

create temporary table refund as
select app.uuid_v7(p.at + interval '1 second') as id, 'REF' || lpad(p.n::text, 10, '0') as tx_no, p.id as payment_id,
  p.at + interval '1 second' as at
from payment p where p.n % 5 = 0;
insert into app.transactions (id, tx_no, tx_type, card_id, member_id, merchant_id, original_tx_id, raw_amount, final_amount, created_at)
select r.id, r.tx_no, 'refund', p.card_id, p.member_id, p.merchant_id, p.id, 1, 1, r.at from refund r join payment p on p.id = r.payment_id;
insert into app.ledger_entries (tx_id, entry_no, account, card_id, delta)
select r.id, 1, 'card', p.card_id, 1 from refund r join payment p on p.id = r.payment_id;
insert into app.ledger_entries (tx_id, entry_no, account, merchant_id, delta)
select r.id, 2, 'merchant_payable', p.merchant_id, -1 from refund r join payment p on p.id = r.payment_id;
insert into app.transaction_numbers (tx_no, tx_id)
select p.tx_no, p.id from payment p union all select r.tx_no, r.id from refund r;
select setval('app.transaction_no_seq', pg_temp.size() + 1);

insert into app.recharge_orders (id, card_id, member_id, amount, currency, provider, status, expires_at, created_at)
select p.order_id, p.card_id, p.member_id, 10, 'CNY', 'wechat', case when p.n <= 20 then 'pending' else 'completed' end,
  p.at + interval '15 minutes', p.at
from payment p;
insert into app.recharge_payments
  (provider, provider_tx_id, order_id, amount, currency, status, review_reason, is_late, tx_id, paid_at, recorded_at)
select 'wechat', 'provider-' || p.n, p.order_id, 10, 'CNY', r.status,
  case r.status when 'needs_review' then 'wrong_amount' end, false, case r.status when 'credited' then p.id end, p.at, p.at
from payment p
cross join lateral (select case p.n % 100 when 1 then 'needs_review' else 'credited' end as status) r
where p.n > 20;
insert into app.cash_orders (scope, external_order_id, tx_id) select 'merchant:' || p.merchant_id, 'cash-' || p.n, p.id from payment p;
insert into app.cashier_cash_days (merchant_id, user_id, day, total)
select m.id, pg_temp.id('clerk', m.n), current_date - d, 100 from merchant_number m cross join generate_series(0, 1) d;
insert into app.merchant_cash_days (merchant_id, day, total)
select m.id, current_date - d, 100 from merchant_number m cross join generate_series(0, 1) d;

-- The first half of the payments is settled.
insert into app.settlements (id, settlement_no, merchant_id, mode, period_start, period_end, gross, refunds, cash, payment_count,
  refund_count, cash_count, fee_bps, fee, carried_in, net, created_at, updated_at)
select pg_temp.id('settlement', m.n), 'STL9' || lpad(m.n::text, 9, '0'), m.id, 't_plus_1', now() - interval '60 days',
  now() - interval '28 days', 10, 0, 0, 1, 0, 0, 0, 0, 0, 10, now() - interval '28 days', now() - interval '28 days'
from merchant_number m;
insert into app.settlement_items (tx_id, settlement_id)
select t.id, s.id from app.transactions t join app.settlements s on s.merchant_id = t.merchant_id where t.created_at < s.period_end;

insert into app.payment_devices (handle, key_id, card_id, member_id, label, enrolled_at, offline_on, offline_total)
select '9' || lpad(n::text, 9, '0'), (select min(k.key_id) from sec.master_keys k), pg_temp.id('card', n), pg_temp.id('member', n),
  'phone', now(), current_date, 1
from generate_series(1, pg_temp.size()) n;
insert into app.device_steps (handle, step, tx_id)
select '9' || lpad(p.n::text, 9, '0'), p.n, p.id from payment p;

insert into app.card_invitations (card_id, member_id, invited_by, invited_at, expires_at)
select pg_temp.id('shared', n), pg_temp.id('member', n + 2), pg_temp.id('member', n), now(), now() + interval '7 days'
from generate_series(1, pg_temp.size() / 2) n;
insert into app.member_notices (member_id, kind, created_at)
select pg_temp.id('member', n), 'phone_taken', now() from generate_series(1, pg_temp.size()) n;

-- Sealed are slices that hold nothing; the logs above wait for the next seals.
insert into app.seals (seal_no, id_from, id_to, sealed_at, row_count, parts, previous_root, root)
select n, app.uuid_v7_floor(a.at), app.uuid_v7_floor(a.at + interval '1 minute'), a.at, 0, '{}', sha256(n::text::bytea),
  sha256((n + 1)::text::bytea)
from generate_series(1, pg_temp.size() / 10) n
cross join lateral (select timestamptz '2020-01-01 00:00:00+00' + n * interval '1 minute' as at) a;
insert into app.seal_items (seal_no, log, row_ids, row_hashes) select s.seal_no, 'app.transactions', '{}', '{}' from app.seals s;
update app.seal_state st set last_seal_no = s.seal_no, last_root = s.root, last_id_to = s.id_to
from (select * from app.seals order by seal_no desc limit 1) s;

drop table merchant_number, payment, refund;
set session_replication_role = origin;
analyze;
