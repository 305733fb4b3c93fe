//! Cash that is taken for one card, and taken back, by several at once.

use anyhow::{Context, Result};
use mps_db_tests::call::{Caller, label};
use mps_db_tests::scene::{Member, Shop};
use mps_db_tests::{Call, TestDatabase, assert_ends, on_a_fresh_database};

const ROUNDS: usize = 6;
const CASHIERS: usize = 6;

fn call(caller: Caller, rpc: &str) -> Call {
    Call::new(caller, format!("select to_jsonb(r)::text from public.{rpc} r"), &[])
}

fn takes(shop: &Shop, payer: &Member, amount: &str) -> Call {
    let rpc = format!("user_recharge_card('{}', {amount}, p_merchant_code => 'SHOP1')", payer.card);
    call(Caller::User(shop.cashier.clone()), &rpc)
}

fn reverses(shop: &Shop, tx_no: &str) -> Call {
    let rpc = format!("reverse_cash_recharge('SHOP1', '{tx_no}', 'wrong card')");
    call(Caller::User(shop.cashier.clone()), &rpc)
}

/// Settles the shop from the end of its last settlement up to now, as the service does.
async fn settles(db: &TestDatabase) -> Result<Call> {
    let merchant = db.text("select id::text from app.merchants", &[]).await?;
    let begin = "select coalesce(max(s.period_end), now() - interval '1 hour')::text from app.settlements s";
    let begin = db.text(begin, &[]).await?;
    let statement = "select jsonb_build_object('id', public.generate_settlement(
        $1::text::uuid, 'realtime', $2::text::timestamptz, clock_timestamp()))::text";
    Ok(Call::new(Caller::Service, statement, &[Some(&merchant), Some(&begin)]))
}

async fn taken(db: &TestDatabase, shop: &Shop, payer: &Member, amount: &str) -> Result<String> {
    let taken = db.call(takes(shop, payer, amount)).await?.ok().context("no cash")?;
    Ok(taken.text("tx_no").to_owned())
}

#[test]
fn of_credits_that_together_pass_the_bound_as_many_go_as_fit() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        db.run("update app.settings set value = '25.00' where key = 'card_balance_max_standard'").await?;
        for round in 0..ROUNDS {
            let payer = db.member(&format!("payer{round}"), "0").await?;
            let calls = (0..CASHIERS).map(|_| takes(&shop, &payer, "10.00")).collect();
            let outcomes = db.at_once(calls).await?;
            assert_ends(&outcomes, &[("ok", 2), ("PT409 BALANCE_OVER_LIMIT", CASHIERS - 2)]);
            assert_eq!(db.balance(&payer.card).await?, "20.00");
        }
        db.check_ledger().await
    })
}

#[test]
fn of_reversals_at_once_one_takes_the_cash_back() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "100.00").await?;
        for _ in 0..ROUNDS {
            let tx_no = taken(db, &shop, &payer, "10.00").await?;
            let calls = (0..CASHIERS).map(|_| reverses(&shop, &tx_no)).collect();
            let outcomes = db.at_once(calls).await?;
            assert_ends(&outcomes, &[("ok", 1), ("PT409 RECHARGE_ALREADY_REVERSED", CASHIERS - 1)]);
            assert_eq!(db.balance(&payer.card).await?, "100.00");
        }
        db.check_ledger().await
    })
}

#[test]
fn a_settlement_takes_cash_or_its_reversal_does() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "100.00").await?;

        let reversed = taken(db, &shop, &payer, "10.00").await?;
        let kept = taken(db, &shop, &payer, "5.00").await?;
        let reversal = db.session().await?;
        assert_eq!(label(&reversal.leave_open(&reverses(&shop, &reversed)).await?), "ok");
        let settlement = db.start_behind(&reversal, settles(db).await?).await?;
        reversal.commit().await?;
        assert_eq!(label(&settlement.outcome().await?), "ok");
        let items = "select string_agg(t.tx_no, ',') from app.settlement_items i
            join app.transactions t on t.id = i.tx_id";
        assert_eq!(db.text(items, &[]).await?, kept);

        let settled = taken(db, &shop, &payer, "7.00").await?;
        let settlement = db.session().await?;
        assert_eq!(label(&settlement.leave_open(&settles(db).await?).await?), "ok");
        let reversal = db.start_behind(&settlement, reverses(&shop, &settled)).await?;
        settlement.commit().await?;
        assert_eq!(label(&reversal.outcome().await?), "PT409 RECHARGE_ALREADY_SETTLED");
        assert_eq!(db.balance(&payer.card).await?, "112.00");
        db.check_ledger().await
    })
}
