//! A right that is taken from a caller while their call waits for a lock: the call does nothing more with it.

use anyhow::{Context, Result};
use mps_db_tests::call::{Caller, label};
use mps_db_tests::scene::{Member, Shop, change_under_lock};
use mps_db_tests::{Call, TestDatabase, on_a_fresh_database};

/// A call of one user, whose arguments are literals of the scene.
fn call(user: &str, rpc: &str) -> Call {
    let statement = format!("select jsonb_build_object('done', to_jsonb(r))::text from public.{rpc} r");
    Call::new(Caller::User(user.to_owned()), statement, &[])
}

/// What everything here happens to.
struct Scene {
    shop: Shop,
    merchant: String,
    payer: Member,
    payer_id: String,
    shared: String,
    sharer_id: String,
    /// A recharge order whose payment waits for an admin.
    order: String,
    settlement: String,
    /// The admin who loses the right.
    leaving: String,
    /// The admin who takes rights away.
    staying: String,
}

async fn scene(db: &TestDatabase) -> Result<Scene> {
    db.prepare_changes_under_lock().await?;
    let shop = db.shop("SHOP1").await?;
    let merchant = db.text("select id::text from app.merchants", &[]).await?;
    let payer = db.member("payer", "100.00").await?;
    let sharer = db.member("sharer", "0").await?;
    let card = db.shared_card("0", &[payer.clone(), sharer.clone()]).await?;
    Ok(Scene {
        payer_id: db.member_id(&payer).await?,
        sharer_id: db.member_id(&sharer).await?,
        order: order_in_review(db, &payer).await?,
        settlement: settlement(db, &shop, &payer, &merchant).await?,
        leaving: db.admin("leaving").await?,
        staying: db.admin("staying").await?,
        shop,
        merchant,
        payer,
        shared: card,
    })
}

async fn settlement(db: &TestDatabase, shop: &Shop, payer: &Member, merchant: &str) -> Result<String> {
    let code = db.code(&payer.user, &payer.card).await?;
    assert_eq!(label(&db.call(shop.charge(&code, "1.00")).await?), "ok");
    let settle = "select jsonb_build_object('id', public.generate_settlement(
        $1::text::uuid, 'realtime', now() - interval '1 hour', clock_timestamp()))::text";
    let settled = db
        .call(Call::new(Caller::Service, settle, &[Some(merchant)]))
        .await?
        .ok()
        .context("no settlement")?;
    Ok(settled.text("id").to_owned())
}

async fn order_in_review(db: &TestDatabase, payer: &Member) -> Result<String> {
    let order = call(&payer.user, &format!("create_recharge_order('{}', 10.00, 'wechat')", payer.card));
    let order = db.call(order).await?.ok().context("no order")?;
    let done: serde_json::Value = serde_json::from_str(order.text("done"))?;
    let order = done["order_no"].as_str().context("no number")?.to_owned();
    let paid = format!(
        "select jsonb_build_object('done', to_jsonb(r))::text
         from public.complete_recharge_order('{order}', 'wechat', 'W1', 11.00, 'CNY', now()) r"
    );
    assert_eq!(label(&db.call(Call::new(Caller::Service, paid, &[])).await?), "ok");
    Ok(order)
}

/// Everything that a call could have changed.
async fn state(db: &TestDatabase) -> Result<String> {
    db.text(
        "select string_agg(s::text, ',') from fx.state() s
         where s.table_name not in ('app.admin_users', 'app.merchant_users', 'audit.event_log')",
        &[],
    )
    .await
}

/// Starts a call that a lock holds back, takes the caller's right meanwhile, and lets go of the lock: how the call ended.
async fn end_without_the_right(db: &TestDatabase, lock: &Call, waiting: Call, loss: &Call) -> Result<String> {
    let holder = db.session().await?;
    assert_eq!(label(&holder.leave_open(lock).await?), "ok");
    let waiting = db.start_behind(&holder, waiting).await?;
    let taken = db.call(loss.clone()).await?;
    assert_eq!(taken.ok().context("the right was not taken")?.text("done"), "true");
    holder.roll_back().await?;
    Ok(label(&waiting.outcome().await?))
}

fn locked_card(card: &str) -> Call {
    change_under_lock(&[card.to_owned()], "select 1")
}

fn locked(statement: &str) -> Call {
    change_under_lock(&[], statement)
}

#[test]
fn whoever_is_dismissed_while_a_card_is_locked_moves_no_money() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        let Scene { shop, merchant, payer, .. } = &scene;
        let paid = db.code(&payer.user, &payer.card).await?;
        let paid = db.call(shop.charge(&paid, "10.00")).await?.ok().context("no payment")?;
        let code = db.code(&payer.user, &payer.card).await?;
        let (cashier, card) = (&shop.cashier, &payer.card);
        let calls = [
            Call::from(shop.charge(&code, "1.00")),
            call(cashier, &format!("merchant_refund_tx('SHOP1', '{}', 1.00)", paid.text("tx_no"))),
            call(cashier, &format!("user_recharge_card('{card}', 1.00, p_merchant_code => 'SHOP1')")),
        ];
        let dismissal = call(&scene.staying, &format!("remove_merchant_user('{merchant}', '{cashier}')"));
        for waiting in calls {
            let before = state(db).await?;
            let end = end_without_the_right(db, &locked_card(card), waiting.clone(), &dismissal).await?;
            assert_eq!(end, "PT403 NOT_MERCHANT_USER", "{waiting:?}");
            assert_eq!(state(db).await?, before, "{waiting:?}");
            assert_eq!(db.state_of_code(&code).await?, "open");
            let back = format!("add_merchant_user('{merchant}', '{cashier}', 'cashier')");
            assert_eq!(label(&db.call(call(&scene.staying, &back)).await?), "ok");
        }
        db.check_ledger().await
    })
}

/// A call of an admin, what holds it back, and what it hears without the right.
type AdminCall = (String, Call, &'static str);

fn calls_behind_a_card(scene: &Scene) -> Vec<AdminCall> {
    let Scene { payer, payer_id, shared, sharer_id, order, .. } = scene;
    let card = &payer.card;
    let rows = [
        (format!("resolve_recharge_order('{order}', 'W1', 'credit')"), card, "PT403 PERMISSION_DENIED"),
        (format!("adjust_card_balance('{card}', 1.00, 'gift')"), card, "PT403 PERMISSION_DENIED"),
        (format!("update_points_and_level('{card}', 1, 'gift')"), card, "PT403 PERMISSION_DENIED"),
        (format!("user_recharge_card('{card}', 1.00)"), card, "PT403 PERMISSION_DENIED"),
        (format!("freeze_card('{card}')"), card, "PT404 CARD_NOT_FOUND"),
        (format!("report_card_lost('{card}')"), card, "PT404 CARD_NOT_FOUND"),
        (format!("unfreeze_card('{card}')"), card, "PT404 CARD_NOT_FOUND"),
        (format!("close_card('{card}')"), card, "PT404 CARD_NOT_FOUND"),
        (format!("set_card_expiry('{card}', null)"), card, "PT404 CARD_NOT_FOUND"),
        (format!("set_card_binding_password('{shared}', 'secret')"), shared, "PT404 CARD_NOT_FOUND"),
        (format!("unbind_member_from_card('{shared}', '{sharer_id}')"), shared, "PT404 CARD_NOT_FOUND"),
        (format!("bind_member_to_card('{shared}', '{sharer_id}', 'viewer')"), shared, "PT404 CARD_NOT_FOUND"),
        (format!("admin_suspend_member('{payer_id}')"), card, "PT403 PERMISSION_DENIED"),
        (format!("delete_member('{payer_id}')"), card, "PT404 MEMBER_NOT_FOUND"),
    ];
    rows.into_iter().map(|(rpc, card, end)| (rpc, locked_card(card), end)).collect()
}

const ONE_LEVEL: &str = r#"[{"level": 0, "name": "one", "points_min": 0, "discount": 1}]"#;

fn calls_behind_a_row(scene: &Scene) -> Vec<AdminCall> {
    let Scene { merchant, payer_id, leaving, settlement, .. } = scene;
    let denied = "PT403 PERMISSION_DENIED";
    let member = format!("select from app.member_profiles where id = '{payer_id}' for update");
    let house = format!("select from app.merchants where id = '{merchant}' for update");
    let phone = "insert into app.member_profiles (name, phone) values ('Other', '+886900000001')";
    let code = "insert into app.merchants (code, name) values ('SHOP2', 'Other')";
    let setting = "select from app.settings where key = 'payment_amount_max' for update";
    let payout = format!("select from app.settlements where id = '{settlement}' for update");
    let posting = format!("select app.lock_merchant_against_posting('{merchant}')");
    let rows = [
        (format!("create_prepaid_card('{payer_id}', null, 5.00)"), &*member, denied),
        (format!("create_voucher_card('{payer_id}', null, 5.00)"), &*member, denied),
        (format!("update_member_profile('{payer_id}', 'Other')"), &*member, "PT404 MEMBER_NOT_FOUND"),
        (format!("link_member_auth_user('{payer_id}', '{leaving}')"), &*member, denied),
        (format!("update_merchant('{merchant}', 'Other')"), &*house, denied),
        (format!("update_settlement_status('{settlement}', 'settled')"), &*payout, denied),
        (format!("admin_suspend_merchant('{merchant}')"), &*posting, denied),
        (
            format!(
                "generate_settlement('{merchant}', 'realtime', now() - interval '1 hour', clock_timestamp())"
            ),
            &*posting,
            denied,
        ),
        (
            format!("settle_late_transactions('{merchant}', array['PAY0000000001'], 'late')"),
            &*posting,
            denied,
        ),
        (format!("set_membership_levels('{ONE_LEVEL}')"), "select app.lock_levels()", denied),
        ("create_member_profile('Other', '+886900000001')".to_owned(), phone, denied),
        ("create_merchant('SHOP2', 'Other')".to_owned(), code, denied),
        ("set_setting('payment_amount_max', '1.00')".to_owned(), setting, denied),
    ];
    rows.into_iter().map(|(rpc, lock, end)| (rpc, locked(lock), end)).collect()
}

async fn assert_nothing_without_being_admin(
    db: &TestDatabase,
    scene: &Scene,
    calls: Vec<AdminCall>,
) -> Result<()> {
    let Scene { leaving, staying, .. } = scene;
    let removal = call(staying, &format!("remove_admin_user('{leaving}')"));
    for (rpc, lock, refusal) in calls {
        let before = state(db).await?;
        let end = end_without_the_right(db, &lock, call(leaving, &rpc), &removal).await?;
        assert_eq!(end, refusal, "{rpc}");
        assert_eq!(state(db).await?, before, "{rpc}");
        assert_eq!(label(&db.call(call(staying, &format!("add_admin_user('{leaving}')"))).await?), "ok");
    }
    Ok(())
}

#[test]
fn an_admin_who_is_removed_while_a_card_is_locked_does_nothing() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        assert_nothing_without_being_admin(db, &scene, calls_behind_a_card(&scene)).await?;
        db.check_ledger().await
    })
}

#[test]
fn an_admin_who_is_removed_while_another_row_is_locked_does_nothing() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        assert_nothing_without_being_admin(db, &scene, calls_behind_a_row(&scene)).await?;
        db.check_ledger().await
    })
}

#[test]
fn whoever_waited_for_the_first_request_of_a_key_hears_nothing_without_the_right() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        let Scene { shop, payer, payer_id, leaving, .. } = &scene;
        let card = &payer.card;
        let cashier = format!("delete from app.merchant_users where user_id = '{}'", shop.cashier);
        let admin = format!("delete from app.admin_users where user_id = '{leaving}'");
        let code = db.code(&payer.user, card).await?;
        let adjustment = format!("adjust_card_balance('{card}', 1.00, 'gift', 'key')");
        let points = format!("update_points_and_level('{card}', 1, 'gift', 'points')");
        let cash = format!("user_recharge_card('{card}', 1.00, p_idempotency_key => 'cash')");
        let issue = format!("create_prepaid_card('{payer_id}', null, 5.00, null, 'card')");
        let rows = [
            (Call::from(shop.charge(&code, "1.00").key("key")), &cashier, "PT403 NOT_MERCHANT_USER"),
            (call(leaving, &adjustment), &admin, "PT403 PERMISSION_DENIED"),
            (call(leaving, &points), &admin, "PT403 PERMISSION_DENIED"),
            (call(leaving, &cash), &admin, "PT403 PERMISSION_DENIED"),
            (call(leaving, &issue), &admin, "PT403 PERMISSION_DENIED"),
        ];
        for (request, loss, refusal) in rows {
            let restore = "insert into app.merchant_users (merchant_id, user_id, role)
                select m.id, c.id, 'cashier' from app.merchants m join auth.users c on c.email like 'cashier-%'
                on conflict do nothing;
                insert into app.admin_users (user_id) select id from auth.users where email like 'leaving@%'
                on conflict do nothing";
            db.run(restore).await?;
            let first = db.session().await?;
            assert_eq!(label(&first.leave_open(&request).await?), "ok", "{request:?}");
            let again = db.start_behind(&first, request.clone()).await?;
            first.commit_with(loss).await?;
            assert_eq!(label(&again.outcome().await?), refusal, "{request:?}");
        }
        db.check_ledger().await
    })
}

#[test]
fn a_right_is_taken_only_when_nothing_that_it_allowed_can_still_commit() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        let Scene { shop, merchant, payer, leaving, staying, .. } = &scene;
        let code = db.code(&payer.user, &payer.card).await?;
        let cashier = &shop.cashier;
        let rows = [
            (
                Call::from(shop.charge(&code, "1.00")),
                format!("remove_merchant_user('{merchant}', '{cashier}')"),
            ),
            (
                call(leaving, &format!("adjust_card_balance('{}', 1.00, 'gift')", payer.card)),
                format!("remove_admin_user('{leaving}')"),
            ),
        ];
        for (movement, loss) in rows {
            let session = db.session().await?;
            assert_eq!(label(&session.leave_open(&movement).await?), "ok");
            let loss = db.start_behind(&session, call(staying, &loss)).await?;
            session.commit().await?;
            assert_eq!(label(&loss.outcome().await?), "ok");
        }
        db.check_ledger().await
    })
}

#[test]
fn a_terminal_is_retired_after_its_charges_and_before_those_that_wait() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        let Scene { shop, payer, staying, .. } = &scene;
        db.run("select fx.make_terminal('SHOP1', 'TILL01')").await?;
        let charge = |code: &str| {
            let rpc = format!("merchant_charge_by_qr('SHOP1', '{code}', 1.00, p_terminal_code => 'TILL01')");
            call(&shop.cashier, &rpc)
        };
        let retirement = call(staying, "retire_terminal('TILL01')");
        let (first, second) = (db.session().await?, db.session().await?);
        let code = db.code(&payer.user, &payer.card).await?;
        assert_eq!(label(&first.leave_open(&charge(&code)).await?), "ok");
        let retired = db.start_behind(&first, retirement).await?;
        first.commit().await?;
        assert_eq!(label(&retired.outcome().await?), "ok");

        db.run("update app.terminals set status = 'active'").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        assert_eq!(label(&second.leave_open(&locked_card(&payer.card)).await?), "ok");
        let waiting = db.start_behind(&second, charge(&code)).await?;
        let retired = db.call(call(staying, "retire_terminal('TILL01')")).await?;
        assert_eq!(retired.ok().context("it waited for nobody")?.text("done"), "true");
        second.roll_back().await?;
        assert_eq!(label(&waiting.outcome().await?), "PT404 TERMINAL_NOT_FOUND");
        assert_eq!(db.payments().await?, 2);
        db.check_ledger().await
    })
}
