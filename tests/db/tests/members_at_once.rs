//! Members administered while they pay: deleted, bound, given a phone.

use anyhow::{Result, bail};
use mps_db_tests::call::{Caller, label, tally};
use mps_db_tests::scene::{Member, Shop};
use mps_db_tests::session::Process;
use mps_db_tests::{Call, Outcome, TestDatabase, assert_ends, on_a_fresh_database};

const ROUNDS: usize = 6;
const PAYERS: usize = 8;

/// A call whose answer's only column is `done`; the arguments' places say their types.
fn call(caller: Caller, expression: &str, arguments: &[&str]) -> Call {
    let arguments: Vec<Option<&str>> = arguments.iter().copied().map(Some).collect();
    let statement = format!("select jsonb_build_object('done', public.{expression})::text");
    Call::new(caller, statement, &arguments)
}

fn delete(user: &str, member_id: &str) -> Call {
    call(Caller::User(user.to_owned()), "delete_member($1::text::uuid)", &[member_id])
}

fn bind_identity(member_id: &str, external_id: &str) -> Call {
    call(
        Caller::Service,
        "bind_external_identity($1::text::uuid, 'wechat', $2::text)",
        &[member_id, external_id],
    )
}

/// Fails where a rule of the books or of members is broken.
async fn check_books(db: &TestDatabase) -> Result<()> {
    let violations = "select coalesce(jsonb_agg(v), '[]')::text from app.member_violations() v";
    assert_eq!(db.text(violations, &[]).await?, "[]");
    db.check_ledger().await
}

async fn count(db: &TestDatabase, from: &str) -> Result<String> {
    db.text(&format!("select count(*)::text from {from}"), &[]).await
}

/// Somebody's cards with money on them, and one who may pay with all of them and has a code for each.
async fn guest(db: &TestDatabase, name: &str) -> Result<(Member, Vec<String>)> {
    let owner = db.member(&format!("{name}-owner"), "0").await?;
    let guest = db.member(name, "0").await?;
    let mut codes = Vec::new();
    for _ in 0..PAYERS {
        let card = db.shared_card("100.00", &[owner.clone(), guest.clone()]).await?;
        codes.push(db.code(&guest.user, &card).await?);
    }
    Ok((guest, codes))
}

#[test]
fn nothing_is_paid_after_a_deletion() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let (gone, codes) = guest(db, "waiting").await?;
        let house = db.session().await?;
        assert_eq!(label(&house.leave_open(&delete(&gone.user, &db.member_id(&gone).await?)).await?), "ok");
        let mut waiting = Vec::new();
        for code in &codes {
            waiting.push(db.start_behind(&house, shop.charge(code, "1.00")).await?);
        }
        house.commit().await?;
        for charge in waiting {
            assert_eq!(label(&charge.outcome().await?), "PT409 QR_EXPIRED_OR_INVALID");
        }
        assert_eq!(db.payments().await?, 0);
        for round in 0..ROUNDS {
            assert_charged_or_refused(db, &shop, &format!("round{round}")).await?;
        }
        check_books(db).await
    })
}

/// Charges and the payer's deletion at once: those that came first are paid, the others hear of it.
async fn assert_charged_or_refused(db: &TestDatabase, shop: &Shop, name: &str) -> Result<()> {
    let (gone, codes) = guest(db, name).await?;
    let paid_before = db.payments().await?;
    let mut calls: Vec<Call> = codes.iter().map(|code| shop.charge(code, "1.00").into()).collect();
    calls.insert(PAYERS / 2, delete(&gone.user, &db.member_id(&gone).await?));
    let mut outcomes = db.at_once(calls).await?;
    assert_eq!(label(&outcomes.remove(PAYERS / 2)), "ok");
    let paid = tally(&outcomes).get("ok").copied().unwrap_or_default();
    assert_ends_only(&outcomes, &["ok", "PT409 QR_EXPIRED_OR_INVALID"])?;
    assert_eq!(db.payments().await?, paid_before + paid);
    Ok(())
}

fn assert_ends_only(outcomes: &[Outcome], allowed: &[&str]) -> Result<()> {
    match outcomes.iter().map(label).find(|end| !allowed.contains(&end.as_str())) {
        Some(other) => bail!("one ended with {other}"),
        None => Ok(()),
    }
}

#[test]
fn a_deletion_loses_no_balance() -> Result<()> {
    on_a_fresh_database(async |db| {
        let house = db.admin("admin").await?;
        for round in 0..ROUNDS {
            let member = db.member(&format!("member{round}"), "0").await?;
            let credit = "adjust_card_balance($1::text::uuid, 10.00, 'race')";
            let credit = call(Caller::User(house.clone()), credit, &[&member.card]);
            let delete = delete(&member.user, &db.member_id(&member).await?);
            let outcomes = db.at_once(vec![credit, delete]).await?;

            let ends: Vec<String> = outcomes.iter().map(label).collect();
            let balance = db.balance(&member.card).await?;
            match [ends[0].as_str(), ends[1].as_str()] {
                ["ok", "PT409 CARD_BALANCE_NOT_ZERO"] => assert_eq!(balance, "10.00"),
                ["PT409 CARD_NOT_ACTIVE", "ok"] => assert_eq!(balance, "0.00"),
                _ => bail!("ended with {ends:?}"),
            }
        }
        check_books(db).await
    })
}

#[test]
fn a_deletion_and_a_binding_hear_of_each_other() -> Result<()> {
    on_a_fresh_database(async |db| {
        let owner = db.member("owner", "0").await?;
        let card = db.shared_card("100.00", std::slice::from_ref(&owner)).await?;
        let bind = |id: &str| {
            let rpc = "bind_member_to_card($1::text::uuid, $2::text::uuid, 'member')";
            call(Caller::User(owner.user.clone()), rpc, &[&card, id])
        };
        let session = db.session().await?;

        let first = db.member("first", "0").await?;
        let id = db.member_id(&first).await?;
        assert_eq!(label(&session.leave_open(&bind(&id)).await?), "ok");
        let waiting = db.start_behind(&session, delete(&first.user, &id)).await?;
        session.commit().await?;
        assert_eq!(label(&waiting.outcome().await?), "ok");

        let second = db.member("second", "0").await?;
        let id = db.member_id(&second).await?;
        assert_eq!(label(&session.leave_open(&delete(&second.user, &id)).await?), "ok");
        let waiting = db.start_behind(&session, bind(&id)).await?;
        session.commit().await?;
        assert_eq!(label(&waiting.outcome().await?), "PT409 MEMBER_NOT_ACTIVE");

        assert_eq!(
            count(db, "app.card_bindings b join app.cards c on c.id = b.card_id and c.card_type = 'prepaid'")
                .await?,
            "1"
        );
        check_books(db).await
    })
}

#[test]
fn a_deletion_waits_for_a_card_it_was_bound_to_meanwhile() -> Result<()> {
    on_a_fresh_database(async |db| {
        let owner = db.member("owner", "0").await?;
        let gone = db.member("gone", "0").await?;
        let id = db.member_id(&gone).await?;
        let card = db.shared_card("100.00", std::slice::from_ref(&owner)).await?;
        let (house, till) = (db.session().await?, db.session().await?);
        let bind = "with made as (
              insert into app.card_bindings (card_id, member_id, role) values ($1::text::uuid, $2::text::uuid, 'member')
              returning card_id)
            select to_jsonb(m)::text from made m";
        let bind = Call::new(Caller::Owner, bind, &[Some(&card), Some(&id)]);
        assert_eq!(label(&house.leave_open(&bind).await?), "ok");
        let hold = "select to_jsonb(c)::text from app.cards c where c.id = $1::text::uuid for no key update";
        assert_eq!(label(&till.leave_open(&Call::new(Caller::Owner, hold, &[Some(&card)])).await?), "ok");
        let deletion = db.start_behind(&house, delete(&gone.user, &id)).await?;
        house.commit().await?;

        let waits =
            "select (m.status || ' ' || ($2::text::int = any (pg_blocking_pids($1::text::int)))::text)
            from app.member_profiles m where m.id = $3::text::uuid";
        loop {
            match db.text(waits, &[deletion.process(), till.process(), &id]).await?.as_str() {
                "active true" => break,
                "active false" => {}
                other => bail!("it did not wait: {other}"),
            }
        }
        till.commit().await?;
        assert_eq!(label(&deletion.outcome().await?), "ok");
        check_books(db).await
    })
}

#[test]
fn an_identity_is_bound_to_one_of_many_members() -> Result<()> {
    on_a_fresh_database(async |db| {
        let members = db.members(PAYERS, "0").await?;
        let mut calls = Vec::new();
        for member in &members {
            calls.push(bind_identity(&db.member_id(member).await?, "openid"));
        }
        let outcomes = db.at_once(calls).await?;
        assert_ends(&outcomes, &[("ok", 1), ("PT409 EXTERNAL_ID_ALREADY_BOUND", PAYERS - 1)]);

        let other = db.member_id(&db.member("other", "0").await?).await?;
        let calls = (0..PAYERS).map(|number| bind_identity(&other, &format!("openid-{number}"))).collect();
        assert_ends(&db.at_once(calls).await?, &[("ok", 1), ("PT409 EXTERNAL_ID_ALREADY_BOUND", PAYERS - 1)]);
        assert_eq!(count(db, "app.external_identities").await?, "2");
        check_books(db).await
    })
}

#[test]
fn a_phone_is_given_to_one_of_many_members() -> Result<()> {
    on_a_fresh_database(async |db| {
        let house = db.admin("admin").await?;
        let mut calls = Vec::new();
        for member in db.members(PAYERS, "0").await? {
            let id = db.member_id(&member).await?;
            let statement = "select to_jsonb(r)::text
                from public.update_member_profile($1::text::uuid, null, '+886900000001') r";
            calls.push(Call::new(Caller::User(member.user), statement, &[Some(&id)]));
            let make = "create_member_profile($1::text, '+886900000001')";
            calls.push(call(Caller::User(house.clone()), make, &["Made"]));
        }
        let outcomes = db.at_once(calls).await?;
        assert_ends(&outcomes, &[("ok", 1), ("PT409 PHONE_ALREADY_REGISTERED", 2 * PAYERS - 1)]);
        assert_eq!(count(db, "app.member_profiles where phone is not null").await?, "1");
        check_books(db).await
    })
}

#[test]
fn a_user_is_linked_or_registered_but_one_member() -> Result<()> {
    on_a_fresh_database(async |db| {
        let house = db.admin("admin").await?;
        for round in 0..ROUNDS {
            let make = "select (app.make_member('Known', null, null, null)).id::text";
            let known = db.text(make, &[]).await?;
            let user =
                db.text("select fx.make_user($1)::text", &[&format!("user{round}@fixture.example")]).await?;
            let link = "link_member_auth_user($1::text::uuid, $2::text::uuid)";
            let link = call(Caller::User(house.clone()), link, &[&known, &user]);
            let outcomes = db.at_once(vec![Call::register(&user, "Ming", None), link]).await?;

            assert_eq!(label(&outcomes[0]), "ok");
            assert_ends_only(&outcomes[1..], &["ok", "PT409 MEMBER_ALREADY_LINKED"])?;
            assert_eq!(count(db, &format!("app.member_profiles where auth_user_id = '{user}'")).await?, "1");
        }
        check_books(db).await
    })
}
