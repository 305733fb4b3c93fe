//! Charges at the same moment: one code, one key, one balance, one order, one day's limit.

use anyhow::{Context, Result};
use mps_db_tests::scene::change_under_lock;
use mps_db_tests::{Answer, Call, Outcome, assert_ends, on_a_fresh_database};

#[test]
fn a_code_is_spent_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1000.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let calls = (0..50).map(|n| shop.charge(&code, "150.00").key(&format!("key-{n}")).into());
        let outcomes = db.at_once(calls.collect()).await?;

        assert_ends(&outcomes, &[("ok", 1), ("PT409 QR_EXPIRED_OR_INVALID", 49)]);
        assert_eq!(db.balance(&payer.card).await?, "850.00");
        assert_eq!(db.payments().await?, 1);
        let keys = db.text("select count(*)::text from app.idempotency_keys", &[]).await?;
        assert_eq!(keys, "1", "a refused charge leaves no key behind");
        db.check_ledger().await
    })
}

#[test]
fn one_key_makes_one_payment_and_everybody_gets_its_answer() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1000.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let call = Call::from(shop.charge(&code, "150").key("order 7").order("7"));
        let outcomes = db.at_once(vec![call; 50]).await?;

        assert_ends(&outcomes, &[("ok", 50)]);
        let answers: Vec<&Answer> = outcomes.iter().flatten().collect();
        let first = answers.first().context("no answer")?.without("replayed");
        assert_eq!(first.text("final_amount"), "150.00");
        for answer in &answers {
            assert_eq!(answer.without("replayed"), first);
        }
        assert_eq!(answers.iter().filter(|answer| answer.text("replayed") == "false").count(), 1);
        assert_eq!(answers.iter().filter(|answer| answer.text("replayed") == "true").count(), 49);
        assert_eq!(db.balance(&payer.card).await?, "850.00");
        assert_eq!(db.payments().await?, 1);
        db.check_ledger().await
    })
}

#[test]
fn a_shared_balance_is_spent_to_the_last_cent_and_never_below() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let members = db.members(20, "0").await?;
        let card = db.shared_card("1000.00", &members).await?;
        let codes = db.codes(&members, &card).await?;
        let calls = codes.iter().map(|code| shop.charge(code, "200.00").key(code).into());
        let outcomes = db.at_once(calls.collect()).await?;

        assert_ends(&outcomes, &[("ok", 5), ("PT402 INSUFFICIENT_BALANCE", 15)]);
        assert_eq!(db.balance(&card).await?, "0.00");
        assert_eq!(db.payments().await?, 5);
        db.check_ledger().await?;

        // A refusal took nothing: code and key work as soon as there is money. 1000 points have made the card silver.
        db.credit(&card, "2850.00").await?;
        for (code, _) in codes.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_err()) {
            assert_eq!(db.state_of_code(code).await?, "open");
            let answer = db.call(shop.charge(code, "200.00").key(code)).await?;
            let paid =
                answer.map(|row| (row.text("final_amount").to_owned(), row.text("replayed").to_owned()));
            assert_eq!(paid, Ok(("190.00".to_owned(), "false".to_owned())));
        }
        assert_eq!(db.balance(&card).await?, "0.00");
        db.check_ledger().await
    })
}

#[test]
fn an_order_is_paid_once_and_the_others_hear_by_which_payment() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let members = db.members(20, "100.00").await?;
        let mut calls = Vec::new();
        for member in &members {
            let code = db.code(&member.user, &member.card).await?;
            calls.push(shop.charge(&code, "40.00").key(&code).order("訂單-1").into());
        }
        let outcomes = db.at_once(calls.clone()).await?;

        assert_ends(&outcomes, &[("ok", 1), ("PT409 EXTERNAL_ORDER_ALREADY_PAID", 19)]);
        let winner = outcomes.iter().flatten().next().context("no winner")?;
        let expected = format!(r#"{{"tx_no": "{}"}}"#, winner.text("tx_no"));
        for (member, outcome) in members.iter().zip(&outcomes) {
            let balance = db.balance(&member.card).await?;
            assert_eq!(balance, if outcome.is_ok() { "60.00" } else { "100.00" });
            assert!(outcome.as_ref().err().is_none_or(|refusal| refusal.detail == expected), "{outcome:?}");
        }
        let open =
            "select count(*)::text from app.payment_codes where consumed_at is null and revoked_at is null";
        assert_eq!(db.text(open, &[]).await?, "19", "the losers' codes are still live");
        assert_eq!(db.payments().await?, 1);
        db.check_ledger().await
    })
}

#[test]
fn an_order_is_its_merchants_own() -> Result<()> {
    on_a_fresh_database(async |db| {
        let mut calls: Vec<Call> = Vec::new();
        let mut again: Vec<Call> = Vec::new();
        for n in 0..6 {
            let shop = db.shop(&format!("SHOP{n}")).await?;
            for (number, calls) in [&mut calls, &mut again].into_iter().enumerate() {
                let member = db.member(&format!("payer{n}-{number}"), "100.00").await?;
                let code = db.code(&member.user, &member.card).await?;
                calls.push(shop.charge(&code, "40.00").order("1").into());
            }
        }
        let last = calls.pop().context("no call")?;
        let mut paid = db.at_once(calls).await?;
        paid.push(db.call(last).await?);
        assert_ends(&paid, &[("ok", 6)]);
        for (first, call) in paid.iter().flatten().zip(again) {
            let refusal = db.call(call).await?.err().context("an order was paid twice")?;
            assert_eq!(refusal.label(), "PT409 EXTERNAL_ORDER_ALREADY_PAID");
            assert_eq!(refusal.detail, format!(r#"{{"tx_no": "{}"}}"#, first.text("tx_no")));
        }
        assert_eq!(db.payments().await?, 6);
        db.check_ledger().await
    })
}

/// A zone in which it is about noon, so that no day ends while a test runs.
const IT_IS_NOON: &str = "
    update app.settings set value = (
      select format('Etc/GMT%s', to_char(h.ahead, 'SGFM99'))
      from (select extract(hour from now() at time zone 'UTC')::int - 12 as ahead) h)
    where key = 'time_zone'";

#[test]
fn a_cards_day_limit_is_exact() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(IT_IS_NOON).await?;
        db.run("update app.settings set value = '1000.00' where key = 'payment_card_day_max'").await?;
        let shop = db.shop("SHOP1").await?;
        let members = db.members(22, "0").await?;
        let card = db.shared_card("100000.00", &members).await?;
        let codes = db.codes(&members, &card).await?;
        let (last, at_once) = codes.split_last().context("no code")?;
        let calls = at_once[..20].iter().map(|code| shop.charge(code, "300.00").key(code).into());
        let outcomes = db.at_once(calls.collect()).await?;

        assert_ends(&outcomes, &[("ok", 3), ("PT409 CARD_DAILY_LIMIT_EXCEEDED", 17)]);
        let told = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        assert!(told.clone().all(|refusal| refusal.detail == r#"{"limit": "1000.00"}"#));
        let end = |outcome: Outcome| outcome.err().map(|refusal| refusal.label());
        let over = Some("PT409 CARD_DAILY_LIMIT_EXCEEDED".to_owned());
        assert_eq!(end(db.call(shop.charge(&codes[20], "100.01")).await?), over);
        assert_eq!(end(db.call(shop.charge(&codes[20], "100.00")).await?), None);
        assert_eq!(end(db.call(shop.charge(last, "0.01")).await?), over);
        assert_eq!(db.balance(&card).await?, "99000.00");
        db.check_ledger().await
    })
}

#[test]
fn the_same_key_for_another_request_waits_and_is_refused() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1000.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let first = db.session().await?;
        let outcome = first.leave_open(&shop.charge(&code, "200.00").key("key").into()).await?;
        assert!(outcome.is_ok(), "{outcome:?}");
        let second = db.start_behind(&first, shop.charge(&code, "50.00").key("key")).await?;
        first.commit().await?;

        let refusal = second.outcome().await?.err().map(|refusal| refusal.label());
        assert_eq!(refusal.as_deref(), Some("PT422 IDEMPOTENCY_KEY_REUSED"));
        assert_eq!(db.balance(&payer.card).await?, "800.00");
        db.check_ledger().await
    })
}

#[test]
fn the_same_request_waits_and_is_replayed() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1000.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let call = Call::from(shop.charge(&code, "200.00").key("key"));
        let first = db.session().await?;
        let answered = first.leave_open(&call).await?.map(|row| row.without("replayed"));
        let second = db.start_behind(&first, call).await?;
        first.commit().await?;

        let replayed = second.outcome().await?;
        assert_eq!(replayed.as_ref().map(|row| row.text("replayed")), Ok("true"));
        assert_eq!(replayed.map(|row| row.without("replayed")), answered);
        assert_eq!(db.balance(&payer.card).await?, "800.00");
        db.check_ledger().await
    })
}

#[test]
fn a_refused_request_leaves_its_key_to_the_one_that_waits() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1000.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        db.prepare_changes_under_lock().await?;
        let drain = format!("select app.post_adjustment('{}', -900, 'drained')", payer.card);
        let house = db.session().await?;
        let drained = house.leave_open(&change_under_lock(std::slice::from_ref(&payer.card), &drain)).await?;
        assert!(drained.is_ok(), "{drained:?}");

        // The first holds the key and waits for the card, the second waits for the key.
        let first = db.start_behind(&house, shop.charge(&code, "200.00").key("key")).await?;
        let second = db.start_behind(&first, shop.charge(&code, "50.00").key("key")).await?;
        house.commit().await?;

        let refusal = first.outcome().await?.err().map(|refusal| refusal.label());
        assert_eq!(refusal.as_deref(), Some("PT402 INSUFFICIENT_BALANCE"));
        let answer = second.outcome().await?;
        assert_eq!(answer.map(|row| row.text("final_amount").to_owned()), Ok("50.00".to_owned()));
        assert_eq!(db.balance(&payer.card).await?, "50.00");
        db.check_ledger().await
    })
}
