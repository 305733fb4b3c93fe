//! `mps diagnose` on a real PostgreSQL: each planted fault is found, by what it says to do, and nothing else is.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use mps_operations_tests::{done, empty_database, migrate, mps};
use postgres::{Client, NoTls};
use serde_json::Value;

struct Patient {
    url: String,
    database: Client,
}

impl Patient {
    /// What is said: area and text.
    fn findings(&self, more: &[&str]) -> BTreeSet<(String, String)> {
        let mut command = mps();
        command.args(["--json", "diagnose", "--disk", "/"]).args(more).env("DATABASE_URL", &self.url);
        let output = command.output().expect("mps");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let findings = answer["findings"].as_array().expect("findings");
        assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())), "{answer}");
        assert!(findings.iter().all(|finding| finding["fix"].as_str().is_some_and(|fix| fix.len() > 10)));
        let text = |finding: &Value, name: &str| finding[name].as_str().expect("a text").to_owned();
        findings.iter().map(|finding| (text(finding, "area"), text(finding, "what"))).collect()
    }

    /// What is said now and was not before.
    fn new_findings(&self, before: &BTreeSet<(String, String)>, more: &[&str]) -> Vec<String> {
        self.findings(more).difference(before).map(|(area, what)| format!("{area}: {what}")).collect()
    }

    fn another(&self) -> Client {
        Client::connect(&self.url, NoTls).expect("the database")
    }
}

/// A database as it is after its first day: each job has run, there are an admin and a key.
fn patient() -> Patient {
    let (mut database, url) = empty_database();
    done(&migrate(&url, &["up", "--plain"]));
    let day = "select set_config('request.jwt.claims', '{\"role\": \"service_role\"}', false);
        select sec.draw_master_key();
        insert into auth.users (id, email) values ('00000000-0000-4000-8000-000000000001', 'a@pay.example');
        insert into app.admin_users (user_id) values ('00000000-0000-4000-8000-000000000001');
        select public.cron_ensure_partitions() from generate_series(1, 40);
        select public.cron_generate_settlements();
        select public.cron_seal(); select public.cron_verify_seals(); select public.cron_verify_ledger();";
    database.batch_execute(day).expect("a day");
    Patient { url, database }
}

#[test]
fn each_planted_fault_is_found_with_what_to_do() {
    let mut patient = patient();
    let well = patient.findings(&[]);
    // The cluster of the tests keeps nothing, and says so.
    let lossy = |(area, what): &&(String, String)| area == "database" && what.ends_with(" = off");
    assert!(well.iter().any(|(_, what)| what == "fsync = off"), "{well:?}");
    assert_eq!(well.iter().filter(|finding| !lossy(finding)).collect::<Vec<_>>(), Vec::<&_>::new());

    let nobody = patient.new_findings(&well, &["--edge", "http://127.0.0.1:9"]);
    assert!(
        nobody.len() == 1 && nobody[0].starts_with("edge: http://127.0.0.1:9 does not answer"),
        "{nobody:?}"
    );

    patient
        .database
        .batch_execute("update app.check_runs set violations = 2 where what = 'verify_ledger'")
        .expect("a fault");
    let ledger = patient.new_findings(&well, &[]);
    assert!(ledger.len() == 1 && ledger[0].starts_with("ledger: ledger_verified: "), "{ledger:?}");
    patient.database.batch_execute("update app.check_runs set violations = 0").expect("mended");

    patient
        .database
        .batch_execute(
            "create table public.planted (n int); insert into public.planted values (1), (1);
             alter table public.planted set (autovacuum_enabled = off)",
        )
        .expect("a table");
    let refused =
        patient.database.batch_execute("create unique index concurrently planted_once on public.planted (n)");
    assert!(refused.is_err(), "two are the same");
    let planted = patient.new_findings(&well, &[]);
    assert_eq!(
        planted,
        ["database: autovacuum is off for planted", "database: the index planted_once is invalid"]
    );
    patient
        .database
        .batch_execute("truncate public.planted; alter table public.planted reset (autovacuum_enabled)")
        .expect("mended");
    let tended = done(
        &mps()
            .args(["--json", "maintenance", "run"])
            .env("DATABASE_URL", &patient.url)
            .output()
            .expect("mps"),
    );
    let steps: Vec<&str> =
        tended["steps"].as_array().expect("steps").iter().filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(steps, ["analyze", "reindex index concurrently planted_once"]);
    assert_eq!(patient.new_findings(&well, &[]), Vec::<String>::new());
}

#[test]
fn tending_says_when_the_books_are_wrong() {
    let mut patient = patient();
    // By somebody who may do everything: a transaction that moved nothing.
    let fault = "set session_replication_role = replica;
        insert into app.transactions (id, tx_no, tx_type, raw_amount, final_amount, created_at)
        values (app.uuid_v7(clock_timestamp()), 'ADJ9999999999', 'adjustment', 1, 1, clock_timestamp())";
    patient.database.batch_execute(fault).expect("a fault");
    let output =
        mps().args(["--json", "maintenance", "run"]).env("DATABASE_URL", &patient.url).output().expect("mps");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(1), "{answer}");
    assert!(
        answer["violations"][0].as_str().is_some_and(|what| what.starts_with("verify_ledger: ")),
        "{answer}"
    );
}

#[test]
fn who_waits_for_a_lock_is_found_with_whom_they_wait_for() {
    let patient = patient();
    let well = patient.findings(&[]);
    let (mut holder, mut waiter) = (patient.another(), patient.another());
    let pid: i32 = holder.query_one("select pg_backend_pid()", &[]).expect("an answer").get(0);
    holder.batch_execute("begin; lock table app.settings in access exclusive mode").expect("a lock");
    let waiting = thread::spawn(move || waiter.batch_execute("select count(*) from app.settings"));
    let begin = Instant::now();
    let said = loop {
        let said = patient.new_findings(&well, &[]);
        if said.iter().any(|what| what.contains("waits for a lock"))
            || begin.elapsed() > Duration::from_secs(30)
        {
            break said;
        }
        thread::sleep(Duration::from_millis(300));
    };
    assert!(
        said.iter().any(|what| what.contains(&format!("waits for a lock that process {pid} holds"))),
        "{said:?}"
    );
    holder.batch_execute("commit").expect("an end");
    waiting.join().expect("no panic").expect("an answer");
}

#[test]
fn a_database_that_is_away_is_one_finding_and_others_are_still_told() {
    let output = mps()
        .args(["--json", "diagnose", "--disk", "/proc", "--edge", "http://127.0.0.1:9"])
        .env("DATABASE_URL", "postgres://postgres@127.0.0.1:9/x")
        .output()
        .expect("mps");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let areas: Vec<&str> =
        answer["findings"].as_array().expect("findings").iter().filter_map(|f| f["area"].as_str()).collect();
    assert_eq!((output.status.code(), areas), (Some(1), vec!["edge", "database", "machine"]));
}
