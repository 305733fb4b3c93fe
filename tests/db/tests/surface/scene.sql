-- Who and what the access surface is tried with: a card shared in every role, a merchant with every role, and one of each object of theirs.
create table fx.scene (name text primary key, value text not null);

do $$
declare
  v_owner uuid := fx.make_member('owner@surface.example', 100);
  v_admin uuid := fx.make_member('binding-admin@surface.example');
  v_member uuid := fx.make_member('member@surface.example');
  v_viewer uuid := fx.make_member('viewer@surface.example');
  v_stranger uuid := fx.make_member('stranger@surface.example');
  v_house uuid := fx.make_user('admin@surface.example');
  v_newcomer uuid := fx.make_user('newcomer@surface.example');
  v_card uuid := fx.make_card('prepaid', 1000);
  v_merchant uuid := fx.make_merchant('SURFACE');
  v_cashier uuid := fx.make_merchant_user('SURFACE', 'cashier');
  v_manager uuid := fx.make_merchant_user('SURFACE', 'manager');
  v_merchant_owner uuid := fx.make_merchant_user('SURFACE', 'owner');
  v_paid_code text;
  v_code text;
  v_tx_no text;
  v_device text;
  v_order text;
  v_cash_no text;
begin
  insert into app.admin_users (user_id) values (v_house);
  perform fx.bind(v_card, v_owner, 'owner');
  perform fx.bind(v_card, v_admin, 'admin');
  perform fx.bind(v_card, v_member, 'member');
  perform fx.bind(v_card, v_viewer, 'viewer');
  perform fx.make_terminal('SURFACE', 'SURF01');
  v_paid_code := fx.code(v_owner, v_card);
  perform fx.act_as(v_cashier);
  v_tx_no := (select c.tx_no from public.merchant_charge_by_qr('SURFACE', v_paid_code, 10, 'paid', null, 'paid') c);
  v_cash_no := (select c.tx_no from public.user_recharge_card(v_card, 10, p_merchant_code => 'SURFACE') c);
  v_code := fx.code(v_owner, v_card);
  perform fx.act_as(v_owner);
  v_device := (select d.handle from public.enroll_device(v_card, 'phone') d);
  v_order := (select o.order_no from public.create_recharge_order(v_card, 10, 'wechat') o);
  perform set_config('request.jwt.claims', '', false);
  insert into fx.scene (name, value) values
    ('owner', v_owner), ('binding_admin', v_admin), ('member', v_member), ('viewer', v_viewer), ('stranger', v_stranger),
    ('cashier', v_cashier), ('manager', v_manager), ('merchant_owner', v_merchant_owner), ('admin', v_house),
    ('newcomer', v_newcomer), ('owner_member', fx.member_id(v_owner)), ('viewer_member', fx.member_id(v_viewer)),
    ('stranger_member', fx.member_id(v_stranger)),
    ('card', v_card), ('standard_card', fx.standard_card(v_owner)), ('merchant', v_merchant), ('code', v_code), ('tx_no', v_tx_no),
    ('device', v_device), ('order', v_order), ('cash_no', v_cash_no);
end;
$$;
