//! Refunds at the same moment, and a refund while its card pays.

use anyhow::{Context, Result};
use mps_db_tests::scene::{Member, Shop};
use mps_db_tests::{Answer, Call, Caller, TestDatabase, assert_ends, on_a_fresh_database};

fn refund(shop: &Shop, tx_no: &str, amount: &str, key: &str) -> Call {
    let statement = "select to_jsonb(r)::text from public.merchant_refund_tx(
        p_merchant_code => $1, p_original_tx_no => $2, p_refund_amount => $3::text::numeric, p_idempotency_key => $4) r";
    let user = Caller::User(shop.cashier.clone());
    Call::new(user, statement, &[Some(&shop.code), Some(tx_no), Some(amount), Some(key)])
}

/// A member with 1000.00 who paid 299.50 and earned 299 points.
async fn paid(db: &TestDatabase) -> Result<(Shop, Member, String)> {
    let (shop, payer) = (db.shop("SHOP1").await?, db.member("payer", "1000.00").await?);
    let code = db.code(&payer.user, &payer.card).await?;
    let payment = db.call(shop.charge(&code, "299.50")).await?.ok().context("no payment")?;
    Ok((shop, payer, payment.text("tx_no").to_owned()))
}

async fn points(db: &TestDatabase, card: &str) -> Result<String> {
    db.text("select points::text from app.cards where id = $1::text::uuid", &[card]).await
}

#[test]
fn refunds_at_once_never_give_back_more_than_was_paid() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer, tx_no) = paid(db).await?;
        let calls = (0..20).map(|n| refund(&shop, &tx_no, "99.80", &format!("key-{n}"))).collect();
        assert_ends(&db.at_once(calls).await?, &[("ok", 3), ("PT409 REFUND_EXCEEDS_REMAINING", 17)]);
        assert_eq!(db.balance(&payer.card).await?, "999.90");
        // 299 x 299.40 / 299.50 = 298.9…
        assert_eq!(points(db, &payer.card).await?, "1");
        assert_ends(&[db.call(refund(&shop, &tx_no, "0.10", "last")).await?], &[("ok", 1)]);
        assert_eq!(db.balance(&payer.card).await?, "1000.00");
        assert_eq!(points(db, &payer.card).await?, "0");
        db.check_ledger().await
    })
}

#[test]
fn one_key_makes_one_refund_and_everybody_gets_its_answer() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer, tx_no) = paid(db).await?;
        let outcomes = db.at_once(vec![refund(&shop, &tx_no, "99.80", "key"); 20]).await?;
        assert_ends(&outcomes, &[("ok", 20)]);
        let answers: Vec<&Answer> = outcomes.iter().flatten().collect();
        let first = answers.first().context("no answer")?.without("replayed");
        assert!(answers.iter().all(|answer| answer.without("replayed") == first));
        assert_eq!(answers.iter().filter(|answer| answer.text("replayed") == "false").count(), 1);
        assert_eq!(db.balance(&payer.card).await?, "800.30");
        db.check_ledger().await
    })
}

#[test]
fn a_card_is_refunded_and_pays_at_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, payer, tx_no) = paid(db).await?;
        for round in 0..10 {
            let code = db.code(&payer.user, &payer.card).await?;
            let calls = vec![
                refund(&shop, &tx_no, "10.00", &format!("refund-{round}")),
                shop.charge(&code, "5.00").key(&code).into(),
                refund(&shop, &tx_no, "10.00", &format!("again-{round}")),
            ];
            assert_ends(&db.at_once(calls).await?, &[("ok", 3)]);
        }
        assert_eq!(db.balance(&payer.card).await?, "850.50");
        db.check_ledger().await
    })
}
