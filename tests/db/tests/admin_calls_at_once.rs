//! An admin's calls at the same moment: one key acts once, and nothing goes below zero.

use anyhow::{Context, Result, ensure};
use mps_db_tests::{Answer, Call, Caller, Outcome, TestDatabase, assert_ends, on_a_fresh_database};

fn adjust(admin: &Caller, card: &str, amount: &str, key: &str) -> Call {
    let statement = "select to_jsonb(r)::text from public.adjust_card_balance(
        p_card_id => $1::text::uuid, p_amount => $2::text::numeric, p_reason => 'race', p_idempotency_key => $3) r";
    Call::new(admin.clone(), statement, &[Some(card), Some(amount), Some(key)])
}

fn give_points(admin: &Caller, card: &str, points: &str, key: &str) -> Call {
    let statement = "select to_jsonb(r)::text from public.update_points_and_level(
        p_card_id => $1::text::uuid, p_delta_points => $2::text::bigint, p_reason => 'race', p_idempotency_key => $3) r";
    Call::new(admin.clone(), statement, &[Some(card), Some(points), Some(key)])
}

/// Exactly one acted, and the others were told the same.
fn assert_acted_once(outcomes: &[Outcome]) -> Result<()> {
    assert_ends(outcomes, &[("ok", outcomes.len())]);
    let answers: Vec<&Answer> = outcomes.iter().flatten().collect();
    let first = answers.first().context("no answer")?.without("replayed");
    assert!(answers.iter().all(|answer| answer.without("replayed") == first));
    assert_eq!(answers.iter().filter(|answer| answer.text("replayed") == "false").count(), 1);
    Ok(())
}

#[test]
fn one_key_adjusts_a_card_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (admin, member) = (Caller::User(db.admin("admin").await?), db.member("payer", "100.00").await?);
        assert_acted_once(&db.at_once(vec![adjust(&admin, &member.card, "-30.00", "key"); 20]).await?)?;
        assert_eq!(db.balance(&member.card).await?, "70.00");
        db.check_ledger().await
    })
}

#[test]
fn adjustments_at_once_leave_no_debt() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (admin, member) = (Caller::User(db.admin("admin").await?), db.member("payer", "100.00").await?);
        let calls = (0..20).map(|n| adjust(&admin, &member.card, "-30.00", &format!("key-{n}"))).collect();
        assert_ends(&db.at_once(calls).await?, &[("ok", 3), ("PT402 INSUFFICIENT_BALANCE", 17)]);
        assert_eq!(db.balance(&member.card).await?, "10.00");
        db.check_ledger().await
    })
}

#[test]
fn one_key_gives_points_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (admin, member) = (Caller::User(db.admin("admin").await?), db.member("payer", "0").await?);
        assert_acted_once(&db.at_once(vec![give_points(&admin, &member.card, "900", "key"); 20]).await?)?;
        assert_eq!(points(db, &member.card).await?, "900 at level 0");
        db.check_ledger().await
    })
}

#[test]
fn points_taken_at_once_are_never_more_than_there_are() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (admin, member) = (Caller::User(db.admin("admin").await?), db.member("payer", "0").await?);
        db.call(give_points(&admin, &member.card, "1000", "gift")).await?.ok().context("no points")?;
        let calls = (0..20).map(|n| give_points(&admin, &member.card, "-300", &format!("key-{n}"))).collect();
        assert_ends(&db.at_once(calls).await?, &[("ok", 3), ("PT409 INSUFFICIENT_POINTS", 17)]);
        assert_eq!(points(db, &member.card).await?, "100 at level 0");
        db.check_ledger().await
    })
}

#[test]
fn one_key_issues_one_card_of_each_type() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (admin, member) = (Caller::User(db.admin("admin").await?), db.member("owner", "0").await?);
        let owner = db.member_id(&member).await?;
        for card_type in ["voucher", "prepaid", "corporate"] {
            let statement = format!(
                "select to_jsonb(r)::text from public.create_{card_type}_card(
                p_owner_member_id => $1::text::uuid, p_initial_balance => 50, p_idempotency_key => $2) r"
            );
            let call = Call::new(admin.clone(), statement, &[Some(&owner), Some(card_type)]);
            let outcomes = db.at_once(vec![call; 20]).await?;
            assert_ends(&outcomes, &[("ok", 20)]);
            let issued: Vec<&str> = outcomes.iter().flatten().map(|answer| answer.text("card_id")).collect();
            ensure!(issued.iter().all(|card| *card == issued[0]), "{card_type}: {issued:?}");
            let count = "select concat(count(*), ' with ', sum(balance)) from app.cards where card_type = $1";
            assert_eq!(db.text(count, &[card_type]).await?, "1 with 50.00");
        }
        db.check_ledger().await
    })
}

async fn points(db: &TestDatabase, card: &str) -> Result<String> {
    db.text("select concat(points, ' at level ', level) from app.cards where id = $1::text::uuid", &[card])
        .await
}
