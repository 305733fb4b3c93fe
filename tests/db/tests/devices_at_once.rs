//! Offline codes and devices, at once.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use mps_db_tests::call::label;
use mps_db_tests::scene::{Device, Member, Shop, change_under_lock};
use mps_db_tests::{Call, Caller, TestDatabase, assert_ends, on_a_fresh_database};

const ROUNDS: usize = 25;
const DEAD: &str = "PT409 QR_EXPIRED_OR_INVALID";
const LIMIT: &str = "PT409 OFFLINE_LIMIT_EXCEEDED";

async fn shop_payer_device(db: &TestDatabase) -> Result<(Shop, Member, Device)> {
    let (shop, payer) = (db.shop("SHOP1").await?, db.member("payer", "10000.00").await?);
    let device = db.device(&payer.user, &payer.card).await?;
    Ok((shop, payer, device))
}

fn revoke(user: &str, device: &Device) -> Call {
    let statement = "select jsonb_build_object('revoked', public.revoke_device($1))::text";
    Call::new(Caller::User(user.to_owned()), statement, &[Some(&device.handle)])
}

fn enroll(user: &str, card: &str) -> Call {
    let statement = "select to_jsonb(d)::text from public.enroll_device($1::text::uuid, 'phone') d";
    Call::new(Caller::User(user.to_owned()), statement, &[Some(card)])
}

/// Holds the books and what devices add to them.
async fn check(db: &TestDatabase) -> Result<()> {
    let violations = db.texts("select v::text from app.device_violations() v", &[]).await?;
    assert_eq!(violations, []);
    Ok(())
}

#[test]
fn an_offline_code_is_spent_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer, device) = shop_payer_device(db).await?;
        let code = db.offline_code(&device, 0, None).await?;
        let scan = |number: usize| shop.charge(&code, "1.00").key(&format!("scan {number}")).into();
        let outcomes = db.at_once((0..20).map(scan).collect()).await?;
        assert_ends(&outcomes, &[("ok", 1), (DEAD, 19)]);
        assert_eq!(db.balance(&payer.card).await?, "9999.00");
        check(db).await
    })
}

#[test]
fn scans_of_an_offline_code_with_one_key_get_one_answer() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer, device) = shop_payer_device(db).await?;
        let code = db.offline_code(&device, 0, None).await?;
        let outcomes = db.at_once(vec![shop.charge(&code, "1.00").key("key").into(); 20]).await?;
        assert_ends(&outcomes, &[("ok", 20)]);
        let first = outcomes.iter().flatten().filter(|row| row.text("replayed") == "false").count();
        assert_eq!(first, 1);
        let answers: BTreeSet<String> =
            outcomes.iter().flatten().map(|row| format!("{:?}", row.without("replayed"))).collect();
        assert_eq!(answers.len(), 1);
        assert_eq!(db.balance(&payer.card).await?, "9999.00");
        check(db).await
    })
}

/// Two codes for which the day has room for one. The day counted is tomorrow's, so that midnight changes nothing.
async fn assert_limit_at_once(db: &TestDatabase, shop: &Shop, codes: [String; 2], room: &str) -> Result<()> {
    let calls = codes.iter().map(|code| shop.charge(code, room).into()).collect();
    let outcomes = db.at_once(calls).await?;
    assert_ends(&outcomes, &[("ok", 1), (LIMIT, 1)]);
    let loser = &codes[outcomes.iter().position(Result::is_err).context("a loser")?];
    let used = "select count(*)::text from app.device_steps where handle = substr($1, 3, 10)";
    let expected = if codes[0][2..12] == codes[1][2..12] { "1" } else { "0" };
    assert_eq!(db.text(used, &[loser]).await?, expected, "a refusal leaves the step unused");
    Ok(())
}

#[test]
fn two_codes_of_one_device_meet_at_the_edge_of_its_day() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        for member in db.members(8, "10000.00").await? {
            let device = db.device(&member.user, &member.card).await?;
            let spent = "update app.payment_devices
                set offline_on = app.card_day(clock_timestamp()) + 1, offline_total = 1800 where handle = $1 returning handle";
            db.text(spent, &[&device.handle]).await?;
            let codes = [db.offline_code(&device, 0, None).await?, db.offline_code(&device, 1, None).await?];
            assert_limit_at_once(db, &shop, codes, "200.00").await?;
        }
        check(db).await
    })
}

#[test]
fn codes_of_two_devices_meet_at_the_edge_of_their_cards_day() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        for member in db.members(8, "10000.00").await? {
            let mut devices = Vec::new();
            for _ in 0..4 {
                devices.push(db.device(&member.user, &member.card).await?);
            }
            let spent = "update app.payment_devices
                set offline_on = app.card_day(clock_timestamp()) + 1, offline_total = 1900
                where handle = any ($1::text::text[]) returning handle";
            db.text(spent, &[&format!("{{{},{}}}", devices[2].handle, devices[3].handle)]).await?;
            let codes =
                [db.offline_code(&devices[0], 0, None).await?, db.offline_code(&devices[1], 0, None).await?];
            assert_limit_at_once(db, &shop, codes, "200.00").await?;
        }
        check(db).await
    })
}

#[test]
fn five_devices_of_a_card_live_however_many_enrol_at_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let members = db.members(4, "0").await?;
        let card = db.shared_card("0", &members).await?;
        let calls = (0..20).map(|number| enroll(&members[number % 4].user, &card)).collect();
        let outcomes = db.at_once(calls).await?;
        assert_ends(&outcomes, &[("ok", 5), ("PT409 DEVICE_LIMIT_REACHED", 15)]);
        let live = "select count(*)::text from app.payment_devices where revoked_at is null";
        assert_eq!(db.text(live, &[]).await?, "5");
        check(db).await
    })
}

#[test]
fn an_offline_code_is_either_charged_or_its_device_revoked_first() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer, _) = shop_payer_device(db).await?;
        let mut charged = 0;
        for _ in 0..ROUNDS {
            let device = db.device(&payer.user, &payer.card).await?;
            let code = db.offline_code(&device, 0, None).await?;
            let calls = vec![shop.charge(&code, "1.00").into(), revoke(&payer.user, &device)];
            let [charge, end] = db.at_once(calls).await?.try_into().ok().context("two outcomes")?;
            assert_eq!(end.map(|row| row.text("revoked").to_owned()), Ok("true".to_owned()));
            assert!(["ok", DEAD].contains(&label(&charge).as_str()), "{charge:?}");
            charged += usize::from(charge.is_ok());
            let later = db.call(shop.charge(&db.offline_code(&device, 1, None).await?, "1.00")).await?;
            assert_eq!(label(&later), DEAD, "nothing is paid after a revocation");
        }
        assert_eq!(db.payments().await?, charged);
        check(db).await
    })
}

#[test]
fn an_offline_charge_that_waits_for_a_revocation_is_refused() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer, device) = shop_payer_device(db).await?;
        let code = db.offline_code(&device, 0, None).await?;
        let member = db.session().await?;
        assert_eq!(label(&member.leave_open(&revoke(&payer.user, &device)).await?), "ok");
        let charge = db.start_behind(&member, shop.charge(&code, "1.00")).await?;
        member.commit().await?;
        assert_eq!(label(&charge.outcome().await?), DEAD);
        assert_eq!(db.payments().await?, 0);
        check(db).await
    })
}

#[test]
fn a_revocation_waits_for_the_charge_under_way() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer, device) = shop_payer_device(db).await?;
        let code = db.offline_code(&device, 0, None).await?;
        let cashier = db.session().await?;
        let charge = cashier.leave_open(&shop.charge(&code, "1.00").into()).await?;
        let end = db.start_behind(&cashier, revoke(&payer.user, &device)).await?;
        cashier.commit().await?;
        assert_eq!(label(&charge), "ok");
        assert_eq!(label(&end.outcome().await?), "ok");
        assert_eq!(db.payments().await?, 1);
        check(db).await
    })
}

/// An enrolment that waits while its member is unbound gets no device.
#[test]
fn an_enrolment_that_waits_for_an_unbinding_is_refused() -> Result<()> {
    on_a_fresh_database(async |db| {
        let members = db.members(2, "0").await?;
        let card = db.shared_card("0", &members).await?;
        let unbound = db.text("select fx.member_id($1::text::uuid)::text", &[&members[1].user]).await?;
        let unbind = "select jsonb_build_object('unbound', public.unbind_member_from_card($1::text::uuid, $2::text::uuid))::text";
        let owner = Caller::User(members[0].user.clone());
        let unbind = Call::new(owner, unbind, &[Some(card.as_str()), Some(unbound.as_str())]);
        let owner = db.session().await?;
        assert_eq!(label(&owner.leave_open(&unbind).await?), "ok");
        let enrolment = db.start_behind(&owner, enroll(&members[1].user, &card)).await?;
        owner.commit().await?;
        assert_eq!(label(&enrolment.outcome().await?), "PT404 CARD_NOT_FOUND");
        assert_eq!(db.text("select count(*)::text from app.payment_devices", &[]).await?, "0");
        check(db).await
    })
}

/// Whoever could only be refused does not queue up on somebody's card.
#[test]
fn strangers_do_not_wait_for_a_card() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (_, payer, device) = shop_payer_device(db).await?;
        let stranger = db.member("stranger", "0").await?;
        let house = db.session().await?;
        db.prepare_changes_under_lock().await?;
        let nothing = change_under_lock(std::slice::from_ref(&payer.card), "select 1");
        assert_eq!(label(&house.leave_open(&nothing).await?), "ok");
        for call in [revoke(&stranger.user, &device), enroll(&stranger.user, &payer.card)] {
            assert!(db.start_behind(&house, call).await.is_err(), "it waited");
        }
        house.commit().await
    })
}

/// Who is no longer the card's admin when his turn comes ends nobody's device.
#[test]
fn a_revocation_that_waits_for_a_lost_role_is_refused() -> Result<()> {
    on_a_fresh_database(async |db| {
        let members = db.members(2, "0").await?;
        let card = db.shared_card("0", &members).await?;
        let device = db.device(&members[0].user, &card).await?;
        let role = "update app.card_bindings b set role = $1 where b.card_id = $2::text::uuid
            and b.member_id = fx.member_id($3::text::uuid) returning b.role";
        db.text(role, &["admin", &card, &members[1].user]).await?;
        db.prepare_changes_under_lock().await?;
        let lowered = format!(
            "update app.card_bindings set role = 'member' where member_id = fx.member_id('{}')",
            members[1].user
        );
        let house = db.session().await?;
        let lowered = change_under_lock(std::slice::from_ref(&card), &lowered);
        assert_eq!(label(&house.leave_open(&lowered).await?), "ok");
        let end = db.start_behind(&house, revoke(&members[1].user, &device)).await?;
        house.commit().await?;
        assert_eq!(label(&end.outcome().await?), "PT404 DEVICE_NOT_FOUND");
        check(db).await
    })
}

/// The merchant's status is read again under the lock that its suspension takes exclusively.
#[test]
fn a_charge_that_waits_for_the_merchants_suspension_is_refused() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer, device) = shop_payer_device(db).await?;
        let merchant = "select id::text from app.merchants where code = $1";
        let merchant = db.text(merchant, &[&shop.code]).await?;
        let suspend =
            "select jsonb_build_object('moved', public.admin_suspend_merchant($1::text::uuid))::text";
        let suspend = Call::new(Caller::User(db.admin("admin").await?), suspend, &[Some(&merchant)]);
        for code in [db.code(&payer.user, &payer.card).await?, db.offline_code(&device, 0, None).await?] {
            let house = db.session().await?;
            assert_eq!(label(&house.leave_open(&suspend).await?), "ok");
            let charge = db.start_behind(&house, shop.charge(&code, "1.00")).await?;
            house.commit().await?;
            assert_eq!(label(&charge.outcome().await?), "PT409 MERCHANT_NOT_FOUND_OR_INACTIVE");
            db.run("update app.merchants set status = 'active'").await?;
        }
        assert_eq!(db.payments().await?, 0);
        check(db).await
    })
}
