//! The table of levels, replaced while shops charge: nobody waits for it, and no card is left behind.

use anyhow::{Context, Result, ensure};
use mps_db_tests::call::label;
use mps_db_tests::{Call, Caller, Session, TestDatabase, assert_ends, on_a_fresh_database};

const ROUNDS: usize = 6;
const PAYERS: usize = 8;

/// More runs than any test needs until every card has followed.
const RUNS_MAX: usize = 10_000;

/// Levels that begin at other points than the default 0, 1000, 5000, 10000.
const NEW_LEVELS: &str = r#"[
    {"level": 0, "name": "a", "points_min": 0, "discount": 1}, {"level": 1, "name": "b", "points_min": 995, "discount": 1},
    {"level": 2, "name": "c", "points_min": 1000, "discount": 1}, {"level": 3, "name": "d", "points_min": 1004, "discount": 1},
    {"level": 4, "name": "e", "points_min": 1010, "discount": 1}]"#;

fn set_levels(admin: &str, levels: &str) -> Call {
    let statement = "select jsonb_build_object('done', public.set_membership_levels($1::text::jsonb))::text";
    Call::new(Caller::User(admin.to_owned()), statement, &[Some(levels)])
}

fn follow_levels() -> Call {
    Call::new(Caller::Service, "select jsonb_build_object('moved', public.cron_follow_levels())::text", &[])
}

async fn give_points(db: &TestDatabase, card: &str, points: i64) -> Result<()> {
    let give = "select app.change_points($1::text::uuid, $2::text::bigint, null, 'fixture', clock_timestamp())::text";
    db.texts(give, &[card, &points.to_string()]).await.map(drop)
}

async fn level(db: &TestDatabase, card: &str) -> Result<String> {
    db.text("select level::text from app.cards where id = $1::text::uuid", &[card]).await
}

/// Runs the job until it says that every card has followed, then holds the books against the table.
async fn let_cards_follow(db: &TestDatabase) -> Result<()> {
    for _ in 0..RUNS_MAX {
        assert_ends(&[db.call(follow_levels()).await?], &[("ok", 1)]);
        if db.text("select is_settled::text from app.level_state", &[]).await? == "true" {
            return db.check_ledger().await;
        }
    }
    anyhow::bail!("cards never followed the levels")
}

async fn left_open(db: &TestDatabase, call: &Call) -> Result<Session> {
    let session = db.session().await?;
    assert_eq!(label(&session.leave_open(call).await?), "ok");
    Ok(session)
}

#[test]
fn charges_go_on_while_somebody_reads_the_levels_and_they_are_replaced() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let house = db.admin("admin").await?;
        let member = db.member("member", "100.00").await?;
        give_points(db, &member.card, 10).await?;
        let read = "select jsonb_build_object('done', count(*))::text from app.membership_levels";
        let reader = left_open(db, &Call::new(Caller::Owner, read, &[])).await?;
        let replacement = left_open(db, &set_levels(&house, NEW_LEVELS)).await?;

        let charge = shop.charge(&db.code(&member.user, &member.card).await?, "10.00");
        assert_ends(&[db.call(charge).await?], &[("ok", 1)]);
        replacement.commit().await?;
        reader.commit().await?;
        let_cards_follow(db).await
    })
}

#[test]
fn a_second_replacement_is_refused_while_the_first_one_hangs() -> Result<()> {
    on_a_fresh_database(async |db| {
        let house = db.admin("admin").await?;
        let first = left_open(db, &set_levels(&house, NEW_LEVELS)).await?;
        let second = db.call(set_levels(&house, NEW_LEVELS)).await?;
        assert_ends(&[second, db.call(follow_levels()).await?], &[("PT503 UNAVAILABLE", 1), ("ok", 1)]);
        first.commit().await?;
        assert_ends(&[db.call(set_levels(&house, NEW_LEVELS)).await?], &[("ok", 1)]);
        let_cards_follow(db).await
    })
}

#[test]
fn a_charge_that_read_the_old_levels_is_moved_to_the_new() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let house = db.admin("admin").await?;
        let member = db.member("member", "100.00").await?;
        give_points(db, &member.card, 990).await?;
        let code = db.code(&member.user, &member.card).await?;
        let till = left_open(db, &shop.charge(&code, "10.00").into()).await?;
        assert_ends(&[db.call(set_levels(&house, NEW_LEVELS)).await?], &[("ok", 1)]);
        for _ in 0..ROUNDS {
            assert_ends(&[db.call(follow_levels()).await?], &[("ok", 1)]);
            let settled = db.text("select is_settled::text from app.level_state", &[]).await?;
            ensure!(settled == "false", "a charge that read the old levels was not waited for");
        }
        till.commit().await?;
        assert_eq!(level(db, &member.card).await?, "1");
        let_cards_follow(db).await?;
        assert_eq!(level(db, &member.card).await?, "2");
        Ok(())
    })
}

#[test]
fn a_charge_that_waits_for_its_card_to_move_follows_the_new_levels() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let house = db.admin("admin").await?;
        let member = db.member("member", "100.00").await?;
        give_points(db, &member.card, 998).await?;
        let code = db.code(&member.user, &member.card).await?;
        let replacement = left_open(db, &set_levels(&house, NEW_LEVELS)).await?;
        let charge = db.start_behind(&replacement, shop.charge(&code, "10.00")).await?;
        replacement.commit().await?;
        assert_eq!(label(&charge.outcome().await?), "ok");
        assert_eq!(level(db, &member.card).await?, "3");
        let_cards_follow(db).await
    })
}

#[test]
fn a_member_sees_the_level_of_their_points_before_the_card_has_moved() -> Result<()> {
    on_a_fresh_database(async |db| {
        let house = db.admin("admin").await?;
        let member = db.member("member", "100.00").await?;
        give_points(db, &member.card, 12_000).await?;
        let hold =
            "select jsonb_build_object('id', id)::text from app.cards where id = $1::text::uuid for update";
        let holder = left_open(db, &Call::new(Caller::Owner, hold, &[Some(&member.card)])).await?;
        let fewer = r#"[{"level": 0, "name": "all", "points_min": 0, "discount": 1}]"#;
        assert_ends(&[db.call(set_levels(&house, fewer)).await?], &[("ok", 1)]);
        assert_eq!(level(db, &member.card).await?, "3");
        let cards = "select to_jsonb(c)::text from public.get_member_cards() c";
        let seen = db.call(Call::new(Caller::User(member.user.clone()), cards, &[])).await?;
        assert_eq!(seen.ok().context("no card is shown")?.text("level_name"), "all");
        holder.commit().await?;
        let_cards_follow(db).await?;
        assert_eq!(level(db, &member.card).await?, "0");
        Ok(())
    })
}

#[test]
fn levels_are_right_after_being_set_amid_charges() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let admins = [db.admin("one").await?, db.admin("two").await?];
        let members = db.members(2 * PAYERS, "1000.00").await?;
        for member in &members {
            give_points(db, &member.card, 985).await?;
        }
        for round in 0..ROUNDS {
            let mut calls = Vec::new();
            for (place, member) in members.iter().enumerate() {
                let code = db.code(&member.user, &member.card).await?;
                calls.push(shop.charge(&code, &format!("{}.00", 1 + (place + round) % 7)).into());
            }
            calls.insert(PAYERS / 2, set_levels(&admins[0], NEW_LEVELS));
            let fewer = r#"[{"level": 0, "name": "x", "points_min": 0, "discount": 1},
                {"level": 1, "name": "y", "points_min": 1001, "discount": 1}]"#;
            calls.insert(PAYERS, set_levels(&admins[1], fewer));
            let outcomes = db.at_once(calls).await?;
            assert_ends(&outcomes, &[("ok", 2 * PAYERS + 2)]);
            let_cards_follow(db).await?;
        }
        Ok(())
    })
}
