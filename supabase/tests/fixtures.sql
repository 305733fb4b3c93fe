-- Test fixtures, in a schema that no migration makes. Loaded into test databases only, after the migrations.

create schema fx;
grant usage on schema fx to public;

create function fx.make_user(p_email text)
returns uuid
language plpgsql
as $$
declare
  v_id uuid := gen_random_uuid();
begin
  insert into auth.users (id, email, email_confirmed_at) values (v_id, p_email, now());
  return v_id;
end;
$$;
comment on function fx.make_user(text) is 'A signed-up user with a confirmed e-mail, who is nothing yet.';

create function fx.act_as(p_user_id uuid)
returns void
language sql
as $$
  select set_config('request.jwt.claims', case when p_user_id is null then '{"role":"anon"}'
    else jsonb_build_object('sub', p_user_id, 'role', 'authenticated')::text end, true)
$$;
comment on function fx.act_as(uuid) is 'Claims of this transaction as PostgREST would set them: a user''s, or anon''s for NULL.';

create function fx.act_as_service()
returns void
language sql
as $$ select set_config('request.jwt.claims', '{"role":"service_role"}', true) $$;

create function fx.credit(p_card_id uuid, p_amount numeric)
returns void
language plpgsql
as $$
begin
  if p_amount <> 0 then
    perform app.post_adjustment(p_card_id, p_amount, 'fixture');
  end if;
end;
$$;

create function fx.make_member(p_email text, p_balance numeric default 0, p_points bigint default 0)
returns uuid
language plpgsql
as $$
declare
  v_user_id uuid := fx.make_user(p_email);
  v_member app.member_profiles := app.make_member(split_part(p_email, '@', 1), null, p_email, v_user_id);
begin
  perform fx.credit(fx.standard_card(v_user_id), p_balance);
  perform app.change_points(fx.standard_card(v_user_id), p_points, null, 'fixture', clock_timestamp());
  return v_user_id;
end;
$$;
comment on function fx.make_member(text, numeric, bigint) is 'A user who is a member with a standard card; answers the user''s id.';

create function fx.member_id(p_user_id uuid)
returns uuid
language sql stable
as $$ select m.id from app.member_profiles m where m.auth_user_id = p_user_id $$;

create function fx.standard_card(p_user_id uuid)
returns uuid
language sql stable
as $$
  select c.id from app.cards c where c.personal_member_id = fx.member_id(p_user_id) and c.card_type = 'standard'
$$;

create function fx.make_card(
  p_card_type text, p_balance numeric default 0, p_fixed_discount numeric default null, p_personal_user_id uuid default null)
returns uuid
language plpgsql
as $$
declare
  v_card_id uuid;
begin
  insert into app.cards (card_no, card_type, fixed_discount, personal_member_id)
  values (app.next_card_no(p_card_type), p_card_type, p_fixed_discount, fx.member_id(p_personal_user_id))
  returning id into v_card_id;
  perform fx.credit(v_card_id, p_balance);
  if p_personal_user_id is not null then
    perform fx.bind(v_card_id, p_personal_user_id, 'owner');
  end if;
  return v_card_id;
end;
$$;
comment on function fx.make_card(text, numeric, numeric, uuid) is 'A card of any type; a voucher names its member''s user.';

create function fx.bind(p_card_id uuid, p_user_id uuid, p_role text)
returns void
language sql
as $$
  insert into app.card_bindings (card_id, member_id, role) values (p_card_id, fx.member_id(p_user_id), p_role)
$$;

create function fx.make_merchant(p_code text)
returns uuid
language sql
as $$ insert into app.merchants (code, name) values (p_code, p_code) returning id $$;

create function fx.make_merchant_user(p_code text, p_role text default 'cashier')
returns uuid
language plpgsql
as $$
declare
  v_user_id uuid := fx.make_user(format('%s-%s-%s@fixture.example', p_role, lower(p_code), gen_random_uuid()));
begin
  insert into app.merchant_users (merchant_id, user_id, role)
  select m.id, v_user_id, p_role from app.merchants m where m.code = p_code;
  return v_user_id;
end;
$$;
comment on function fx.make_merchant_user(text, text) is 'A new user who works for a merchant.';

create function fx.make_terminal(p_merchant_code text, p_terminal_code text)
returns void
language sql
as $$
  insert into app.terminals (code, merchant_id, label)
  select p_terminal_code, m.id, p_terminal_code from app.merchants m where m.code = p_merchant_code
$$;

create function fx.ensure_master_key()
returns void
language plpgsql
as $$
begin
  if not exists (select from sec.master_keys) then
    perform sec.draw_master_key();
  end if;
end;
$$;

create function fx.code(p_user_id uuid, p_card_id uuid default null, p_ttl_seconds int default 900)
returns text
language plpgsql
as $$
declare
  v_claims text := current_setting('request.jwt.claims', true);
  v_code text;
begin
  perform fx.ensure_master_key();
  perform fx.act_as(p_user_id);
  select r.qr_plain into v_code
  from public.rotate_card_qr(coalesce(p_card_id, fx.standard_card(p_user_id)), p_ttl_seconds) r;
  perform set_config('request.jwt.claims', coalesce(v_claims, ''), true);
  return v_code;
end;
$$;
comment on function fx.code(uuid, uuid, int) is 'A fresh code of a user, for his standard card unless another is named.';

create function fx.age_code(p_code text)
returns void
language sql
as $$
  update app.payment_codes c
  set issued_at = c.issued_at - interval '2 days', expires_at = c.issued_at - interval '1 day'
  where c.code_hash = any (sec.code_hashes(p_code))
$$;
comment on function fx.age_code(text) is 'Makes a code expired.';

create function fx.refusal(p_statement text)
returns text
language plpgsql
as $$
declare
  v_state text;
  v_message text;
begin
  execute p_statement;
  return 'no refusal';
exception when others then
  get stacked diagnostics v_state = returned_sqlstate, v_message = message_text;
  return v_state || ' ' || v_message;
end;
$$;
comment on function fx.refusal(text) is 'How a statement is refused: SQLSTATE and message, as in PT402 INSUFFICIENT_BALANCE.';

create function fx.state()
returns table (table_name text, rows bigint, digest text)
language plpgsql
as $$
declare
  v_table regclass;
begin
  for v_table in
    select c.oid::regclass from pg_catalog.pg_class c
    where c.relnamespace in ('app'::regnamespace, 'audit'::regnamespace) and c.relkind in ('r', 'p') and not c.relispartition
    order by c.oid::regclass::text
  loop
    table_name := v_table::text;
    execute format(
      'select count(*), md5(coalesce(string_agg(to_jsonb(t)::text, e''\n'' order by to_jsonb(t)::text), '''')) from %s t', v_table)
      into rows, digest;
    return next;
  end loop;
end;
$$;
comment on function fx.state() is 'The ordered rows of every table of app and audit, as a digest each: equal when nothing changed.';

create function fx.refusal_as(p_role text, p_user_id uuid, p_statement text)
returns text
language plpgsql
as $$
declare
  v_refusal text;
begin
  if p_role = 'service_role' then
    perform fx.act_as_service();
  else
    perform fx.act_as(p_user_id);
  end if;
  perform set_config('role', p_role, true);
  v_refusal := fx.refusal(p_statement);
  perform set_config('role', 'none', true);
  return v_refusal;
end;
$$;
comment on function fx.refusal_as(text, uuid, text) is 'The same in an API role and with a user''s claims, as PostgREST would run it.';

create function fx.enroll(p_user_id uuid, p_card_id uuid default null)
returns table (handle text, device_key text)
language plpgsql
as $$
declare
  v_claims text := current_setting('request.jwt.claims', true);
begin
  perform fx.ensure_master_key();
  perform fx.act_as(p_user_id);
  return query select d.handle, d.device_key
    from public.enroll_device(coalesce(p_card_id, fx.standard_card(p_user_id)), 'fixture') d;
  perform set_config('request.jwt.claims', coalesce(v_claims, ''), true);
end;
$$;
comment on function fx.enroll(uuid, uuid) is 'A fresh device of a user, for his standard card unless another is named; its key is hex.';

create function fx.offline_step(p_offset bigint default 0)
returns bigint
language sql volatile
as $$ select rules.offline_step(clock_timestamp()) + p_offset $$;
comment on function fx.offline_step(bigint) is 'The step of the clock, or one so many steps beside it.';

create function fx.offline_code(p_handle text, p_device_key text, p_step bigint default fx.offline_step(), p_terminal_code text default null)
returns text
language sql volatile
as $$
  select c.payload || rules.luhn_digit(c.payload)
  from (select case when p_terminal_code is null then '71' else '72' end || p_handle
    || rules.offline_password(decode(p_device_key, 'hex'), p_step, p_terminal_code)) as c (payload)
$$;
comment on function fx.offline_code(text, text, bigint, text) is 'What a phone shows at a step, for one terminal when that is named.';

-- Two tests of pgTAP: the statement is refused with this, and it changed no row.
create function fx.refuses(p_expected text, p_why text, p_role text, p_user_id uuid, p_statement text)
returns setof text
language plpgsql
as $$
declare
  v_before text := (select string_agg(s::text, ',') from fx.state() s);
begin
  return next is(fx.refusal_as(p_role, p_user_id, p_statement), p_expected, p_why);
  return next is((select string_agg(s::text, ',') from fx.state() s), v_before, p_why || ': and nothing changed');
end;
$$;
