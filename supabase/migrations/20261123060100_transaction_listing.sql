-- Listings of transactions: who may list what, which ids are on a page, what a row shows.

-- A member's own payments stay his to see when he was unbound from the card.
create index transactions_by_member on app.transactions (member_id, id) where member_id is not null;

create function app.first_tx_id(p_from timestamptz)
returns uuid
language sql immutable parallel safe
as $$
  select app.uuid_v7_floor(
    least(greatest(coalesce(p_from, '-infinity'), '1970-01-02 00:00:00+00'), '9999-12-31 00:00:00+00') - interval '15 minutes')
$$;
comment on function app.first_tx_id(timestamptz) is
  'No transaction of this moment or later has a smaller id. An id is drawn before the locks and created_at after them: a call that '
  'waits longer than 15 minutes in between was stopped long before.';

create function app.end_tx_id(p_until timestamptz)
returns uuid
language sql immutable parallel safe
as $$
  select app.uuid_v7_floor(
    least(greatest(coalesce(p_until, 'infinity'), '1970-01-02 00:00:00+00'), '9999-12-31 00:00:00+00') + interval '1 minute')
$$;
comment on function app.end_tx_id(timestamptz) is
  'Every transaction before this moment has a smaller id. The minute is for a clock that was set back between id and created_at.';

create function sec.tx_page_rows(p_limit int, p_offset int, p_start timestamptz, p_end timestamptz)
returns int
language plpgsql immutable
set search_path = ''
as $$
declare
  v_rows int := sec.page_rows(p_limit, p_offset);
begin
  if p_start >= p_end then
    perform rules.fail('INVALID_PERIOD', jsonb_build_object('field', 'end_date'));
  end if;
  return v_rows;
end;
$$;
comment on function sec.tx_page_rows(int, int, timestamptz, timestamptz) is
  'How many rows a page of a period has; refuses a period that ends before it begins.';

create function sec.visible_member_id(p_member_id uuid)
returns uuid
language plpgsql stable
set search_path = ''
as $$
declare
  v_own app.member_profiles := sec.own_member();
  v_member_id uuid := coalesce(p_member_id, v_own.id);
begin
  if v_member_id is null
     or (v_member_id is distinct from v_own.id and not sec.is_admin())
     or not exists (select from app.member_profiles m where m.id = v_member_id)
  then
    perform rules.fail('MEMBER_NOT_FOUND');
  end if;
  return v_member_id;
end;
$$;
comment on function sec.visible_member_id(uuid) is
  'The member, when he is the caller''s own (NULL stands for that) or the caller is an admin; else MEMBER_NOT_FOUND.';

create function sec.visible_merchant(p_merchant_id uuid)
returns app.merchants
language plpgsql stable
set search_path = ''
as $$
declare
  v_merchant app.merchants;
begin
  if sec.merchant_role(p_merchant_id) is not null or sec.is_admin() then
    select m.* into v_merchant from app.merchants m where m.id = p_merchant_id;
  end if;
  if v_merchant.id is null then
    perform rules.fail('MERCHANT_NOT_FOUND');
  end if;
  return v_merchant;
end;
$$;
comment on function sec.visible_merchant(uuid) is
  'The merchant, when the caller works there, in whatever role, or is an admin; else MERCHANT_NOT_FOUND.';

-- A statement's plan must not depend on how many rows a card has: of each range the newest rows alone are read, from the index.
create function app.member_tx_ids(
  p_member_id uuid, p_start timestamptz, p_end timestamptz, p_before uuid, p_offset int, p_limit int)
returns uuid[]
language plpgsql stable
set search_path = ''
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
  v_first_id uuid := app.first_tx_id(p_start);
  v_end_id uuid := least(app.end_tx_id(p_end), p_before);
  v_start timestamptz := coalesce(p_start, '-infinity');
  v_end timestamptz := coalesce(p_end, 'infinity');
  v_rows bigint := p_offset::bigint + p_limit;
begin
  return array(
    select u.id
    from (
      select c.id
      from app.card_bindings b
      cross join lateral (
        select t.id from app.transactions t
        where t.card_id = b.card_id and t.id >= v_first_id and t.id < v_end_id
          and t.created_at >= v_start and t.created_at < v_end
        order by t.id desc limit v_rows) c
      where b.member_id = p_member_id
      union
      (select t.id from app.transactions t
       where t.member_id = p_member_id and t.id >= v_first_id and t.id < v_end_id
         and t.created_at >= v_start and t.created_at < v_end
       order by t.id desc limit v_rows)
    ) u
    order by u.id desc
    limit p_limit offset p_offset);
end;
$$;
comment on function app.member_tx_ids(uuid, timestamptz, timestamptz, uuid, int, int) is
  'One page of a member''s transactions, newest first: those of every card he is bound to and his own on cards he has left. '
  'Reads at most offset + limit rows a card.';

create function app.merchant_tx_ids(
  p_merchant_id uuid, p_start timestamptz, p_end timestamptz, p_before uuid, p_offset int, p_limit int)
returns uuid[]
language plpgsql stable
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
  v_first_id uuid := app.first_tx_id(p_start);
  v_end_id uuid := least(app.end_tx_id(p_end), p_before);
  v_start timestamptz := coalesce(p_start, '-infinity');
  v_end timestamptz := coalesce(p_end, 'infinity');
  v_sees_payouts boolean := sec.sees_payouts(p_merchant_id);
begin
  return array(
    select t.id from app.transactions t
    where t.merchant_id = p_merchant_id and t.id >= v_first_id and t.id < v_end_id
      and t.created_at >= v_start and t.created_at < v_end
      and (v_sees_payouts or t.tx_type <> 'settlement')
    order by t.id desc
    limit p_limit offset p_offset);
end;
$$;
comment on function app.merchant_tx_ids(uuid, timestamptz, timestamptz, uuid, int, int) is
  'One page of a merchant''s transactions, newest first; its payouts for those who see them.';

create function app.transaction_rows(p_tx_ids uuid[], p_user_id uuid, p_is_admin boolean, p_sees_cards boolean)
returns table (
  tx_id uuid, tx_no text, tx_type text, merchant_code text, merchant_name text, card_id uuid, card_no text,
  raw_amount numeric, discount numeric, discount_source text, final_amount numeric, points_earned bigint,
  refunded_amount numeric, remaining_amount numeric, tag jsonb, external_order_id text, terminal_code text,
  created_at timestamptz, balance_change numeric)
language plpgsql stable
set search_path = ''
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
        select coalesce(sum(e.delta), 0) from app.ledger_entries e where e.tx_id = t.id and e.account = 'card') end
    from unnest(p_tx_ids) with ordinality as i (id, place)
    cross join lateral (select x.* from app.transactions x where x.id = i.id limit 1) t
    left join app.merchants m on m.id = t.merchant_id
    left join app.cards c on c.id = t.card_id
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
  'who see cards; a voucher''s whole balance goes, which is no business of the merchant.';
