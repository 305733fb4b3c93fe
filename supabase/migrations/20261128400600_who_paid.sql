-- Of a card that several share, its transactions say who paid, to those who see the card. Never to the merchant.

drop function public.get_transaction_detail(text);
drop function public.get_member_transactions(uuid, int, int, timestamptz, timestamptz);
drop function public.get_member_transactions_page(uuid, int, uuid, timestamptz, timestamptz);
drop function public.get_merchant_transactions(uuid, int, int, timestamptz, timestamptz);
drop function public.get_merchant_transactions_page(uuid, int, uuid, timestamptz, timestamptz);
drop function app.transaction_rows(uuid[], uuid, boolean, boolean);

create function app.transaction_rows(p_tx_ids uuid[], p_user_id uuid, p_is_admin boolean, p_sees_cards boolean)
returns table (
  tx_id uuid, tx_no text, tx_type text, merchant_code text, merchant_name text, card_id uuid, card_no text,
  raw_amount numeric, discount numeric, discount_source text, final_amount numeric, points_earned bigint,
  refunded_amount numeric, remaining_amount numeric, tag jsonb, external_order_id text, terminal_code text,
  created_at timestamptz, balance_change numeric, payer_no text, payer_name text)
language plpgsql stable
set enable_seqscan = off
as $$
begin
  return query
    select
      t.id, t.tx_no, t.tx_type, m.code, m.name, c.id, c.card_no,
      t.raw_amount::numeric, t.discount::numeric, t.discount_source, t.final_amount::numeric, t.points_earned,
      r.refunded, t.final_amount - r.refunded,
      case when w.works_there or p_is_admin then t.tag end,
      case when w.works_there or p_is_admin then t.external_order_id end,
      t.terminal_code, t.created_at,
      case when p_sees_cards then (
        select coalesce(sum(e.delta), 0) from app.ledger_entries e where e.tx_id = t.id and e.account = 'card') end,
      p.member_no, p.name
    from unnest(p_tx_ids) with ordinality as i (id, place)
    cross join lateral (select x.* from app.transactions x where x.id = i.id limit 1) t
    left join app.merchants m on m.id = t.merchant_id
    left join app.cards c on c.id = t.card_id
    left join app.member_profiles p on p_sees_cards and p.id = t.member_id and t.tx_type in ('payment', 'refund')
    -- offset 0: looked up once a row, not once for each column that names it.
    cross join lateral (select case when t.tx_type = 'payment' then app.refunded_amount(t.id) end as refunded offset 0) r
    cross join lateral (
      select exists (
        select from app.merchant_users u where u.merchant_id = t.merchant_id and u.user_id = p_user_id) as works_there
      offset 0) w
    order by i.place;
end;
$$;
comment on function app.transaction_rows(uuid[], uuid, boolean, boolean) is
  'Rows as get_transaction_detail shows them, in the order of the ids. balance_change: what it did to its card''s balance, for those '
  'who see cards; a voucher''s whole balance goes, which is no business of the merchant, nor is who paid (payer_no, payer_name).';

create function public.get_transaction_detail(p_tx_no text)
returns table (
  tx_id uuid, tx_no text, tx_type text, merchant_code text, merchant_name text, card_id uuid, card_no text,
  raw_amount numeric, discount numeric, discount_source text, final_amount numeric, points_earned bigint,
  refunded_amount numeric, remaining_amount numeric, tag jsonb, external_order_id text, terminal_code text,
  created_at timestamptz, payer_no text, payer_name text)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_member app.member_profiles := sec.own_member();
  v_is_admin boolean := sec.is_admin();
begin
  return query
    select
      t.id, t.tx_no, t.tx_type, m.code, m.name, c.id, c.card_no,
      t.raw_amount::numeric, t.discount::numeric, t.discount_source, t.final_amount::numeric, t.points_earned,
      case when t.tx_type = 'payment' then r.refunded end,
      case when t.tx_type = 'payment' then t.final_amount - r.refunded end,
      case when w.works_there or v_is_admin then t.tag end,
      case when w.works_there or v_is_admin then t.external_order_id end,
      t.terminal_code, t.created_at, p.member_no, p.name
    from app.transaction_numbers n
    join app.transactions t on t.id = n.tx_id
    left join app.merchants m on m.id = t.merchant_id
    left join app.cards c on c.id = t.card_id
    cross join lateral (select app.refunded_amount(t.id) as refunded) r
    cross join lateral (
      select exists (
        select from app.merchant_users u where u.merchant_id = t.merchant_id and u.user_id = v_user_id) as works_there) w
    cross join lateral (
      select t.member_id = v_member.id
        or exists (select from app.card_bindings b where b.card_id = t.card_id and b.member_id = v_member.id) as sees_card) s
    left join app.member_profiles p
      on (v_is_admin or s.sees_card) and p.id = t.member_id and t.tx_type in ('payment', 'refund')
    where n.tx_no = p_tx_no
      and (v_is_admin
        or (w.works_there and (t.tx_type <> 'settlement' or sec.sees_payouts(t.merchant_id)))
        or s.sees_card);
  if not found then
    perform rules.fail('TX_NOT_FOUND');
  end if;
end;
$$;
comment on function public.get_transaction_detail(text) is
  'One transaction, for its payer, those who see its card, its merchant''s users and admins. refunded and remaining are of this '
  'moment, NULL unless it is a payment; tag and order are for the merchant and admins; payer_no and payer_name, who paid, for those '
  'who see the card and admins. Errors: NOT_AUTHENTICATED, TX_NOT_FOUND.';
revoke all on function public.get_transaction_detail(text) from public, anon, authenticated, service_role;
grant execute on function public.get_transaction_detail(text) to authenticated;

create function public.get_member_transactions(
  p_member_id uuid default null, p_limit int default null, p_offset int default 0, p_start_date timestamptz default null,
  p_end_date timestamptz default null)
returns table (
  tx_id uuid, tx_no text, tx_type text, merchant_code text, merchant_name text, card_id uuid, card_no text,
  raw_amount numeric, discount numeric, discount_source text, final_amount numeric, points_earned bigint,
  refunded_amount numeric, remaining_amount numeric, tag jsonb, external_order_id text, terminal_code text,
  created_at timestamptz, balance_change numeric, payer_no text, payer_name text)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_is_admin boolean := sec.is_admin();
  v_rows int;
  v_member_id uuid;
begin
  v_rows := sec.tx_page_rows(p_limit, p_offset, p_start_date, p_end_date);
  v_member_id := sec.visible_member_id(p_member_id);
  return query
    select r.*
    from app.transaction_rows(
      app.member_tx_ids(
        v_member_id, p_start_date, p_end_date, null, coalesce(p_offset, 0),
        v_rows),
      v_user_id, v_is_admin, true) r;
end;
$$;
comment on function public.get_member_transactions(uuid, int, int, timestamptz, timestamptz) is
  'A member''s transactions, newest first by id: of every card they are bound to and their own; own (NULL), or any for an admin. '
  'p_limit 1 to 200, 50 by default; p_start_date to p_end_date is half-open, by created_at. Columns as get_transaction_detail, and '
  'balance_change: what it did to its card''s balance; payer_no and payer_name: who paid. Deep pages: get_member_transactions_page. '
  'Errors, in this order: NOT_AUTHENTICATED, MALFORMED_ARGUMENT (limit, offset), INVALID_PERIOD, MEMBER_NOT_FOUND.';
revoke all on function public.get_member_transactions(uuid, int, int, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function public.get_member_transactions(uuid, int, int, timestamptz, timestamptz) to authenticated;

create function public.get_member_transactions_page(
  p_member_id uuid default null, p_limit int default null, p_before_tx_id uuid default null, p_start_date timestamptz default null,
  p_end_date timestamptz default null)
returns table (
  tx_id uuid, tx_no text, tx_type text, merchant_code text, merchant_name text, card_id uuid, card_no text,
  raw_amount numeric, discount numeric, discount_source text, final_amount numeric, points_earned bigint,
  refunded_amount numeric, remaining_amount numeric, tag jsonb, external_order_id text, terminal_code text,
  created_at timestamptz, balance_change numeric, payer_no text, payer_name text)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_is_admin boolean := sec.is_admin();
  v_rows int;
  v_member_id uuid;
begin
  v_rows := sec.tx_page_rows(p_limit, null, p_start_date, p_end_date);
  v_member_id := sec.visible_member_id(p_member_id);
  return query
    select r.*
    from app.transaction_rows(
      app.member_tx_ids(
        v_member_id, p_start_date, p_end_date, p_before_tx_id, 0,
        v_rows),
      v_user_id, v_is_admin, true) r;
end;
$$;
comment on function public.get_member_transactions_page(uuid, int, uuid, timestamptz, timestamptz) is
  'As get_member_transactions, with pages that cost the same however deep: p_before_tx_id is the last tx_id of the page before, NULL '
  'for the first. Errors, in this order: NOT_AUTHENTICATED, MALFORMED_ARGUMENT (limit), INVALID_PERIOD, MEMBER_NOT_FOUND.';
revoke all on function public.get_member_transactions_page(uuid, int, uuid, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function public.get_member_transactions_page(uuid, int, uuid, timestamptz, timestamptz) to authenticated;

create function public.get_merchant_transactions(
  p_merchant_id uuid, p_limit int default null, p_offset int default 0, p_start_date timestamptz default null,
  p_end_date timestamptz default null)
returns table (
  tx_id uuid, tx_no text, tx_type text, merchant_code text, merchant_name text, card_id uuid, card_no text,
  raw_amount numeric, discount numeric, discount_source text, final_amount numeric, points_earned bigint,
  refunded_amount numeric, remaining_amount numeric, tag jsonb, external_order_id text, terminal_code text,
  created_at timestamptz, balance_change numeric, payer_no text, payer_name text)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_is_admin boolean := sec.is_admin();
  v_rows int;
  v_merchant app.merchants;
begin
  v_rows := sec.tx_page_rows(p_limit, p_offset, p_start_date, p_end_date);
  v_merchant := sec.visible_merchant(p_merchant_id);
  return query
    select r.*
    from app.transaction_rows(
      app.merchant_tx_ids(
        v_merchant.id, p_start_date, p_end_date, null, coalesce(p_offset, 0),
        v_rows),
      v_user_id, v_is_admin, v_is_admin) r;
end;
$$;
comment on function public.get_merchant_transactions(uuid, int, int, timestamptz, timestamptz) is
  'A merchant''s transactions, newest first by id, for its users in any role and admins. p_limit 1 to 200, 50 by default; p_start_date '
  'to p_end_date is half-open, by created_at. Columns as get_transaction_detail; nothing says who paid, and balance_change is for '
  'admins. Deep pages: get_merchant_transactions_page. Errors, in this order: NOT_AUTHENTICATED, MALFORMED_ARGUMENT (limit, offset), '
  'INVALID_PERIOD, MERCHANT_NOT_FOUND.';
revoke all on function public.get_merchant_transactions(uuid, int, int, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function public.get_merchant_transactions(uuid, int, int, timestamptz, timestamptz) to authenticated;

create function public.get_merchant_transactions_page(
  p_merchant_id uuid, p_limit int default null, p_before_tx_id uuid default null, p_start_date timestamptz default null,
  p_end_date timestamptz default null)
returns table (
  tx_id uuid, tx_no text, tx_type text, merchant_code text, merchant_name text, card_id uuid, card_no text,
  raw_amount numeric, discount numeric, discount_source text, final_amount numeric, points_earned bigint,
  refunded_amount numeric, remaining_amount numeric, tag jsonb, external_order_id text, terminal_code text,
  created_at timestamptz, balance_change numeric, payer_no text, payer_name text)
language plpgsql stable security definer
set search_path = ''
as $$
declare
  v_user_id uuid := sec.require_user();
  v_is_admin boolean := sec.is_admin();
  v_rows int;
  v_merchant app.merchants;
begin
  v_rows := sec.tx_page_rows(p_limit, null, p_start_date, p_end_date);
  v_merchant := sec.visible_merchant(p_merchant_id);
  return query
    select r.*
    from app.transaction_rows(
      app.merchant_tx_ids(
        v_merchant.id, p_start_date, p_end_date, p_before_tx_id, 0,
        v_rows),
      v_user_id, v_is_admin, v_is_admin) r;
end;
$$;
comment on function public.get_merchant_transactions_page(uuid, int, uuid, timestamptz, timestamptz) is
  'As get_merchant_transactions, with pages that cost the same however deep: p_before_tx_id is the last tx_id of the page before, NULL '
  'for the first. Errors, in this order: NOT_AUTHENTICATED, MALFORMED_ARGUMENT (limit), INVALID_PERIOD, MERCHANT_NOT_FOUND.';
revoke all on function public.get_merchant_transactions_page(uuid, int, uuid, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function public.get_merchant_transactions_page(uuid, int, uuid, timestamptz, timestamptz) to authenticated;
