//! Recharges at the same moment: a provider that tells everything twice, an order that expires, a card that closes, cash.

use anyhow::{Context, Result};
use mps_db_tests::call::label;
use mps_db_tests::scene::{Member, Shop};
use mps_db_tests::{Answer, Call, Caller, Outcome, TestDatabase, assert_ends, on_a_fresh_database};

fn complete(order_no: &str, provider_tx_id: &str, amount: &str) -> Call {
    let statement = "select to_jsonb(r)::text from public.complete_recharge_order(
        $1, 'wechat', $2, $3::text::numeric, 'CNY', clock_timestamp()) r";
    Call::new(Caller::Service, statement, &[Some(order_no), Some(provider_tx_id), Some(amount)])
}

fn create(member: &Member, amount: &str, key: Option<&str>) -> Call {
    let statement = "select to_jsonb(r)::text from public.create_recharge_order(
        $1::text::uuid, $2::text::numeric, 'wechat', $3) r";
    Call::new(Caller::User(member.user.clone()), statement, &[Some(&member.card), Some(amount), key])
}

fn resolve(admin: &str, order_no: &str, provider_tx_id: &str, resolution: &str) -> Call {
    let statement = "select to_jsonb(r)::text from public.resolve_recharge_order($1, $2, $3) r";
    Call::new(
        Caller::User(admin.to_owned()),
        statement,
        &[Some(order_no), Some(provider_tx_id), Some(resolution)],
    )
}

fn take_cash(shop: &Shop, card: &str, amount: &str, key: Option<&str>, order: Option<&str>) -> Call {
    let statement = "select to_jsonb(r)::text from public.user_recharge_card(
        p_card_id => $1::text::uuid, p_amount => $2::text::numeric, p_payment_method => 'cash',
        p_idempotency_key => $3, p_external_order_id => $4, p_merchant_code => $5) r";
    let user = Caller::User(shop.cashier.clone());
    Call::new(user, statement, &[Some(card), Some(amount), key, order, Some(&shop.code)])
}

fn expire() -> Call {
    let statement = "select jsonb_build_object('expired', public.cron_expire_recharge_orders())::text";
    Call::new(Caller::Service, statement, &[])
}

/// Which orders a taker got, in one text.
fn take() -> Call {
    let statement = "select jsonb_build_object('orders', coalesce(string_agg(t.order_no, ' '), ''))::text
        from public.take_recharge_orders_to_query() t";
    Call::new(Caller::Service, statement, &[])
}

fn close(admin: &str, card: &str) -> Call {
    let statement = "select jsonb_build_object('done', public.close_card($1::text::uuid))::text";
    Call::new(Caller::User(admin.to_owned()), statement, &[Some(card)])
}

/// For a call that must not wait: one that does is refused instead of never ending.
const IMPATIENT: &str = "set lock_timeout = '10s'";

/// A member without money and an order of 100.00.
async fn ordered(db: &TestDatabase, name: &str) -> Result<(Member, String)> {
    let member = db.member(name, "0").await?;
    let order = db.call(create(&member, "100.00", None)).await?.ok().context("no order")?;
    Ok((member, order.text("order_no").to_owned()))
}

async fn is_overdue(db: &TestDatabase, order_no: &str) -> Result<()> {
    let statement =
        "update app.recharge_orders set expires_at = now() - interval '1 minute' where order_no = $1
                     returning order_no";
    db.text(statement, &[order_no]).await.map(drop)
}

async fn order_status(db: &TestDatabase, order_no: &str) -> Result<String> {
    db.text("select status from app.recharge_orders where order_no = $1", &[order_no]).await
}

fn answers(outcomes: &[Outcome]) -> Vec<&Answer> {
    outcomes.iter().flatten().collect()
}

fn count(outcomes: &[Outcome], column: &str, value: &str) -> usize {
    answers(outcomes).iter().filter(|answer| answer.text(column) == value).count()
}

#[test]
fn a_notification_that_comes_twenty_times_at_once_is_credited_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (member, order) = ordered(db, "payer").await?;
        let outcomes = db.at_once(vec![complete(&order, "W1", "100.00"); 20]).await?;
        assert_ends(&outcomes, &[("ok", 20)]);
        let all = answers(&outcomes);
        let first = all.first().context("no answer")?.without("replayed");
        assert!(all.iter().all(|answer| answer.without("replayed") == first));
        assert_eq!(count(&outcomes, "payment_status", "credited"), 20);
        assert_eq!(count(&outcomes, "replayed", "false"), 1);
        assert_eq!(db.balance(&member.card).await?, "100.00");
        db.check_ledger().await
    })
}

#[test]
fn of_twenty_payments_of_one_order_at_once_one_is_credited_and_the_others_wait() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (member, order) = ordered(db, "payer").await?;
        let calls = (0..20).map(|n| complete(&order, &format!("W{n}"), "100.00")).collect();
        let outcomes = db.at_once(calls).await?;
        assert_ends(&outcomes, &[("ok", 20)]);
        assert_eq!(count(&outcomes, "payment_status", "credited"), 1);
        assert_eq!(count(&outcomes, "review_reason", "second_payment"), 19);
        assert_eq!(db.balance(&member.card).await?, "100.00");
        assert_eq!(order_status(db, &order).await?, "completed");
        db.check_ledger().await
    })
}

#[test]
fn one_provider_transaction_pays_one_of_two_orders() -> Result<()> {
    on_a_fresh_database(async |db| {
        for round in 0..10 {
            let (one, first) = ordered(db, &format!("one{round}")).await?;
            let (two, second) = ordered(db, &format!("two{round}")).await?;
            let number = format!("W{round}");
            let calls = vec![complete(&first, &number, "100.00"), complete(&second, &number, "100.00")];
            let outcomes = db.at_once(calls).await?;
            assert_ends(&outcomes, &[("ok", 1), ("PT409 RECHARGE_ORDER_STATUS_CONFLICT", 1)]);
            let mut balances = [db.balance(&one.card).await?, db.balance(&two.card).await?];
            balances.sort();
            assert_eq!(balances, ["0.00", "100.00"]);
        }
        db.check_ledger().await
    })
}

#[test]
fn an_order_that_is_paid_while_it_expires_is_completed() -> Result<()> {
    on_a_fresh_database(async |db| {
        for round in 0..10 {
            let (member, order) = ordered(db, &format!("payer{round}")).await?;
            is_overdue(db, &order).await?;
            let calls = vec![expire(), complete(&order, &format!("W{round}"), "100.00"), expire()];
            let outcomes = db.at_once(calls).await?;
            assert_ends(&outcomes, &[("ok", 3)]);
            assert_eq!(count(&outcomes, "is_late", "true"), 1);
            assert_eq!(order_status(db, &order).await?, "completed");
            assert_eq!(db.balance(&member.card).await?, "100.00");
        }
        db.check_ledger().await
    })
}

#[test]
fn expiring_goes_past_an_order_that_is_being_paid() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (_, order) = ordered(db, "payer").await?;
        let (_, other) = ordered(db, "other").await?;
        is_overdue(db, &order).await?;
        is_overdue(db, &other).await?;
        let paying = db.session().await?;
        assert_eq!(label(&paying.leave_open(&complete(&order, "W1", "100.00")).await?), "ok");
        db.run(IMPATIENT).await?;
        let expired = db.call(expire()).await?.ok().context("refused")?;
        assert_eq!(expired.text("expired"), "1");
        paying.commit().await?;
        assert_eq!(db.call(expire()).await?.ok().context("refused")?.text("expired"), "0");
        assert_eq!(
            [order_status(db, &order).await?, order_status(db, &other).await?],
            ["completed", "expired"]
        );
        db.check_ledger().await
    })
}

#[test]
fn an_order_to_be_asked_for_is_handed_to_one_of_twenty_takers() -> Result<()> {
    on_a_fresh_database(async |db| {
        let mut due = Vec::new();
        for n in 0..5 {
            due.push(ordered(db, &format!("payer{n}")).await?.1);
        }
        db.run("update app.recharge_orders set query_at = now()").await?;
        let outcomes = db.at_once(vec![take(); 20]).await?;
        assert_ends(&outcomes, &[("ok", 20)]);
        let all = answers(&outcomes);
        let mut taken: Vec<&str> =
            all.iter().flat_map(|answer| answer.text("orders").split_whitespace()).collect();
        taken.sort_unstable();
        assert_eq!(taken, due);
        Ok(())
    })
}

#[test]
fn a_card_that_closes_is_credited_before_or_not_at_all() -> Result<()> {
    on_a_fresh_database(async |db| {
        let house = db.admin("admin").await?;
        for round in 0..10 {
            let (member, order) = ordered(db, &format!("payer{round}")).await?;
            let calls = vec![complete(&order, &format!("W{round}"), "100.00"), close(&house, &member.card)];
            let outcomes = db.at_once(calls).await?;
            let ends: Vec<String> = outcomes.iter().map(label).collect();
            let paid = outcomes[0].as_ref().ok().context("the provider was refused")?;
            let end = [paid.text("payment_status"), &ends[1], &db.balance(&member.card).await?].join(", ");
            let ends = ["credited, PT409 CARD_BALANCE_NOT_ZERO, 100.00", "needs_review, ok, 0.00"];
            assert!(ends.contains(&end.as_str()), "{end}");
        }
        db.check_ledger().await
    })
}

#[test]
fn a_payment_that_waited_for_a_closing_card_waits_for_an_admin() -> Result<()> {
    on_a_fresh_database(async |db| {
        let house = db.admin("admin").await?;
        let (member, order) = ordered(db, "payer").await?;
        let closing = db.session().await?;
        assert_eq!(label(&closing.leave_open(&close(&house, &member.card)).await?), "ok");
        let payment = db.start_behind(&closing, complete(&order, "W1", "100.00")).await?;
        closing.commit().await?;
        let payment = payment.outcome().await?.ok().context("the provider was refused")?;
        assert_eq!(payment.text("review_reason"), "card_closed");
        assert_eq!(db.balance(&member.card).await?, "0.00");
        db.check_ledger().await
    })
}

#[test]
fn a_review_ends_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let house = db.admin("admin").await?;
        let (member, order) = ordered(db, "payer").await?;
        assert_ends(&[db.call(complete(&order, "W1", "99.00")).await?], &[("ok", 1)]);
        let mut calls = vec![resolve(&house, &order, "W1", "credit"); 10];
        calls.extend(vec![resolve(&house, &order, "W1", "refunded_outside"); 10]);
        let outcomes = db.at_once(calls).await?;
        assert_ends(&outcomes, &[("ok", 1), ("PT409 RECHARGE_ORDER_STATUS_CONFLICT", 19)]);
        let credited = count(&outcomes, "payment_status", "credited") == 1;
        assert_eq!(db.balance(&member.card).await?, if credited { "99.00" } else { "0.00" });
        db.check_ledger().await
    })
}

#[test]
fn one_key_makes_one_order() -> Result<()> {
    on_a_fresh_database(async |db| {
        let member = db.member("payer", "0").await?;
        let outcomes = db.at_once(vec![create(&member, "100.00", Some("key")); 20]).await?;
        assert_ends(&outcomes, &[("ok", 20)]);
        assert_eq!(count(&outcomes, "replayed", "false"), 1);
        assert_eq!(db.text("select count(*)::text from app.recharge_orders", &[]).await?, "1");
        db.check_ledger().await
    })
}

#[test]
fn one_key_takes_cash_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, member) = (db.shop("SHOP1").await?, db.member("payer", "0").await?);
        let cash = take_cash(&shop, &member.card, "100.00", Some("key"), Some("order"));
        let outcomes = db.at_once(vec![cash; 20]).await?;
        assert_ends(&outcomes, &[("ok", 20)]);
        let all = answers(&outcomes);
        let first = all.first().context("no answer")?.without("replayed");
        assert!(all.iter().all(|answer| answer.without("replayed") == first));
        assert_eq!(count(&outcomes, "replayed", "false"), 1);
        assert_eq!(db.balance(&member.card).await?, "100.00");
        db.check_ledger().await
    })
}

#[test]
fn one_order_takes_cash_once_whatever_the_key_and_the_card() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let members = db.members(10, "0").await?;
        let calls = members
            .iter()
            .enumerate()
            .map(|(n, member)| {
                take_cash(&shop, &member.card, "100.00", Some(&format!("key-{n}")), Some("order"))
            })
            .collect();
        assert_ends(&db.at_once(calls).await?, &[("ok", 1), ("PT409 EXTERNAL_ORDER_ALREADY_PAID", 9)]);
        let on_cards = "select sum(balance)::text from app.cards";
        assert_eq!(db.text(on_cards, &[]).await?, "100.00");
        db.check_ledger().await
    })
}

#[test]
fn a_cashier_takes_no_more_than_the_cap_of_the_day() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let members = db.members(20, "0").await?;
        let cap = "update app.settings set value = '700.00' where key = 'cash_recharge_cashier_day_max'";
        db.run(cap).await?;
        let calls =
            members.iter().map(|member| take_cash(&shop, &member.card, "100.00", None, None)).collect();
        let outcomes = db.at_once(calls).await?;
        assert_ends(&outcomes, &[("ok", 7), ("PT409 CASHIER_DAILY_LIMIT_EXCEEDED", 13)]);
        let counted = "select string_agg(total::text, ' ') from app.cashier_cash_days";
        assert_eq!(db.text(counted, &[]).await?, "700.00");
        assert_eq!(db.text("select sum(balance)::text from app.cards", &[]).await?, "700.00");
        db.check_ledger().await
    })
}

#[test]
fn a_shop_that_is_suspended_meanwhile_takes_no_cash() -> Result<()> {
    on_a_fresh_database(async |db| {
        let house = db.admin("admin").await?;
        let (shop, member) = (db.shop("SHOP1").await?, db.member("payer", "0").await?);
        let id = db.text("select id::text from app.merchants", &[]).await?;
        let suspending = db.session().await?;
        let suspend = Call::new(
            Caller::User(house),
            "select jsonb_build_object('done', public.admin_suspend_merchant($1::text::uuid))::text",
            &[Some(&id)],
        );
        assert_eq!(label(&suspending.leave_open(&suspend).await?), "ok");
        let cash = take_cash(&shop, &member.card, "100.00", None, None);
        let cash = db.start_behind(&suspending, cash).await?;
        suspending.commit().await?;
        assert_eq!(label(&cash.outcome().await?), "PT409 MERCHANT_NOT_FOUND_OR_INACTIVE");
        assert_eq!(db.balance(&member.card).await?, "0.00");
        db.check_ledger().await
    })
}

#[test]
fn a_cashier_who_is_dismissed_meanwhile_takes_no_cash() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (shop, member) = (db.shop("SHOP1").await?, db.member("payer", "0").await?);
        let holding = db.session().await?;
        let hold = "select to_jsonb(c)::text from app.cards c where c.id = $1::text::uuid for update";
        let hold = Call::new(Caller::Owner, hold, &[Some(&member.card)]);
        assert_eq!(label(&holding.leave_open(&hold).await?), "ok");
        let cash = take_cash(&shop, &member.card, "100.00", None, None);
        let cash = db.start_behind(&holding, cash).await?;
        db.run("delete from app.merchant_users").await?;
        holding.commit().await?;
        assert_eq!(label(&cash.outcome().await?), "PT403 NOT_MERCHANT_USER");
        assert_eq!(db.balance(&member.card).await?, "0.00");
        db.check_ledger().await
    })
}

#[test]
fn a_stranger_waits_for_nobodys_card() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (member, stranger) = (db.member("payer", "0").await?, db.member("stranger", "0").await?);
        let holding = db.session().await?;
        let hold = "select to_jsonb(c)::text from app.cards c where c.id = $1::text::uuid for update";
        let hold = Call::new(Caller::Owner, hold, &[Some(&member.card)]);
        assert_eq!(label(&holding.leave_open(&hold).await?), "ok");
        db.run(IMPATIENT).await?;
        let foreign = Member { user: stranger.user, card: member.card };
        let refused = db.call(create(&foreign, "100.00", None)).await?;
        assert_eq!(label(&refused), "PT404 CARD_NOT_FOUND");
        holding.roll_back().await
    })
}
