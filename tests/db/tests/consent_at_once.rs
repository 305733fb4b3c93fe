//! Invitations that are answered and withdrawn at once, and contacts that two members take from each other.

use anyhow::Result;
use mps_db_tests::call::{Caller, label};
use mps_db_tests::scene::Member;
use mps_db_tests::{Call, TestDatabase, assert_ends, on_a_fresh_database};

const ROUNDS: usize = 8;

fn call(user: &str, rpc: &str) -> Call {
    let statement = format!("select jsonb_build_object('done', to_jsonb(r))::text from public.{rpc} r");
    Call::new(Caller::User(user.to_owned()), statement, &[])
}

async fn role(db: &TestDatabase, card: &str, member: &Member) -> Result<String> {
    let role = "select coalesce(max(b.role), 'none') from app.card_bindings b
        where b.card_id = $1::text::uuid and b.member_id = fx.member_id($2::text::uuid)";
    db.text(role, &[card, &member.user]).await
}

/// An owner who has asked a friend to own the card too.
async fn invited(db: &TestDatabase) -> Result<(Member, Member, String, String)> {
    let (owner, friend) = (db.member("owner", "0").await?, db.member("friend", "0").await?);
    let card = db.shared_card("10.00", std::slice::from_ref(&owner)).await?;
    let friend_id = db.member_id(&friend).await?;
    let asked = call(&owner.user, &format!("bind_member_to_card('{card}', '{friend_id}', 'owner')"));
    assert_eq!(label(&db.call(asked).await?), "ok");
    Ok((owner, friend, card, friend_id))
}

#[test]
fn nobody_accepts_what_was_withdrawn_while_they_waited() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (owner, friend, card, friend_id) = invited(db).await?;
        let session = db.session().await?;
        let withdrawal = call(&owner.user, &format!("unbind_member_from_card('{card}', '{friend_id}')"));
        assert_eq!(label(&session.leave_open(&withdrawal).await?), "ok");
        let accept = call(&friend.user, &format!("accept_card_invitation('{card}')"));
        let accepted = db.start_behind(&session, accept).await?;
        session.commit().await?;
        assert_eq!(label(&accepted.outcome().await?), "PT404 INVITATION_NOT_FOUND");
        assert_eq!(role(db, &card, &friend).await?, "none");
        db.check_ledger().await
    })
}

#[test]
fn an_invitation_is_answered_once() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (owner, friend, card, friend_id) = invited(db).await?;
        let [accept, decline] = ["accept", "decline"]
            .map(|answer| call(&friend.user, &format!("{answer}_card_invitation('{card}')")));
        for _ in 0..ROUNDS {
            let outcomes = db.at_once(vec![accept.clone(), decline.clone(), accept.clone()]).await?;
            assert_ends(&outcomes, &[("ok", 1), ("PT404 INVITATION_NOT_FOUND", 2)]);
            let expected = if outcomes[1].is_ok() { "none" } else { "owner" };
            assert_eq!(role(db, &card, &friend).await?, expected);
            let again = format!(
                "delete from app.card_bindings where member_id = '{friend_id}' and card_id = '{card}'"
            );
            db.run(&again).await?;
            let asked = call(&owner.user, &format!("bind_member_to_card('{card}', '{friend_id}', 'owner')"));
            assert_eq!(label(&db.call(asked).await?), "ok");
        }
        db.check_ledger().await
    })
}

#[test]
fn two_who_take_contacts_from_each_other_do_not_deadlock() -> Result<()> {
    on_a_fresh_database(async |db| {
        let (one, two) = (db.member("one", "0").await?, db.member("two", "0").await?);
        let (one_id, two_id) = (db.member_id(&one).await?, db.member_id(&two).await?);
        for round in 0..ROUNDS {
            let phone = |number: usize| format!("88690000{round:02}{number:02}");
            let claims = format!(
                "update auth.users set phone = '{a}', phone_confirmed_at = now() where id = '{one}';
                 update auth.users set phone = '{b}', phone_confirmed_at = now() where id = '{two}';
                 update app.member_profiles set phone = '+{b}' where id = '{one_id}';
                 update app.member_profiles set phone = '+{a}' where id = '{two_id}'",
                a = phone(1),
                b = phone(2),
                one = one.user,
                two = two.user,
            );
            db.run(&claims).await?;
            let update = |member: &Member, id: &str, number: usize| {
                let own = phone(number);
                call(&member.user, &format!("update_member_profile('{id}', p_phone => '+{own}')"))
            };
            let calls = vec![update(&one, &one_id, 1), update(&two, &two_id, 2)];
            assert_ends(&db.at_once(calls).await?, &[("ok", 2)]);
            let phones = "select string_agg(m.phone, ' ' order by m.member_no) from app.member_profiles m";
            assert_eq!(db.text(phones, &[]).await?, format!("+{} +{}", phone(1), phone(2)));
        }
        db.check_ledger().await
    })
}
