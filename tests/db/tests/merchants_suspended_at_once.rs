//! What the RPCs of merchants and admins hold under concurrency: a suspension ends charging at once, the last owner and the last
//! admin stay.

use anyhow::{Context, Result};
use mps_db_tests::call::{Caller, label};
use mps_db_tests::scene::Shop;
use mps_db_tests::{Call, TestDatabase, assert_ends, on_a_fresh_database};

const ROUNDS: usize = 6;
const PAYERS: usize = 8;

/// A call whose answer's only column is `done`.
fn call(user: &str, rpc: &str, arguments: &[&str]) -> Call {
    let places = ["$1::text::uuid", "$2::text::uuid", "$3::text"];
    let places = places[..arguments.len()].join(", ");
    let arguments: Vec<Option<&str>> = arguments.iter().copied().map(Some).collect();
    let statement = format!("select jsonb_build_object('done', public.{rpc}({places}))::text");
    Call::new(Caller::User(user.to_owned()), statement, &arguments)
}

async fn merchant_id(db: &TestDatabase, code: &str) -> Result<String> {
    db.text("select id::text from app.merchants where code = $1", &[code]).await
}

/// A code of each of several payers.
async fn codes(db: &TestDatabase, name: &str) -> Result<Vec<String>> {
    let mut codes = Vec::new();
    for number in 0..PAYERS {
        let payer = db.member(&format!("{name}-{number}"), "10.00").await?;
        codes.push(db.code(&payer.user, &payer.card).await?);
    }
    Ok(codes)
}

/// Suspends, then counts the payments that are committed while the suspension has its lock.
const SUSPEND_AND_COUNT: &str = "
    create function fx.suspend_and_count(p_merchant_id uuid)
    returns bigint
    language plpgsql security definer
    as $$
    begin
      perform public.admin_suspend_merchant(p_merchant_id);
      return (select count(*) from app.transactions t where t.tx_type = 'payment');
    end;
    $$";

async fn assert_charges_that_wait_are_refused(
    db: &TestDatabase,
    shop: &Shop,
    house: &str,
    id: &str,
) -> Result<()> {
    let session = db.session().await?;
    assert_eq!(label(&session.leave_open(&call(house, "admin_suspend_merchant", &[id])).await?), "ok");
    let mut waiting = Vec::new();
    for code in codes(db, "waiting").await? {
        waiting.push(db.start_behind(&session, shop.charge(&code, "1.00")).await?);
    }
    session.commit().await?;
    for charge in waiting {
        assert_eq!(label(&charge.outcome().await?), "PT409 MERCHANT_NOT_FOUND_OR_INACTIVE");
    }
    assert_eq!(db.payments().await?, 0);
    Ok(())
}

#[test]
fn nothing_is_charged_after_a_suspension() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let house = db.admin("admin").await?;
        let id = merchant_id(db, "SHOP1").await?;
        assert_charges_that_wait_are_refused(db, &shop, &house, &id).await?;

        db.run(SUSPEND_AND_COUNT).await?;
        let suspend = "select jsonb_build_object('payments', fx.suspend_and_count($1::text::uuid))::text";
        for round in 0..ROUNDS {
            db.run("update app.merchants set status = 'active'").await?;
            let codes = codes(db, &format!("round{round}")).await?;
            let mut calls: Vec<Call> = codes.iter().map(|code| shop.charge(code, "1.00").into()).collect();
            calls.insert(PAYERS / 2, Call::new(Caller::User(house.clone()), suspend, &[Some(&id)]));
            let before = db.payments().await?;
            let mut outcomes = db.at_once(calls).await?;
            let counted = outcomes.remove(PAYERS / 2).ok().context("the suspension was refused")?;
            let paid = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            let refused = "PT409 MERCHANT_NOT_FOUND_OR_INACTIVE";
            let ends = [("ok", paid), (refused, PAYERS - paid)];
            assert_ends(&outcomes, &ends.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>());
            assert_eq!(db.payments().await?, before + paid);
            assert_eq!(counted.text("payments"), (before + paid).to_string());
        }
        db.check_ledger().await
    })
}

#[test]
fn a_suspension_waits_for_its_own_charges_only() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let other = db.shop("OTHER").await?;
        let house = db.admin("admin").await?;
        let codes = codes(db, "payer").await?;
        let here = db.session().await?;
        let there = db.session().await?;
        assert_eq!(label(&here.leave_open(&shop.charge(&codes[0], "1.00").into()).await?), "ok");
        assert_eq!(label(&there.leave_open(&other.charge(&codes[1], "1.00").into()).await?), "ok");
        let id = merchant_id(db, "SHOP1").await?;
        let suspension = db.start_behind(&here, call(&house, "admin_suspend_merchant", &[&id])).await?;
        here.commit().await?;
        assert_eq!(label(&suspension.outcome().await?), "ok");
        there.commit().await?;
        assert_eq!(db.payments().await?, 2);
        Ok(())
    })
}

#[test]
fn a_refund_goes_on_after_it_waited_for_a_suspension() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let house = db.admin("admin").await?;
        let id = merchant_id(db, "SHOP1").await?;
        let payer = db.member("payer", "10.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let session = db.session().await?;
        let paid = session.call(&shop.charge(&code, "4.00").into()).await?.ok().context("no payment")?;
        assert_eq!(label(&session.leave_open(&call(&house, "admin_suspend_merchant", &[&id])).await?), "ok");
        let refund = Call::new(
            Caller::User(shop.cashier.clone()),
            "select to_jsonb(r)::text from public.merchant_refund_tx('SHOP1', $1, 4) r",
            &[Some(paid.text("tx_no"))],
        );
        let refund = db.start_behind(&session, refund).await?;
        session.commit().await?;
        assert_eq!(label(&refund.outcome().await?), "ok");
        assert_eq!(db.balance(&payer.card).await?, "10.00");
        Ok(())
    })
}

/// How the second call ends that waited for the first, which succeeded.
async fn end_behind(db: &TestDatabase, first: Call, second: Call) -> Result<String> {
    let session = db.session().await?;
    assert_eq!(label(&session.leave_open(&first).await?), "ok");
    let waiting = db.start_behind(&session, second).await?;
    session.commit().await?;
    Ok(label(&waiting.outcome().await?))
}

async fn owners(db: &TestDatabase) -> Result<(String, [String; 2])> {
    db.shop("SHOP1").await?;
    let make = "select fx.make_merchant_user('SHOP1', 'owner')::text";
    let owners = [db.text(make, &[]).await?, db.text(make, &[]).await?];
    Ok((merchant_id(db, "SHOP1").await?, owners))
}

const OWNERS: &str = "select count(*)::text from app.merchant_users where role = 'owner'";

#[test]
fn of_two_merchant_owners_who_leave_at_once_one_stays() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (id, [one, two]) = owners(db).await?;
        let leaves = call(&one, "remove_merchant_user", &[&id, &one]);
        let steps_back = call(&two, "add_merchant_user", &[&id, &two, "cashier"]);
        assert_eq!(end_behind(db, leaves, steps_back).await?, "PT409 CANNOT_REMOVE_LAST_OWNER");
        assert_eq!(db.text(OWNERS, &[]).await?, "1");
        Ok(())
    })
}

#[test]
fn of_two_merchant_owners_who_remove_each_other_at_once_one_stays() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (id, [one, two]) = owners(db).await?;
        let first = call(&one, "remove_merchant_user", &[&id, &two]);
        let second = call(&two, "remove_merchant_user", &[&id, &one]);
        // Who was removed while he waited is a stranger.
        assert_eq!(end_behind(db, first, second).await?, "PT404 MERCHANT_NOT_FOUND");
        assert_eq!(db.text(OWNERS, &[]).await?, "1");
        Ok(())
    })
}

const ADMINS: &str = "select count(*)::text from app.admin_users";

#[test]
fn of_two_admins_who_leave_at_once_one_stays() -> Result<()> {
    on_a_fresh_database(async |db| {
        let [one, two] = [db.admin("one").await?, db.admin("two").await?];
        let first = call(&one, "remove_admin_user", &[&one]);
        let second = call(&two, "remove_admin_user", &[&two]);
        assert_eq!(end_behind(db, first, second).await?, "PT409 CANNOT_REMOVE_LAST_ADMIN");
        assert_eq!(db.text(ADMINS, &[]).await?, "1");
        Ok(())
    })
}

#[test]
fn of_two_admins_who_remove_each_other_at_once_one_stays() -> Result<()> {
    on_a_fresh_database(async |db| {
        let [one, two] = [db.admin("one").await?, db.admin("two").await?];
        let first = call(&one, "remove_admin_user", &[&two]);
        let second = call(&two, "remove_admin_user", &[&one]);
        assert_eq!(end_behind(db, first, second).await?, "PT403 PERMISSION_DENIED");
        assert_eq!(db.text(ADMINS, &[]).await?, "1");
        Ok(())
    })
}

#[test]
fn admins_go_on_reading_while_admins_change() -> Result<()> {
    on_a_fresh_database(async |db| {
        let [one, two] = [db.admin("one").await?, db.admin("two").await?];
        let session = db.session().await?;
        assert_eq!(label(&session.leave_open(&call(&one, "remove_admin_user", &[&two])).await?), "ok");
        // Until that commits, the other is an admin and need not wait.
        let reads = Call::new(
            Caller::User(two),
            "select jsonb_build_object('settings', count(*))::text from public.get_settings()",
            &[],
        );
        assert_eq!(label(&db.session().await?.call(&reads).await?), "ok");
        session.commit().await?;
        Ok(())
    })
}
