//! Members linked to Supabase Auth users at the same moment: one user to many members, many users to one.

use anyhow::Result;
use mps_db_tests::call::Caller;
use mps_db_tests::{Call, TestDatabase, assert_ends, on_a_fresh_database};

const CALLS: usize = 8;

fn link(member_id: &str, user: &str) -> Call {
    let statement = "select jsonb_build_object('done', public.link_member_auth_user($1::text::uuid, $2::text::uuid))::text";
    Call::new(Caller::Service, statement, &[Some(member_id), Some(user)])
}

async fn unlinked_member(db: &TestDatabase) -> Result<String> {
    db.text("select (app.make_member('Known', null, null, null)).id::text", &[]).await
}

async fn new_user(db: &TestDatabase, name: &str) -> Result<String> {
    db.text("select fx.make_user($1)::text", &[&format!("{name}@fixture.example")]).await
}

async fn count_linked(db: &TestDatabase) -> Result<String> {
    db.text("select count(*)::text from app.member_profiles where auth_user_id is not null", &[]).await
}

#[test]
fn a_user_is_linked_to_one_of_many_members() -> Result<()> {
    on_a_fresh_database(async |db| {
        let user = new_user(db, "one").await?;
        let mut calls = Vec::new();
        for _ in 0..CALLS {
            calls.push(link(&unlinked_member(db).await?, &user));
        }
        assert_ends(&db.at_once(calls).await?, &[("ok", 1), ("PT409 MEMBER_ALREADY_LINKED", CALLS - 1)]);
        assert_eq!(count_linked(db).await?, "1");
        db.check_ledger().await
    })
}

#[test]
fn a_member_is_linked_to_one_of_many_users() -> Result<()> {
    on_a_fresh_database(async |db| {
        let member = unlinked_member(db).await?;
        let mut calls = Vec::new();
        for number in 0..CALLS {
            calls.push(link(&member, &new_user(db, &format!("user{number}")).await?));
        }
        assert_ends(&db.at_once(calls).await?, &[("ok", 1), ("PT409 MEMBER_ALREADY_LINKED", CALLS - 1)]);
        assert_eq!(count_linked(db).await?, "1");
        db.check_ledger().await
    })
}

#[test]
fn two_who_want_each_others_link_wait_in_one_order() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (first, second) = (unlinked_member(db).await?, unlinked_member(db).await?);
        let (one, two) = (new_user(db, "one").await?, new_user(db, "two").await?);
        let calls = vec![link(&first, &one), link(&first, &two), link(&second, &one), link(&second, &two)];
        assert_ends(&db.at_once(calls).await?, &[("ok", 2), ("PT409 MEMBER_ALREADY_LINKED", 2)]);
        assert_eq!(count_linked(db).await?, "2");
        db.check_ledger().await
    })
}
