-- Demo data for a house that somebody tries out. Never for production: every log-in below has the same known password.
-- The users' rows are Supabase Auth's own shape; the password is demo-password-1234.

insert into auth.users (id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
select u.id::uuid, 'authenticated', 'authenticated', u.email, extensions.crypt('demo-password-1234', extensions.gen_salt('bf', 10)),
       now(), '{"provider": "email", "providers": ["email"]}', '{}', now(), now()
from (values
  ('d0000000-0000-4000-8000-000000000001', 'ming@demo.example'),
  ('d0000000-0000-4000-8000-000000000002', 'hua@demo.example'),
  ('d0000000-0000-4000-8000-000000000003', 'cashier@demo.example'),
  ('d0000000-0000-4000-8000-000000000004', 'admin@demo.example')
) as u (id, email);

insert into auth.identities (id, user_id, provider, provider_id, identity_data, created_at, updated_at)
select gen_random_uuid(), u.id, 'email', u.id::text,
       jsonb_build_object('sub', u.id::text, 'email', u.email, 'email_verified', true, 'phone_verified', false), now(), now()
from auth.users u
where u.email like '%@demo.example';

select sec.draw_master_key();

insert into app.admin_users (user_id) values ('d0000000-0000-4000-8000-000000000004');

do $$
declare
  v_ming app.member_profiles;
  v_hua app.member_profiles;
  v_merchant_id uuid;
  v_shared_card_id uuid;
  v_card_id uuid;
begin
  v_ming := app.make_member('王小明', '+886900000001', 'ming@demo.example', 'd0000000-0000-4000-8000-000000000001');
  v_hua := app.make_member('李小華', '+886900000002', 'hua@demo.example', 'd0000000-0000-4000-8000-000000000002');

  select c.id into v_card_id from app.cards c where c.personal_member_id = v_ming.id;
  perform app.post_adjustment(v_card_id, 1000.00, 'demo: initial balance');
  perform app.change_points(v_card_id, 1200, null, 'demo: initial points', clock_timestamp());

  select c.id into v_card_id from app.cards c where c.personal_member_id = v_hua.id;
  perform app.post_adjustment(v_card_id, 200.00, 'demo: initial balance');

  insert into app.cards (card_no, card_type, name, fixed_discount)
  values (app.next_card_no('prepaid'), 'prepaid', '家庭共用卡', 0.900)
  returning id into v_shared_card_id;
  insert into app.card_bindings (card_id, member_id, role)
  values (v_shared_card_id, v_hua.id, 'owner'), (v_shared_card_id, v_ming.id, 'member');
  perform app.post_adjustment(v_shared_card_id, 3000.00, 'demo: initial balance');

  insert into app.merchants (code, name) values ('SHOP001', '示範咖啡') returning id into v_merchant_id;
  insert into app.merchant_users (merchant_id, user_id, role)
  values (v_merchant_id, 'd0000000-0000-4000-8000-000000000003', 'cashier');
  insert into app.terminals (code, merchant_id, label) values ('K7Q2ZD', v_merchant_id, '櫃台 1');
end;
$$;
