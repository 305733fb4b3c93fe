//! Charging a code while its member revokes or replaces it.

use anyhow::{Context, Result};
use mps_db_tests::call::label;
use mps_db_tests::scene::{Member, Shop, change_under_lock};
use mps_db_tests::{Call, Outcome, TestDatabase, assert_ends, on_a_fresh_database};

const ROUNDS: usize = 25;
const DEAD: &str = "PT409 QR_EXPIRED_OR_INVALID";

async fn shop_and_payer(db: &TestDatabase) -> Result<(Shop, Member)> {
    Ok((db.shop("SHOP1").await?, db.member("payer", "10000.00").await?))
}

async fn open_codes(db: &TestDatabase) -> Result<String> {
    let count =
        "select count(*)::text from app.payment_codes where consumed_at is null and revoked_at is null";
    db.text(count, &[]).await
}

/// The state of a code after a charge of it met something that ends it: never charged and ended both.
async fn assert_charged_or_ended(
    db: &TestDatabase,
    shop: &Shop,
    code: &str,
    charged: &Outcome,
) -> Result<()> {
    let (end, state) = match charged {
        Ok(_) => ("ok", "consumed"),
        Err(_) => (DEAD, "revoked"),
    };
    assert_eq!(label(charged), end);
    assert_eq!(db.state_of_code(code).await?, state);
    let later = db.call(shop.charge(code, "1.00").key(&format!("later {code}"))).await?;
    assert_eq!(label(&later), DEAD, "a code that is over is never charged afterwards");
    Ok(())
}

#[test]
fn a_code_is_either_charged_or_revoked() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer) = shop_and_payer(db).await?;
        let mut charged = 0;
        for _ in 0..ROUNDS {
            let code = db.code(&payer.user, &payer.card).await?;
            let outcomes = db
                .at_once(vec![
                    shop.charge(&code, "1.00").key(&code).into(),
                    Call::revoke(&payer.user, &payer.card),
                    shop.charge(&code, "1.00").key(&format!("other {code}")).into(),
                ])
                .await?;
            let [one, revoke, other] = outcomes.try_into().ok().context("three outcomes")?;
            let (winner, loser) = if one.is_ok() { (one, other) } else { (other, one) };
            assert_eq!(label(&loser), DEAD);
            let was_live = if winner.is_ok() { "false" } else { "true" };
            assert_eq!(revoke.as_ref().map(|row| row.text("revoked")), Ok(was_live));
            assert_charged_or_ended(db, &shop, &code, &winner).await?;
            charged += usize::from(winner.is_ok());
        }
        assert_eq!(open_codes(db).await?, "0");
        assert_eq!(db.payments().await?, charged);
        assert_eq!(db.balance(&payer.card).await?, format!("{}.00", 10_000 - charged));
        db.check_ledger().await
    })
}

#[test]
fn a_code_is_either_charged_or_replaced() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer) = shop_and_payer(db).await?;
        let mut charged = 0;
        for _ in 0..ROUNDS {
            let code = db.code(&payer.user, &payer.card).await?;
            let charge = shop.charge(&code, "1.00").key(&code).into();
            let outcomes = db.at_once(vec![Call::rotate(&payer.user, &payer.card), charge]).await?;
            let [rotate, charge] = outcomes.try_into().ok().context("two outcomes")?;
            assert_charged_or_ended(db, &shop, &code, &charge).await?;
            charged += usize::from(charge.is_ok());
            let fresh = rotate.as_ref().map_or("refused", |row| row.text("qr_plain"));
            assert_eq!(db.state_of_code(fresh).await?, "open");
            assert_eq!(open_codes(db).await?, "1");
        }
        assert_eq!(db.payments().await?, charged);
        db.check_ledger().await
    })
}

#[test]
fn a_charge_that_waits_for_a_revocation_is_refused() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer) = shop_and_payer(db).await?;
        for end_of_code in [Call::revoke(&payer.user, &payer.card), Call::rotate(&payer.user, &payer.card)] {
            let code = db.code(&payer.user, &payer.card).await?;
            let member = db.session().await?;
            assert_eq!(label(&member.leave_open(&end_of_code).await?), "ok");
            let charge = db.start_behind(&member, shop.charge(&code, "1.00")).await?;
            member.commit().await?;
            assert_charged_or_ended(db, &shop, &code, &charge.outcome().await?).await?;
        }
        assert_eq!(db.payments().await?, 0);
        db.check_ledger().await
    })
}

#[test]
fn a_revocation_that_waits_for_a_charge_finds_nothing_to_revoke() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer) = shop_and_payer(db).await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let cashier = db.session().await?;
        let charge = cashier.leave_open(&shop.charge(&code, "1.00").into()).await?;
        let revoke = db.start_behind(&cashier, Call::revoke(&payer.user, &payer.card)).await?;
        cashier.commit().await?;
        assert_eq!(revoke.outcome().await?.map(|row| row.text("revoked").to_owned()), Ok("false".to_owned()));
        assert_charged_or_ended(db, &shop, &code, &charge).await?;
        db.check_ledger().await
    })
}

#[test]
fn a_charge_that_fails_leaves_its_code_to_the_revocation_that_waits() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer) = shop_and_payer(db).await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let cashier = db.session().await?;
        assert_eq!(label(&cashier.leave_open(&shop.charge(&code, "1.00").into()).await?), "ok");
        let revoke = db.start_behind(&cashier, Call::revoke(&payer.user, &payer.card)).await?;
        cashier.roll_back().await?;
        assert_eq!(revoke.outcome().await?.map(|row| row.text("revoked").to_owned()), Ok("true".to_owned()));
        assert_eq!(db.state_of_code(&code).await?, "revoked");
        db.check_ledger().await
    })
}

/// Whoever waits for the card holds no code yet; the other way round two of them could wait for each other for ever.
#[test]
fn the_card_is_locked_before_its_codes() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer) = shop_and_payer(db).await?;
        db.prepare_changes_under_lock().await?;
        let nothing = change_under_lock(std::slice::from_ref(&payer.card), "select 1");
        let revoke = Call::revoke(&payer.user, &payer.card);
        for end_of_code in [None, Some(revoke), Some(Call::rotate(&payer.user, &payer.card))] {
            let code = db.code(&payer.user, &payer.card).await?;
            let call = end_of_code.unwrap_or_else(|| shop.charge(&code, "1.00").key("key").into());
            let house = db.session().await?;
            assert_eq!(label(&house.leave_open(&nothing).await?), "ok");
            let waiting = db.start_behind(&house, call).await?;
            let free = db.texts("select 'free' from app.payment_codes for update nowait", &[]).await;
            house.commit().await?;
            assert_eq!(label(&waiting.outcome().await?), "ok");
            assert!(!free?.is_empty());
        }
        db.check_ledger().await
    })
}

#[test]
fn codes_drawn_at_once_by_one_member_leave_one_open() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer) = shop_and_payer(db).await?;
        let outcomes = db.at_once(vec![Call::rotate(&payer.user, &payer.card); 20]).await?;
        assert_ends(&outcomes, &[("ok", 20)]);
        assert_eq!(open_codes(db).await?, "1");
        let codes = outcomes.iter().flatten().map(|row| row.text("qr_plain"));
        let charges = db.at_once(codes.map(|code| shop.charge(code, "1.00").into()).collect()).await?;
        assert_ends(&charges, &[("ok", 1), (DEAD, 19)]);
        assert_eq!(db.balance(&payer.card).await?, "9999.00");
        db.check_ledger().await
    })
}

/// The shared card's row, the members' bindings and their codes are all wanted at once, by each in his own order.
#[test]
fn people_sharing_a_card_neither_lock_each_other_out_nor_end_each_others_codes() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let members = db.members(6, "0").await?;
        let card = db.shared_card("10000.00", &members).await?;
        let mut charged = 0;
        for round in 0..10 {
            let codes = db.codes(&members, &card).await?;
            let mut calls = Vec::new();
            for (place, (member, code)) in members.iter().zip(&codes).enumerate() {
                calls.push(shop.charge(code, "1.00").key(code).into());
                match (place + round) % 3 {
                    0 => calls.push(Call::rotate(&member.user, &card)),
                    1 => calls.push(Call::revoke(&member.user, &card)),
                    _ => calls.push(shop.charge(code, "1.00").key(&format!("other {code}")).into()),
                }
            }
            let outcomes = db.at_once(calls).await?;
            for (place, (pair, code)) in outcomes.chunks(2).zip(&codes).enumerate() {
                let [charge, rival] = pair else { anyhow::bail!("no pair") };
                let rival_charges = (place + round) % 3 == 2;
                assert_eq!(label(rival), if rival_charges && charge.is_ok() { DEAD } else { "ok" });
                let winner = if rival_charges && rival.is_ok() { rival } else { charge };
                assert_charged_or_ended(db, &shop, code, winner).await?;
                charged += usize::from(winner.is_ok());
            }
        }
        assert_eq!(db.payments().await?, charged);
        db.check_ledger().await
    })
}
