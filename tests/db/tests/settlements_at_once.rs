//! Settlements at the same moment, while charges and refunds commit, and paid twice at once.

use anyhow::{Context, Result, bail};
use mps_db_tests::call::label;
use mps_db_tests::scene::{Member, Shop};
use mps_db_tests::{Call, Caller, Outcome, TestDatabase, assert_ends, on_a_fresh_database};

const ROUNDS: usize = 8;
const PAYERS: usize = 12;

struct Scene {
    shop: Shop,
    merchant: String,
    admin: String,
    payers: Vec<Member>,
}

async fn scene(db: &TestDatabase) -> Result<Scene> {
    let shop = db.shop("SHOP1").await?;
    db.run("update app.merchants set fee_bps = 150").await?;
    let merchant = db.text("select id::text from app.merchants", &[]).await?;
    let admin = db.admin("admin").await?;
    let payers = db.members(PAYERS, "10000.00").await?;
    Ok(Scene { shop, merchant, admin, payers })
}

/// From the very beginning to now.
fn settle(scene: &Scene) -> Call {
    settle_from(scene, "2020-01-01 00:00:00+00")
}

fn settle_from(scene: &Scene, start: &str) -> Call {
    let statement = "select jsonb_build_object('id', public.generate_settlement($1::text::uuid, 'realtime',
        $2::text::timestamptz, statement_timestamp()))::text";
    Call::new(Caller::Service, statement, &[Some(&scene.merchant), Some(start)])
}

fn refund(shop: &Shop, tx_no: &str, amount: &str) -> Call {
    let statement = "select to_jsonb(r)::text from public.merchant_refund_tx(
        p_merchant_code => $1, p_original_tx_no => $2, p_refund_amount => $3::text::numeric) r";
    let user = Caller::User(shop.cashier.clone());
    Call::new(user, statement, &[Some(&shop.code), Some(tx_no), Some(amount)])
}

fn moved(scene: &Scene, settlement: &str, status: &str) -> Call {
    let statement =
        "select jsonb_build_object('moved', public.update_settlement_status($1::text::uuid, $2))::text";
    Call::new(Caller::User(scene.admin.clone()), statement, &[Some(settlement), Some(status)])
}

async fn charge(db: &TestDatabase, scene: &Scene, payer: &Member, amount: &str) -> Result<String> {
    let code = db.code(&payer.user, &payer.card).await?;
    let payment = db.call(scene.shop.charge(&code, amount)).await?.ok().context("no payment")?;
    Ok(payment.text("tx_no").to_owned())
}

async fn last_end(db: &TestDatabase) -> Result<String> {
    db.text("select coalesce(max(period_end), '2020-01-01 00:00:00+00')::text from app.settlements", &[])
        .await
}

async fn unsettled(db: &TestDatabase) -> Result<String> {
    let count = "select count(*)::text from app.transactions t where t.tx_type in ('payment', 'refund', 'recharge')
        and t.merchant_id is not null and not exists (select from app.settlement_items i where i.tx_id = t.id)";
    db.text(count, &[]).await
}

/// What no settlement up to now may have left behind.
async fn missed(db: &TestDatabase) -> Result<String> {
    let count = "select count(*)::text from app.transactions t where t.merchant_id is not null
        and t.tx_type in ('payment', 'refund', 'recharge')
        and t.created_at < (select max(period_end) from app.settlements)
        and not exists (select from app.settlement_items i where i.tx_id = t.id)";
    db.text(count, &[]).await
}

async fn check(db: &TestDatabase) -> Result<()> {
    let violations = "select v::text from app.settlement_violations() v";
    if let Some(violation) = db.texts(violations, &[]).await?.into_iter().next() {
        bail!("the settlements are wrong: {violation:?}");
    }
    db.check_ledger().await
}

#[test]
fn of_settlements_at_once_one_wins() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        for payer in &scene.payers {
            charge(db, &scene, payer, "10.00").await?;
        }
        let ends = db.at_once(vec![settle(&scene); 12]).await?;
        assert_ends(&ends, &[("ok", 1), ("PT409 SETTLEMENT_ALREADY_EXISTS", 11)]);
        assert_eq!(unsettled(db).await?, "0");
        check(db).await
    })
}

/// Cash that a shop took three, two and one days ago.
async fn take_cash(db: &TestDatabase, shop: &Shop, card: &str) -> Result<()> {
    let merchant = format!("(select id from app.merchants where code = '{}')", shop.code);
    db.run(&format!(
        "create temporary table cash as
           select app.uuid_v7(a.at) as id, app.next_tx_no('RCG') as tx_no, a.at
           from (select now() - make_interval(days => d) as at from generate_series(1, 3) d) a;
         insert into app.transactions (id, tx_no, tx_type, card_id, merchant_id, raw_amount, final_amount, created_at)
           select c.id, c.tx_no, 'recharge', '{card}', {merchant}, 10, 10, c.at from cash c;
         insert into app.transaction_numbers (tx_no, tx_id) select c.tx_no, c.id from cash c;
         insert into app.ledger_entries (tx_id, entry_no, account, card_id, merchant_id, delta)
           select c.id, 1, 'card', '{card}'::uuid, null, 10 from cash c
           union all select c.id, 2, 'merchant_payable', null, {merchant}, -10 from cash c;
         update app.cards set balance = balance + 30 where id = '{card}';
         drop table cash"
    ))
    .await
}

fn cron() -> Call {
    let statement = "select jsonb_build_object('made', public.cron_generate_settlements())::text";
    Call::new(Caller::Service, statement, &[])
}

#[test]
fn of_crons_at_once_each_period_is_settled_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        take_cash(db, &scene.shop, &scene.payers[0].card).await?;
        let ends = db.at_once(vec![cron(); 8]).await?;
        assert_ends(&ends, &[("ok", 8)]);
        let made: Result<Vec<usize>, _> =
            ends.iter().flatten().map(|answer| answer.text("made").parse()).collect();
        assert_eq!(made?.iter().sum::<usize>(), 3);
        let debts = "select string_agg(concat_ws(' ', cash, carried_in, net), ', ' order by period_start) from app.settlements";
        assert_eq!(db.text(debts, &[]).await?, "10.00 0.00 -10.00, 10.00 -10.00 -20.00, 10.00 -20.00 -30.00");
        check(db).await
    })
}

#[test]
fn a_merchant_with_a_charge_that_hangs_does_not_stop_the_cron() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        let other = db.shop("SHOP2").await?;
        take_cash(db, &scene.shop, &scene.payers[0].card).await?;
        take_cash(db, &other, &scene.payers[0].card).await?;
        let code = db.code(&scene.payers[1].user, &scene.payers[1].card).await?;
        let till = db.session().await?;
        let open = till.leave_open(&scene.shop.charge(&code, "30.00").into()).await?;
        assert_eq!(label(&open), "ok");
        assert_eq!(db.call(cron()).await?.ok().context("no cron")?.text("made"), "3");
        let failed = "select violations::text from app.check_runs where what = 'generate_settlements'";
        assert_eq!(db.text(failed, &[]).await?, "0", "who is busy is no failure");
        till.commit().await?;
        assert_eq!(db.call(cron()).await?.ok().context("no cron")?.text("made"), "3");
        check(db).await
    })
}

/// Charges and refunds of many sessions with a settlement among them.
async fn storm(db: &TestDatabase, scene: &Scene, paid: &[String]) -> Result<Vec<Outcome>> {
    let mut calls: Vec<Call> = Vec::new();
    for (payer, tx_no) in scene.payers.iter().zip(paid) {
        let code = db.code(&payer.user, &payer.card).await?;
        calls.push(scene.shop.charge(&code, "7.77").into());
        calls.push(refund(&scene.shop, tx_no, "0.01"));
    }
    let start = last_end(db).await?;
    calls.insert(calls.len() / 3, settle_from(scene, &start));
    calls.push(settle_from(scene, &start));
    db.at_once(calls).await
}

#[test]
fn a_settlement_misses_no_charge_and_counts_none_twice() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        let mut paid = Vec::new();
        for payer in &scene.payers {
            paid.push(charge(db, &scene, payer, "50.00").await?);
        }
        for _ in 0..ROUNDS {
            // So that there is something to settle whatever the storm's order.
            charge(db, &scene, &scene.payers[0], "1.00").await?;
            let ends = storm(db, &scene, &paid).await?;
            let refused = |end: &Outcome| {
                let end = label(end);
                end != "ok"
                    && end != "PT409 SETTLEMENT_ALREADY_EXISTS"
                    && end != "PT409 NO_TRANSACTIONS_IN_PERIOD"
            };
            if let Some(other) = ends.iter().find(|end| refused(end)) {
                bail!("one ended with {}", label(other));
            }
            assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 2 * PAYERS + 1);
            assert_eq!(missed(db).await?, "0");
            check(db).await?;
        }
        let start = last_end(db).await?;
        let last = label(&db.call(settle_from(&scene, &start)).await?);
        assert!(last == "ok" || last == "PT409 NO_TRANSACTIONS_IN_PERIOD", "{last}");
        assert_eq!(unsettled(db).await?, "0");
        let sums = "select concat_ws(' ', sum(gross), sum(refunds), sum(payment_count), sum(refund_count)) from app.settlements";
        // 12 x 50.00 + 8 x 1.00 + 8 x 12 x 7.77, and 8 x 12 x 0.01.
        assert_eq!(db.text(sums, &[]).await?, "1353.92 0.96 116 96");
        check(db).await
    })
}

#[test]
fn a_settlement_waits_for_a_charge_and_takes_it() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        let (first, second) = (&scene.payers[0], &scene.payers[1]);
        let (first_code, second_code) =
            (db.code(&first.user, &first.card).await?, db.code(&second.user, &second.card).await?);
        let till = db.session().await?;
        let open = till.leave_open(&scene.shop.charge(&first_code, "30.00").into()).await?;
        assert_eq!(label(&open), "ok");
        let settling = db.start_behind(&till, settle(&scene)).await?;
        let charging = db.start_behind(&settling, scene.shop.charge(&second_code, "4.00")).await?;
        till.commit().await?;
        let settled = settling.outcome().await?.ok().context("not settled")?;
        assert_eq!(label(&charging.outcome().await?), "ok");
        let gross = "select gross::text from app.settlements where id = $1::text::uuid";
        assert_eq!(db.text(gross, &[settled.text("id")]).await?, "30.00");
        assert_eq!(unsettled(db).await?, "1");
        let start = last_end(db).await?;
        assert_eq!(label(&db.call(settle_from(&scene, &start)).await?), "ok");
        assert_eq!(unsettled(db).await?, "0");
        check(db).await
    })
}

/// Its id is the oldest, its payment comes after a settlement: it had waited for its card.
#[test]
fn a_charge_that_waited_through_a_settlement_is_in_the_next() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        let (waiter, other) = (&scene.payers[0], &scene.payers[1]);
        let code = db.code(&waiter.user, &waiter.card).await?;
        let house = db.session().await?;
        let lock =
            "select jsonb_build_object('id', id)::text from app.cards where id = $1::text::uuid for update";
        assert_eq!(
            label(&house.leave_open(&Call::new(Caller::Owner, lock, &[Some(&waiter.card)])).await?),
            "ok"
        );
        let waiting = db.start_behind(&house, scene.shop.charge(&code, "30.00")).await?;
        charge(db, &scene, other, "4.00").await?;
        assert_eq!(label(&db.call(settle(&scene)).await?), "ok");
        house.commit().await?;
        assert_eq!(label(&waiting.outcome().await?), "ok");
        let oldest = "select (min(t.id::text) < min(i.tx_id::text))::text from app.settlement_items i
            cross join app.transactions t where t.merchant_id is not null";
        assert_eq!(db.text(oldest, &[]).await?, "true");
        let start = last_end(db).await?;
        assert_eq!(label(&db.call(settle_from(&scene, &start)).await?), "ok");
        assert_eq!(unsettled(db).await?, "0");
        check(db).await
    })
}

#[test]
fn a_settlement_is_paid_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        charge(db, &scene, &scene.payers[0], "1000.00").await?;
        let settled = db.call(settle(&scene)).await?.ok().context("not settled")?;
        let id = settled.text("id");
        assert_ends(&[db.call(moved(&scene, id, "settled")).await?], &[("ok", 1)]);
        let ends = db.at_once(vec![moved(&scene, id, "paid"); 12]).await?;
        assert_ends(&ends, &[("ok", 12)]);
        assert_eq!(ends.iter().flatten().filter(|answer| answer.text("moved") == "true").count(), 1);
        let paid =
            "select string_agg(final_amount::text, ' ') from app.transactions where tx_type = 'settlement'";
        assert_eq!(db.text(paid, &[]).await?, "1000.00");
        check(db).await
    })
}

#[test]
fn a_settlement_is_paid_or_failed() -> Result<()> {
    on_a_fresh_database(async |db| {
        let scene = scene(db).await?;
        for _ in 0..ROUNDS {
            charge(db, &scene, &scene.payers[0], "10.00").await?;
            let start = last_end(db).await?;
            let settled = db.call(settle_from(&scene, &start)).await?.ok().context("not settled")?;
            let id = settled.text("id");
            assert_ends(&[db.call(moved(&scene, id, "settled")).await?], &[("ok", 1)]);
            let ends = db.at_once(vec![moved(&scene, id, "paid"), moved(&scene, id, "failed")]).await?;
            assert_ends(&ends, &[("ok", 1), ("PT409 SETTLEMENT_STATUS_CONFLICT", 1)]);
            check(db).await?;
        }
        Ok(())
    })
}
