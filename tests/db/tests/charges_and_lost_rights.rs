//! Charging while the payer is suspended, the card frozen, or the payer unbound.

use anyhow::{Context, Result, bail};
use mps_db_tests::call::label;
use mps_db_tests::scene::{Member, Shop, change_under_lock};
use mps_db_tests::{Call, Outcome, TestDatabase, on_a_fresh_database};

const ROUNDS: usize = 6;
const PAYERS: usize = 8;

/// A right to pay that the house takes away: under which locks, by what, and what a charge then hears.
struct Loss {
    cards: Vec<String>,
    change: String,
    refusal: &'static str,
}

/// One member with a code of each of his cards, and his suspension.
async fn suspended(db: &TestDatabase, name: &str) -> Result<(Vec<String>, Loss)> {
    let member = db.member(name, "1000.00").await?;
    let mut cards = vec![member.card.clone()];
    for _ in 1..PAYERS {
        cards.push(db.shared_card("1000.00", std::slice::from_ref(&member)).await?);
    }
    let mut codes = Vec::new();
    for card in &cards {
        codes.push(db.code(&member.user, card).await?);
    }
    let change =
        format!("update app.member_profiles set status = 'suspended' where auth_user_id = '{}'", member.user);
    Ok((codes, Loss { cards, change, refusal: "PT409 MEMBER_NOT_ACTIVE" }))
}

/// Members with a code of their shared card each.
async fn sharers(db: &TestDatabase, name: &str) -> Result<(Vec<Member>, String, Vec<String>)> {
    let mut members = Vec::new();
    for number in 0..PAYERS {
        members.push(db.member(&format!("{name}-{number}"), "0").await?);
    }
    let card = db.shared_card("1000.00", &members).await?;
    let codes = db.codes(&members, &card).await?;
    Ok((members, card, codes))
}

async fn frozen(db: &TestDatabase, name: &str) -> Result<(Vec<String>, Loss)> {
    let (_, card, codes) = sharers(db, name).await?;
    let change = format!("update app.cards set status = 'frozen' where id = '{card}'");
    Ok((codes, Loss { cards: vec![card], change, refusal: "PT409 CARD_NOT_ACTIVE" }))
}

async fn unbound(db: &TestDatabase, name: &str) -> Result<(Vec<String>, Loss)> {
    let (members, card, codes) = sharers(db, name).await?;
    let users: Vec<String> = members.iter().map(|member| format!("'{}'", member.user)).collect();
    let change = format!(
        "delete from app.card_bindings b using app.member_profiles m
         where b.member_id = m.id and b.card_id = '{card}' and m.auth_user_id in ({})",
        users.join(",")
    );
    Ok((codes, Loss { cards: vec![card], change, refusal: "PT409 QR_EXPIRED_OR_INVALID" }))
}

/// Every charge is held back by the locks of the loss, so each one must hear of it.
async fn assert_waiting_charges_hear(
    db: &TestDatabase,
    shop: &Shop,
    codes: &[String],
    loss: &Loss,
) -> Result<()> {
    let paid_before = db.payments().await?;
    let house = db.session().await?;
    let locked = house.leave_open(&change_under_lock(&loss.cards, &loss.change)).await?;
    assert_eq!(label(&locked), "ok");
    let mut waiting = Vec::new();
    for code in codes {
        waiting.push(db.start_behind(&house, shop.charge(code, "1.00")).await?);
    }
    house.commit().await?;
    for charge in waiting {
        assert_eq!(label(&charge.outcome().await?), loss.refusal);
    }
    assert_eq!(db.payments().await?, paid_before);
    Ok(())
}

/// What was paid by the end was paid when the loss had its locks: nothing afterwards.
async fn assert_nothing_is_paid_after(
    db: &TestDatabase,
    shop: &Shop,
    codes: &[String],
    loss: &Loss,
) -> Result<()> {
    let paid_before = db.payments().await?;
    let mut calls: Vec<Call> = codes.iter().map(|code| shop.charge(code, "1.00").into()).collect();
    calls.insert(calls.len() / 2, change_under_lock(&loss.cards, &loss.change));
    let mut outcomes = db.at_once(calls).await?;
    let counted: Outcome = outcomes.remove(outcomes.len() / 2);
    let counted = counted.ok().context("the change itself was refused")?;
    if let Some(other) = outcomes.iter().map(label).find(|end| end != "ok" && end != loss.refusal) {
        bail!("a charge ended with {other}");
    }
    let paid = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(db.payments().await?, paid_before + paid);
    assert_eq!(counted.text("payments"), (paid_before + paid).to_string());
    Ok(())
}

async fn assert_lost_at_once(
    db: &TestDatabase,
    scene: impl AsyncFn(&TestDatabase, &str) -> Result<(Vec<String>, Loss)>,
) -> Result<()> {
    let shop = db.shop("SHOP1").await?;
    db.prepare_changes_under_lock().await?;
    let (codes, loss) = scene(db, "waiting").await?;
    assert_waiting_charges_hear(db, &shop, &codes, &loss).await?;
    for round in 0..ROUNDS {
        let (codes, loss) = scene(db, &format!("round{round}")).await?;
        assert_nothing_is_paid_after(db, &shop, &codes, &loss).await?;
    }
    db.check_ledger().await
}

#[test]
fn nothing_is_paid_after_a_suspension() -> Result<()> {
    on_a_fresh_database(async |db| assert_lost_at_once(db, suspended).await)
}

#[test]
fn nothing_is_paid_after_a_freeze() -> Result<()> {
    on_a_fresh_database(async |db| assert_lost_at_once(db, frozen).await)
}

#[test]
fn nothing_is_paid_after_an_unbinding() -> Result<()> {
    on_a_fresh_database(async |db| assert_lost_at_once(db, unbound).await)
}
