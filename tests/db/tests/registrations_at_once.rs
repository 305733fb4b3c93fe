//! Registering at the same moment: one user many times, many users with one phone.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use mps_db_tests::{Answer, Call, Outcome, TestDatabase, assert_ends, on_a_fresh_database};

const PHONE: &str = "+886900000001";

async fn count(db: &TestDatabase, from: &str) -> Result<String> {
    db.text(&format!("select count(*)::text from {from}"), &[]).await
}

/// All answers but `created`, which must be one row; and how many say that they made it.
fn one_answer(outcomes: &[Outcome]) -> Result<(Answer, usize)> {
    assert_ends(outcomes, &[("ok", outcomes.len())]);
    let answers: Vec<&Answer> = outcomes.iter().flatten().collect();
    let first = answers.first().context("no answer")?.without("created");
    for answer in &answers {
        assert_eq!(answer.without("created"), first);
    }
    Ok((first, answers.iter().filter(|answer| answer.text("created") == "true").count()))
}

#[test]
fn a_user_who_registers_many_times_at_once_is_one_member_with_one_card() -> Result<()> {
    on_a_fresh_database(async |db| {
        let user = db.text("select fx.make_user('ming@fixture.example')::text", &[]).await?;
        let outcomes = db.at_once(vec![Call::register(&user, "Ming", Some(PHONE)); 20]).await?;

        let (member, created) = one_answer(&outcomes)?;
        assert_eq!((member.text("phone"), member.text("email")), (PHONE, "ming@fixture.example"));
        assert_eq!(created, 1);
        assert_eq!(count(db, "app.member_profiles").await?, "1");
        assert_eq!(count(db, "app.cards where card_type = 'standard'").await?, "1");
        assert_eq!(count(db, "app.card_bindings where role = 'owner'").await?, "1");
        assert_eq!(count(db, "audit.event_log where action = 'member.registered'").await?, "1");
        db.check_ledger().await
    })
}

#[test]
fn a_user_without_phone_and_mail_who_registers_many_times_at_once_is_one_member() -> Result<()> {
    on_a_fresh_database(async |db| {
        let user = db.text("select fx.make_user(null)::text", &[]).await?;
        let outcomes = db.at_once(vec![Call::register(&user, "Ming", None); 20]).await?;

        let (member, created) = one_answer(&outcomes)?;
        assert_eq!((member.text("phone"), member.text("email")), ("null", "null"));
        assert_eq!(created, 1);
        assert_eq!(count(db, "app.member_profiles").await?, "1");
        assert_eq!(count(db, "app.cards").await?, "1");
        db.check_ledger().await
    })
}

#[test]
fn a_known_member_who_registers_many_times_at_once_is_linked_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let make = "select (app.make_member('Known', null, 'known@fixture.example', null)).member_no";
        let known = db.text(make, &[]).await?;
        let user = db.text("select fx.make_user('known@fixture.example')::text", &[]).await?;
        let outcomes = db.at_once(vec![Call::register(&user, "Ming", None); 20]).await?;

        let (member, created) = one_answer(&outcomes)?;
        assert_eq!((member.text("member_no"), member.text("name")), (known.as_str(), "Known"));
        assert_eq!(created, 0);
        assert_eq!(count(db, "app.member_profiles").await?, "1");
        assert_eq!(count(db, "app.cards").await?, "1");
        assert_eq!(count(db, "audit.event_log where action = 'member.linked'").await?, "1");
        db.check_ledger().await
    })
}

#[test]
fn of_many_users_with_one_phone_one_gets_it() -> Result<()> {
    on_a_fresh_database(async |db| {
        let mut calls = Vec::new();
        for number in 0..10 {
            let email = format!("user{number}@fixture.example");
            let user = db.text("select fx.make_user($1)::text", &[&email]).await?;
            calls.push(Call::register(&user, "Ming", Some(PHONE)));
        }
        let outcomes = db.at_once(calls).await?;

        assert_ends(&outcomes, &[("ok", 1), ("PT409 PHONE_ALREADY_REGISTERED", 9)]);
        assert_eq!(count(db, "app.member_profiles").await?, "1");
        assert_eq!(count(db, "app.cards").await?, "1");
        db.check_ledger().await
    })
}

#[test]
fn members_registered_at_once_have_numbers_of_their_own() -> Result<()> {
    on_a_fresh_database(async |db| {
        let mut calls = Vec::new();
        for number in 0..20 {
            let email = format!("user{number}@fixture.example");
            let user = db.text("select fx.make_user($1)::text", &[&email]).await?;
            calls.push(Call::register(&user, "Ming", Some(&format!("+8869000000{number:02}"))));
        }
        let outcomes = db.at_once(calls).await?;

        assert_ends(&outcomes, &[("ok", 20)]);
        let distinct = |column: &str| -> usize {
            outcomes.iter().flatten().map(|row| row.text(column)).collect::<BTreeSet<_>>().len()
        };
        assert_eq!((distinct("member_no"), distinct("card_no"), distinct("member_id")), (20, 20, 20));
        db.check_ledger().await
    })
}
