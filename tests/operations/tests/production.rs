//! An installation under load: smoke, a new build, one that does not work, secrets, a killed edge, and back. No acknowledged charge is lost or made twice.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use mps_e2e::{JOBS, fresh, send};
use mps_operations_tests::{
    Installation, Knocking, Load, POOL_SIZE, PUBLISHABLE_KEY, Swallowing, Totals, done,
};
use serde_json::{Value, json};

const CLIENTS: usize = 16;

#[test]
fn no_charge_is_lost_or_doubled_while_builds_and_secrets_are_exchanged() {
    let mut mps = Installation::make("production", CLIENTS);
    assert_eq!(done(&mps.health())["ok"], true);
    assert_eq!(done(&mps.smoke(""))["ok"], true);
    an_admin_and_jobs(&mps);
    let load = Load::start(mps.agent(), &mps.url(), mps.pairs());
    load.pay(100);
    let connections = mps.connections();
    assert!((1..=POOL_SIZE).contains(&connections), "{connections}");
    let addresses = addresses(&done(&mps.deploy(&["--status"])));
    let knocking: Vec<Knocking> = addresses.iter().map(|address| Knocking::at(address)).collect();

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

    for knocking in knocking {
        let (taken, refused) = knocking.stop();
        assert!(taken > 1000 && refused == 0, "{refused} of {taken} were turned away");
    }

    // An edge dies, and the one before comes back.
    let processes = edges(&done(&mps.deploy(&["--status"])));
    assert!(Command::new("kill").args(["-KILL", &processes[0]]).status().expect("kill").success());
    mps.serving.wait_for("is started again (process");
    load.pay(50);
    assert_eq!(done(&mps.deploy(&["--rollback"]))["version"], "0.0.0+tests");
    all_exchanged(&mps);
    load.pay(100);

    let mut totals = load.stop();
    assert!(
        totals.repeat * 100 <= totals.answers,
        "{} of {} were told to repeat",
        totals.repeat,
        totals.answers
    );
    all_die(&mps, &mut totals);
    assert_eq!(done(&mps.smoke(""))["ok"], true);
    settle(&mut mps, &totals);
    what_became_of_it_is_asked_until_it_is_known(&mps, &addresses[0]);
    a_stop_waits_for_no_exchange(&mut mps);
}

/// All at one moment: they are back at once, and nginx, which knows each of them as failed, asks them soon.
fn all_die(mps: &Installation, totals: &mut Totals) {
    let load = Load::start(mps.agent(), &mps.url(), mps.pairs());
    load.pay(50);
    let processes = edges(&done(&mps.deploy(&["--status"])));
    assert!(Command::new("kill").arg("-KILL").args(&processes).status().expect("kill").success());
    for _ in &processes {
        mps.serving.wait_for("is started again (process");
    }
    load.pay(50);
    let meanwhile = load.stop();
    // nginx's own ten seconds would be among them.
    assert!(meanwhile.longest_gap < Duration::from_secs(9), "{:?}", meanwhile.longest_gap);
    totals.add(meanwhile);
}

/// `mps smoke` loses the first answer to its charge and to its refund, and moves no money twice.
fn what_became_of_it_is_asked_until_it_is_known(mps: &Installation, edge: &str) {
    let line = Swallowing::start(edge, &["/api/payment/charge", "/api/payment/refund"]);
    assert_eq!(done(&mps.smoke_at(&line.url, ""))["ok"], true);
    assert_eq!(line.lost(), 2);
}

fn all_exchanged(mps: &Installation) {
    for _ in 0..2 {
        mps.serving.wait_for("is 0.0.0+tests now");
    }
}

/// While edges are watched for a long time.
fn a_stop_waits_for_no_exchange(mps: &mut Installation) {
    let mut deploying = mps.deploying(&["--again", "--watch-seconds", "300"]).spawn().expect("mps");
    all_exchanged(mps);
    let asked = Instant::now();
    mps.serving.signal("TERM");
    assert_eq!(mps.serving.child.wait().expect("an end").code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(150), "it watched to the end");
    assert_eq!(deploying.wait().expect("an end").code(), Some(1));
}

/// The first admin and no second one by the same way, what they see, smoke by people who sign in, and the jobs.
fn an_admin_and_jobs(mps: &Installation) {
    let (config, auth) = (mps.place.at("mps.yml"), mps.auth());
    let config = config.to_str().expect("a path");
    let (email, key) = ("admin@pay.example", ("SUPABASE_PUBLISHABLE_KEY", PUBLISHABLE_KEY));
    let first = ["admin", "first", "--email", email, "--auth-url", &auth.url, "--config", config];
    let made = done(&mps.operate(&first, &[]));
    let password = made["password"].as_str().expect("a password");
    assert!(password.len() >= 20 && made["user_id"].is_string());
    for other in [&first[..], &["admin", "first", "--user", mps.first_user(), "--config", config]] {
        assert_eq!(mps.operate(other, &[]).status.code(), Some(1), "there is one already");
    }

    let (url, authority) = (mps.url(), mps.proxy.authority());
    let authority = authority.to_str().expect("a path");
    let place = ["--url", &url, "--cacert", authority, "--email", email, "--auth-url", &auth.url];
    let admin = |arguments: &[&str], password: &str| {
        mps.operate(&[&["admin"], arguments, &place].concat(), &[key, ("MPS_ADMIN_PASSWORD", password)])
    };
    let health = done(&admin(&["show", "health"], password));
    assert!(health.as_array().is_some_and(|rows| !rows.is_empty()), "{health}");
    done(&admin(
        &["send", "POST", "/api/admin/merchants", "--body", r#"{"code": "MADE01", "name": "Made"}"#],
        password,
    ));
    assert_eq!(admin(&["send", "GET", "/api/admin/nothing"], password).status.code(), Some(1));
    assert_eq!(admin(&["show", "health"], "another").status.code(), Some(1));

    auth.add("member@pay.example", "one", mps.first_user());
    auth.add("cashier@pay.example", "other", mps.first_cashier());
    let smoke = [
        "smoke",
        "--url",
        &url,
        "--cacert",
        authority,
        "--merchant",
        "OPS00000",
        "--auth-url",
        &auth.url,
        "--member",
        "member@pay.example",
        "--cashier",
        "cashier@pay.example",
    ];
    let passwords = [key, ("MPS_SMOKE_MEMBER_PASSWORD", "one"), ("MPS_SMOKE_CASHIER_PASSWORD", "other")];
    assert_eq!(done(&mps.operate(&smoke, &passwords))["ok"], true);

    let address = format!("http://{}", addresses(&done(&mps.deploy(&["--status"])))[1]);
    let jobs = ["jobs", "--config", config, "--edge", "http://127.0.0.1:9", "--edge", &address];
    let jobs = |arguments: &[&str]| mps.operate(&[&jobs, arguments].concat(), &[]);
    assert_eq!(done(&jobs(&["list"])).as_array().map(Vec::len), Some(JOBS.len()));
    assert_eq!(done(&jobs(&["run", "seal"]))["name"], "seal");
    assert_eq!(jobs(&["run", "nothing"]).status.code(), Some(1));
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
    let before = edges(&done(&mps.deploy(&["--status"])));
    let failed = mps.deploy(&[release.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&failed.stdout).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("again those that were before"), "{said}");
    let status = done(&mps.deploy(&["--status"]));
    assert_eq!(
        (&status["version"], &edges(&status)[1]),
        (&json!("0.0.1+second"), &before[1]),
        "it took one edge down"
    );
    load.pay(50);
}

/// The secret of access tokens, the key for calls of the edge's own, the operator's token, WeChat's
/// key, the database's password, the master key of codes.
fn secrets(mps: &mut Installation, load: &Load) {
    let (jwt_secret, ops_token) = (mps.place.secret("SUPABASE_JWT_SECRET"), mps.place.secret("OPS_TOKEN"));
    let password = mps.place.secret("DATABASE_PASSWORD");
    let before = mps.paid_order();
    for name in ["SUPABASE_JWT_SECRET", "OPS_TOKEN"] {
        done(&mps.place.secrets(&["rotate", name, "--overlap", "1h"], ""));
    }
    done(&mps.place.secrets(&["rotate", "DATABASE_PASSWORD"], ""));
    let new_key = fresh("")[..32].to_owned();
    done(&mps.place.secrets(&["rotate", "WECHAT_API_V3_KEY", "--overlap", "48h"], &new_key));
    mps.place.sign_for_service();
    // First whoever verifies learns the new secret, then tokens are signed with it, then the old one goes.
    let both = mps.another_gateway();
    mps.place.configure(&both.url);
    done(&mps.deploy(&["--again"]));
    load.pay(50);
    load.sign_in(mps.pairs());
    load.pay(50);
    for notice in [&before, &mps.paid_order().encrypted_with(&new_key)] {
        assert_eq!(mps.tell(notice), 204);
    }
    let late = mps.paid_order();
    for token in [&ops_token, &mps.place.secret("OPS_TOKEN")] {
        assert_eq!(jobs(mps, token), 200);
    }
    for name in ["SUPABASE_JWT_SECRET", "OPS_TOKEN", "WECHAT_API_V3_KEY"] {
        done(&mps.place.secrets(&["drop-previous", name], ""));
    }
    done(&mps.deploy(&["--again"]));
    mps.gateway = both;
    assert!(!mps.is_let_in(&password) && mps.is_let_in(&mps.place.secret("DATABASE_PASSWORD")));
    load.pay(50);
    assert_eq!((jobs(mps, &ops_token), jobs(mps, &mps.place.secret("OPS_TOKEN"))), (401, 200));
    assert!(mps.tell(&late) >= 400 && mps.tell(&late.encrypted_with(&new_key)) == 204);
    assert!(!mps.smoke(&jwt_secret).status.success(), "the old secret signs no more");
    assert_eq!(mps.value("select sec.draw_master_key()"), "2");
    load.pay(100);
}

fn jobs(mps: &Installation, token: &str) -> u16 {
    let status = done(&mps.deploy(&["--status"]));
    let address = &addresses(&status)[0];
    let authorization = format!("Bearer {token}");
    send("GET", &format!("http://{address}/ops/cron"), &[("authorization", &authorization)], "").status
}

fn addresses(status: &Value) -> Vec<String> {
    let edges = status["edges"].as_array().expect("edges");
    edges.iter().map(|edge| edge["address"].as_str().expect("an address").to_owned()).collect()
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
