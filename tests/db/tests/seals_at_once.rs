//! Sealing and purging while the shops go on charging: no false alarm, nothing left out, nobody kept waiting.

use anyhow::{Context, Result, ensure};
use mps_db_tests::call::label;
use mps_db_tests::{Call, Caller, Session, TestDatabase, assert_ends, on_a_fresh_database};

/// Rows are sealed at once, not ten seconds later: the tests have one clock.
const NO_MARGIN: &str = "create or replace function app.seal_margin() returns interval language sql immutable
    as $$ select interval '0' $$";

/// How often sealing may find somebody else's transaction on this server before a test gives up.
const PATIENCE: usize = 10_000;

fn seal() -> Call {
    Call::new(Caller::Service, "select jsonb_build_object('sealed', public.cron_seal())::text", &[])
}

fn purge() -> Call {
    Call::new(Caller::Service, "select jsonb_build_object('purged', public.cron_purge())::text", &[])
}

fn verify() -> Call {
    let statement = "select jsonb_build_object('violations',
        coalesce((select jsonb_agg(v) from public.verify_seals() v), '[]'))::text";
    Call::new(Caller::Service, statement, &[])
}

async fn assert_well(db: &TestDatabase) -> Result<()> {
    let answer = db.call(verify()).await?.ok().context("it cannot be verified")?;
    assert_eq!(answer.text("violations"), "[]");
    Ok(())
}

/// Rows of all logs that no seal has.
async fn unsealed(db: &TestDatabase) -> Result<String> {
    let count = "select (
        (select count(*) from app.transactions) + (select count(distinct tx_id) from app.ledger_entries)
        + (select count(*) from app.point_ledger) + (select count(*) from audit.event_log)
        - (select coalesce(sum(row_count), 0) from app.seals))::text";
    db.text(count, &[]).await
}

async fn seal_everything(db: &TestDatabase) -> Result<()> {
    for _ in 0..PATIENCE {
        assert_ends(&[db.call(seal()).await?], &[("ok", 1)]);
        if unsealed(db).await? == "0" {
            return assert_well(db).await;
        }
    }
    anyhow::bail!("{} rows were never sealed", unsealed(db).await?)
}

/// Seals until a fence stands that waits for this session's transaction.
async fn raise_a_fence_against(db: &TestDatabase, session: &str) -> Result<()> {
    for _ in 0..PATIENCE {
        assert_ends(&[db.call(seal()).await?], &[("ok", 1)]);
        let waits = "select (running @> array[$1])::text from app.seal_state";
        if db.text(waits, &[session]).await? == "true" {
            return Ok(());
        }
    }
    anyhow::bail!("no fence waits for {session}")
}

/// The virtual id of what a session has left open.
async fn virtual_id(session: &Session) -> Result<String> {
    let statement = "select jsonb_build_object('id', virtualxid)::text from pg_locks
        where locktype = 'virtualxid' and pid = pg_backend_pid()";
    let answer = session.leave_open(&Call::new(Caller::Owner, statement, &[])).await?;
    Ok(answer.ok().context("no transaction")?.text("id").to_owned())
}

#[test]
fn a_charge_left_open_across_seals_is_no_false_alarm() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(NO_MARGIN).await?;
        let (shop, members) = (db.shop("SHOP1").await?, db.members(4, "100.00").await?);
        seal_everything(db).await?;
        let slow = db.session().await?;
        let code = db.code(&members[0].user, &members[0].card).await?;
        assert_eq!(label(&slow.leave_open(&shop.charge(&code, "1.00").into()).await?), "ok");
        raise_a_fence_against(db, &virtual_id(&slow).await?).await?;
        for member in &members[1..] {
            let code = db.code(&member.user, &member.card).await?;
            assert_ends(&[db.call(shop.charge(&code, "1.00")).await?, db.call(seal()).await?], &[("ok", 2)]);
            assert_well(db).await?;
        }
        ensure!(unsealed(db).await? != "0", "a running transaction was passed over");
        slow.commit().await?;
        assert_well(db).await?;
        seal_everything(db).await
    })
}

#[test]
fn an_id_drawn_before_anything_is_written_is_waited_for() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(NO_MARGIN).await?;
        db.member("member", "100.00").await?;
        seal_everything(db).await?;
        let slow = db.session().await?;
        let draw = "select jsonb_build_object('id', app.uuid_v7())::text";
        let drawn = slow.leave_open(&Call::new(Caller::Owner, draw, &[])).await?.ok().context("no id")?;
        raise_a_fence_against(db, &virtual_id(&slow).await?).await?;
        db.member("other", "100.00").await?;
        for _ in 0..3 {
            assert_ends(&[db.call(seal()).await?], &[("ok", 1)]);
        }
        let write = "insert into audit.event_log (id, created_at, action, object_type, params)
            values ($1::text::uuid, clock_timestamp(), 'late', 'x', '{}') returning jsonb_build_object('id', id)::text";
        let late = slow.leave_open(&Call::new(Caller::Owner, write, &[Some(drawn.text("id"))])).await?;
        assert_eq!(label(&late), "ok");
        slow.commit().await?;
        assert_well(db).await?;
        seal_everything(db).await
    })
}

#[test]
fn sealing_and_verifying_go_on_while_shops_charge() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(NO_MARGIN).await?;
        let (shop, members) = (db.shop("SHOP1").await?, db.members(12, "100.00").await?);
        for _ in 0..10 {
            let mut calls = Vec::new();
            for (number, member) in members.iter().enumerate() {
                let code = db.code(&member.user, &member.card).await?;
                calls.push(shop.charge(&code, "1.00").into());
                calls.push(if number % 3 == 0 { verify() } else { seal() });
            }
            let outcomes = db.at_once(calls).await?;
            assert_ends(&outcomes, &[("ok", 24)]);
            for answer in outcomes.iter().flatten() {
                assert!(["no such column", "[]"].contains(&answer.text("violations")), "{answer:?}");
            }
        }
        assert_eq!(db.payments().await?, 120);
        seal_everything(db).await?;
        db.check_ledger().await
    })
}

#[test]
fn of_two_seals_at_once_one_has_nothing_to_do() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(NO_MARGIN).await?;
        db.members(3, "100.00").await?;
        let first = db.session().await?;
        let sealed = first.leave_open(&seal()).await?.ok().context("no seal")?;
        let second = db.call(seal()).await?.ok().context("it was refused")?;
        assert_eq!(second.text("sealed"), "0");
        first.commit().await?;
        assert_ne!(sealed.text("sealed"), "no such column");
        assert_ends(&db.at_once(vec![seal(); 12]).await?, &[("ok", 12)]);
        seal_everything(db).await
    })
}

#[test]
fn nothing_is_sealed_by_an_old_snapshot() -> Result<()> {
    on_a_fresh_database(async |db| {
        let old = "begin isolation level repeatable read;
            select set_config('request.jwt.claims', '{\"role\":\"service_role\"}', true);
            select public.cron_seal();";
        let refused = db.run(old).await.err().context("it was sealed")?;
        db.run("rollback").await?;
        ensure!(format!("{refused:?}").contains("NOT_CONFIGURED"), "{refused:?}");
        Ok(())
    })
}

/// A month of the audit log long past its time, with five rows.
const OLD_MONTH: &str = "
    select app.ensure_partition('audit.event_log', '2015-01-01Z', true);
    insert into audit.event_log (id, created_at, action, object_type, params)
    select app.uuid_v7('2015-01-05Z'), '2015-01-05Z', 'old', 'x', '{}' from generate_series(1, 5);";

#[test]
fn an_old_month_is_purged_once_while_shops_charge() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(&format!("{NO_MARGIN}; {OLD_MONTH}")).await?;
        let (shop, members) = (db.shop("SHOP1").await?, db.members(8, "100.00").await?);
        seal_everything(db).await?;
        let mut calls = vec![purge(); 4];
        for member in &members {
            let code = db.code(&member.user, &member.card).await?;
            calls.push(shop.charge(&code, "1.00").into());
        }
        let outcomes = db.at_once(calls).await?;
        assert_ends(&outcomes, &[("ok", 12)]);
        let rows: usize =
            outcomes[..4].iter().flatten().filter_map(|a| a.text("purged").parse::<usize>().ok()).sum();
        assert_eq!(rows, 5);
        assert_well(db).await?;
        db.check_ledger().await
    })
}

#[test]
fn nothing_is_purged_while_somebody_seals() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(&format!("{NO_MARGIN}; {OLD_MONTH}")).await?;
        seal_everything(db).await?;
        let sealer = db.session().await?;
        let turn = "select jsonb_build_object('tip', last_seal_no)::text from app.seal_state for update";
        assert_eq!(label(&sealer.leave_open(&Call::new(Caller::Owner, turn, &[])).await?), "ok");
        let idle = db.call(purge()).await?.ok().context("it was refused")?;
        assert_eq!(idle.text("purged"), "0");
        sealer.commit().await?;
        let purged = db.call(purge()).await?.ok().context("it was refused")?;
        assert_eq!(purged.text("purged"), "5");
        assert_well(db).await
    })
}

#[test]
fn a_reader_of_the_audit_log_postpones_the_purge_and_blocks_nobody() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(&format!("{NO_MARGIN}; {OLD_MONTH}")).await?;
        let (shop, member) = (db.shop("SHOP1").await?, db.member("member", "100.00").await?);
        seal_everything(db).await?;
        let reader = db.session().await?;
        let read = Call::new(
            Caller::Owner,
            "select jsonb_build_object('rows', count(*))::text from audit.event_log",
            &[],
        );
        assert_eq!(label(&reader.leave_open(&read).await?), "ok");
        let postponed = db.call(purge()).await?.ok().context("it was refused")?;
        assert_eq!(postponed.text("purged"), "0");
        let code = db.code(&member.user, &member.card).await?;
        assert_ends(&[db.call(shop.charge(&code, "1.00")).await?], &[("ok", 1)]);
        assert_well(db).await?;
        reader.commit().await?;
        let purged = db.call(purge()).await?.ok().context("it was refused")?;
        assert_eq!(purged.text("purged"), "5");
        assert_well(db).await
    })
}
