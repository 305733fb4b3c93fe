//! Cancelling a key while its request runs, and requests that come after it.

use anyhow::{Context, Result};
use mps_db_tests::call::label;
use mps_db_tests::scene::Shop;
use mps_db_tests::{Call, Caller, Outcome, on_a_fresh_database};

fn cancel(shop: &Shop, key: &str) -> Call {
    const STATEMENT: &str = "select to_jsonb(r)::text from public.cancel_request($1, $2) r";
    Call::new(Caller::User(shop.cashier.clone()), STATEMENT, &[Some(&shop.code), Some(key)])
}

fn is_cancelled(outcome: &Outcome) -> Option<bool> {
    outcome.as_ref().ok().map(|answer| answer.text("cancelled") == "true")
}

#[test]
fn a_cancellation_waits_for_the_charge_that_runs_and_tells_its_payment() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1000.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let charging = db.session().await?;
        let charged = charging.leave_open(&shop.charge(&code, "150.00").key("k").into()).await?;
        let cancelling = db.start_behind(&charging, cancel(&shop, "k")).await?;
        charging.commit().await?;

        let told = cancelling.outcome().await?;
        assert_eq!(is_cancelled(&told), Some(false));
        let tx_no = charged.ok().context("refused")?.text("tx_no").to_owned();
        assert_eq!(told.ok().context("refused")?.text("tx_no"), tx_no);
        assert_eq!(db.balance(&payer.card).await?, "850.00");
        db.check_ledger().await
    })
}

#[test]
fn a_charge_that_is_rolled_back_leaves_its_key_to_the_cancellation_that_waited() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1000.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let charge = Call::from(shop.charge(&code, "150.00").key("k"));
        let charging = db.session().await?;
        charging.leave_open(&charge).await?.ok().context("refused")?;
        let cancelling = db.start_behind(&charging, cancel(&shop, "k")).await?;
        charging.roll_back().await?;

        assert_eq!(is_cancelled(&cancelling.outcome().await?), Some(true));
        assert_eq!(label(&db.call(charge).await?), "PT409 REQUEST_CANCELLED");
        assert_eq!(db.balance(&payer.card).await?, "1000.00");
        db.check_ledger().await
    })
}

#[test]
fn a_charge_that_waits_for_a_cancellation_is_cancelled() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1000.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let charge = Call::from(shop.charge(&code, "150.00").key("k"));
        for is_committed in [false, true] {
            let key = if is_committed { "k" } else { "given up" };
            let charge =
                if is_committed { charge.clone() } else { shop.charge(&code, "10.00").key(key).into() };
            let cancelling = db.session().await?;
            cancelling.leave_open(&cancel(&shop, key)).await?.ok().context("refused")?;
            let charging = db.start_behind(&cancelling, charge).await?;
            if is_committed {
                cancelling.commit().await?;
            } else {
                cancelling.roll_back().await?;
            }
            let expected = if is_committed { "PT409 REQUEST_CANCELLED" } else { "ok" };
            assert_eq!(label(&charging.outcome().await?), expected);
        }
        assert_eq!(db.balance(&payer.card).await?, "990.00");
        db.check_ledger().await
    })
}

#[test]
fn of_charges_and_cancellations_at_once_all_hear_the_same_end() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let mut ends = [0, 0];
        for round in 0..20 {
            let payer = db.member(&format!("payer{round}"), "1000.00").await?;
            let code = db.code(&payer.user, &payer.card).await?;
            let key = format!("key-{round}");
            let charge = Call::from(shop.charge(&code, "150.00").key(&key));
            let calls = [charge.clone(), cancel(&shop, &key), charge.clone(), cancel(&shop, &key), charge];
            let outcomes = db.at_once(calls.to_vec()).await?;

            let is_paid = db.balance(&payer.card).await? == "850.00";
            ends[usize::from(is_paid)] += 1;
            for (place, outcome) in outcomes.iter().enumerate() {
                if place % 2 == 1 {
                    assert_eq!(is_cancelled(outcome), Some(!is_paid), "{outcome:?}");
                } else {
                    let expected = if is_paid { "ok" } else { "PT409 REQUEST_CANCELLED" };
                    assert_eq!(label(outcome), expected);
                }
            }
        }
        println!("{} were cancelled, {} paid", ends[0], ends[1]);
        db.check_ledger().await
    })
}

#[test]
fn a_cashier_who_is_dismissed_while_their_cancellation_waits_cancels_nothing_and_is_told_nothing()
-> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1000.00").await?;
        let leaving = db.text("select fx.make_merchant_user('SHOP1')::text", &[]).await?;
        let leaving = Shop { code: shop.code.clone(), cashier: leaving };
        let dismissal = format!("delete from app.merchant_users where user_id = '{}'", leaving.cashier);
        for is_paid in [false, true] {
            let hire = "insert into app.merchant_users (merchant_id, user_id, role)
                select m.id, $1::text::uuid, 'cashier' from app.merchants m on conflict do nothing returning 'hired'";
            db.texts(hire, &[&leaving.cashier]).await?;
            let code = db.code(&payer.user, &payer.card).await?;
            let key = format!("paid {is_paid}");
            let charging = db.session().await?;
            assert_eq!(
                label(&charging.leave_open(&shop.charge(&code, "1.00").key(&key).into()).await?),
                "ok"
            );
            let cancelling = db.start_behind(&charging, cancel(&leaving, &key)).await?;
            db.run(&dismissal).await?;
            if is_paid {
                charging.commit().await?;
            } else {
                charging.roll_back().await?;
            }
            assert_eq!(label(&cancelling.outcome().await?), "PT403 NOT_MERCHANT_USER");
            let known = "select count(*)::text from app.idempotency_keys where key = $1";
            assert_eq!(db.text(known, &[&key]).await?, if is_paid { "1" } else { "0" });
        }
        db.check_ledger().await
    })
}
