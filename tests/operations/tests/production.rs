//! An installation under load: smoke, a new build, one that does not work, secrets, a killed edge, and back. No acknowledged charge is lost or made twice.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use mps_e2e::send;
use mps_operations_tests::{Gateway, Installation, Load, Totals, done};
use serde_json::Value;

const CLIENTS: usize = 16;

#[test]
fn no_charge_is_lost_or_doubled_while_builds_and_secrets_are_exchanged() {
    let mut mps = Installation::make("production", CLIENTS);
    assert_eq!(done(&mps.health())["ok"], true);
    assert_eq!(done(&mps.smoke(""))["ok"], true);
    let load = Load::start(mps.agent(), &mps.url(), mps.pairs());
    load.pay(100);

    // Another build.
    let second = mps.release("0.0.1+second", |_| ());
    let before = edges(&done(&mps.deploy(&["--status"])));
    let rolled = done(&mps.deploy(&[second.to_str().expect("a path")]));
    assert_eq!(rolled["version"], "0.0.1+second");
    assert!(edges(&rolled).iter().all(|process| !before.contains(process)), "{rolled}");
    load.pay(100);

    // One that does not start, one that is not configured: nothing changes.
    for (version, file, text) in [
        ("0.0.2+broken", "edge/build/index.js", "throw new Error('broken')"),
        ("0.0.3+other", "edge/workerd.capnp", "not a configuration"),
    ] {
        let broken = mps.release(version, |folder| {
            let file = folder.join(file);
            fs::remove_file(&file).expect("the file");
            fs::write(file, text).expect("a file");
        });
        let refused = mps.deploy(&[broken.to_str().expect("a path")]);
        assert_eq!(refused.status.code(), Some(1), "{version}");
        let running = done(&mps.deploy(&["--status"]));
        assert_eq!((&running["version"], edges(&running)), (&rolled["version"], edges(&rolled)), "{version}");
    }

    one_that_does_not_last(&mps, &load);
    secrets(&mut mps, &load);

    // An edge dies, and the one before comes back.
    let processes = edges(&done(&mps.deploy(&["--status"])));
    assert!(Command::new("kill").args(["-KILL", &processes[0]]).status().expect("kill").success());
    mps.serving.wait_for("is started again (process");
    load.pay(50);
    assert_eq!(done(&mps.deploy(&["--rollback"]))["version"], "0.0.0+tests");
    load.pay(100);

    let totals = load.stop();
    assert_eq!(done(&mps.smoke(""))["ok"], true);
    settle(&mut mps, &totals);
    mps.serving.signal("TERM");
    assert_eq!(mps.serving.child.wait().expect("an end").code(), Some(0));
}

/// One that is ready when it is asked, and dies a little later, has all go back.
fn one_that_does_not_last(mps: &Installation, load: &Load) {
    let release = mps.release("0.0.4+dying", |folder| {
        let program = folder.join("bin/workerd");
        let real = folder.join("bin/real");
        fs::rename(&program, &real).expect("the program");
        let script = format!("#!/bin/sh\n{} \"$@\" &\nsleep 1.5\nkill -KILL $!\n", real.display());
        fs::write(&program, script).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a script");
    });
    let failed = mps.deploy(&[release.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&failed.stdout).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("again those that were before"), "{said}");
    let status = done(&mps.deploy(&["--status"]));
    assert_eq!(status["version"], "0.0.1+second");
    load.pay(50);
}

/// The secret of access tokens, the key for calls of the edge's own, the operator's token, the master key of codes.
fn secrets(mps: &mut Installation, load: &Load) {
    let (jwt_secret, ops_token) = (mps.place.secret("SUPABASE_JWT_SECRET"), mps.place.secret("OPS_TOKEN"));
    for name in ["SUPABASE_JWT_SECRET", "OPS_TOKEN"] {
        done(&mps.place.secrets(&["rotate", name, "--overlap", "1h"], ""));
    }
    mps.place.sign_for_service();
    // First whoever verifies learns the new secret, then tokens are signed with it, then the old one goes.
    let both = Gateway::start(&mps.database_url, &mps.place.verifying());
    mps.place.configure(&both.url);
    done(&mps.deploy(&["--again"]));
    load.pay(50);
    load.sign_in(mps.pairs());
    load.pay(50);
    for token in [&ops_token, &mps.place.secret("OPS_TOKEN")] {
        assert_eq!(jobs(mps, token), 200);
    }
    for name in ["SUPABASE_JWT_SECRET", "OPS_TOKEN"] {
        done(&mps.place.secrets(&["drop-previous", name], ""));
    }
    done(&mps.deploy(&["--again"]));
    mps.gateway = both;
    load.pay(50);
    assert_eq!((jobs(mps, &ops_token), jobs(mps, &mps.place.secret("OPS_TOKEN"))), (401, 200));
    assert!(!mps.smoke(&jwt_secret).status.success(), "the old secret signs no more");
    assert_eq!(mps.value("select sec.draw_master_key()"), "2");
    load.pay(100);
}

fn jobs(mps: &Installation, token: &str) -> u16 {
    let status = done(&mps.deploy(&["--status"]));
    let address = status["edges"][0]["address"].as_str().expect("an address");
    let authorization = format!("Bearer {token}");
    send("GET", &format!("http://{address}/ops/cron"), &[("authorization", &authorization)], "").status
}

fn edges(status: &Value) -> Vec<String> {
    let edges = status["edges"].as_array().expect("edges");
    edges.iter().map(|edge| edge["process"].to_string()).collect()
}

/// The books know each answered payment once and no other of these keys.
fn settle(mps: &mut Installation, totals: &Totals) {
    println!(
        "{} paid, {} answers, {} told to repeat, {} lost, the longest gap {:?}",
        totals.paid.len(),
        totals.answers,
        totals.repeat,
        totals.lost,
        totals.longest_gap
    );
    assert!(totals.wrong.is_empty() && totals.refused.is_empty(), "{:?} {:?}", totals.wrong, totals.refused);
    assert!(
        totals.repeat * 100 <= totals.answers,
        "{} of {} were told to repeat",
        totals.repeat,
        totals.answers
    );
    let keys = "select string_agg(k.key || '=' || t.tx_no, ' ' order by k.key) from app.idempotency_keys k
        join app.transactions t on t.id = k.result_id where k.key like 'load-%'";
    let booked = mps.value(keys);
    let mut told: Vec<String> = totals.paid.iter().map(|(key, number)| format!("{key}={number}")).collect();
    let mut booked: Vec<&str> = booked.split(' ').collect();
    booked.sort_unstable();
    told.sort_unstable();
    assert_eq!(booked, told);
    mps.value(r#"select set_config('request.jwt.claims', '{"role":"service_role"}', false)"#);
    assert_eq!(mps.value("select string_agg(v::text, ' ') from public.verify_ledger() v"), "");
}
