//! Jobs by their scheduled events, as Cloudflare fires them and wrangler plays it, and by their addresses, before a PostgREST that these
//! tests play.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::thread;

use mps_e2e::{Answer, JOBS, Stack, Upstream, answer_of, send, variable, wait_for_line};
use serde_json::{Value, json};

/// `Stack::operate` for the edge of these tests.
fn operate(method: &str, path: &str) -> Answer {
    let token = variable("MPS_E2E_OPS_TOKEN");
    let url = format!("{}{path}", variable("MPS_E2E_JOBS_EDGE_URL"));
    send(method, &url, &[("authorization", &format!("Bearer {token}"))], "")
}

/// Without a provider this one asks nobody.
const QUIET: &str = "query_recharge_orders";

/// Those that call PostgREST.
fn busy() -> impl Iterator<Item = (&'static str, &'static str)> {
    JOBS.iter().copied().filter(|(name, _)| *name != QUIET)
}

fn runs(name: &str, outcome: &str) -> u64 {
    let page = operate("GET", "/metrics").text;
    let series = format!(r#"cron_runs_total{{name="{name}",outcome="{outcome}"}} "#);
    page.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or_default()
}

/// What the work answers, and the calls of PostgREST that it led to, by job. Those of one job are answered with a failure.
fn calls_of<T: Send>(
    upstream: &Upstream,
    failing: &str,
    work: impl FnOnce() -> T + Send,
) -> (T, Vec<String>) {
    let stop = format!("{}/stop", upstream.url);
    thread::scope(|scope| {
        let working = scope.spawn(|| {
            let answer = work();
            assert_eq!(send("GET", &stop, &[], "").status, 200);
            answer
        });
        let mut called = Vec::new();
        loop {
            let (path, call) = upstream.next_of_all();
            if path == "/stop" {
                call.answer("0");
                break;
            }
            let name = path.trim_start_matches("/rest/v1/rpc/cron_").to_owned();
            if name == failing {
                call.answer_as(500, "{}");
            } else {
                call.answer("0");
            }
            called.push(name);
        }
        (working.join().expect("no panic"), called)
    })
}

fn by_scheduled_event(upstream: &Upstream) {
    let url = variable("MPS_E2E_JOBS_EDGE_URL");
    for (failing, schedule) in busy() {
        let due: Vec<&str> = busy().filter(|job| job.1 == schedule).map(|(name, _)| name).collect();
        let count = |outcome| due.iter().map(|name| runs(name, outcome)).sum::<u64>();
        let (ok, failed, own) = (count("ok"), count("failed"), runs(failing, "failed"));
        let of_quiet = runs(QUIET, "ok");
        let path = format!("/cdn-cgi/local/scheduled?cron={}", schedule.replace(' ', "+"));
        let (event, called) = calls_of(upstream, failing, || send("GET", &format!("{url}{path}"), &[], ""));
        assert_eq!((event.status, event.text.as_str()), (200, "ok"));
        assert_eq!(called, due, "{failing} failed");
        assert_eq!((count("ok"), count("failed")), (ok + due.len() as u64 - 1, failed + 1), "{failing}");
        assert_eq!(runs(failing, "failed"), own + 1, "{failing}");
        let quiet = u64::from(schedule == "* * * * *");
        assert_eq!(runs(QUIET, "ok"), of_quiet + quiet, "{failing}");
        is_logged(failing, "error");
    }
}

fn by_address(upstream: &Upstream) {
    for (name, _) in JOBS {
        let called = if *name == QUIET { vec![] } else { vec![(*name).to_owned()] };
        let run = || operate("POST", &format!("/ops/cron/{name}"));
        let before = runs(name, "ok");
        let (answer, calls) = calls_of(upstream, "", run);
        let expected = json!({"name": name, "total": 0, "calls": 1, "is_done": true});
        assert_eq!((answer.status, &answer.body), (200, &expected), "{}", answer.text);
        assert_eq!((&calls, runs(name, "ok")), (&called, before + 1), "{name}");
        is_logged(name, "info");
        if *name == QUIET {
            continue;
        }
        let before = runs(name, "failed");
        let (answer, calls) = calls_of(upstream, name, run);
        assert_eq!(answer.refusal(), answer_of(503, &json!("UNAVAILABLE")), "{name}");
        assert_eq!((calls, runs(name, "failed")), (called, before + 1), "{name}");
    }
}

fn is_logged(name: &str, level: &str) {
    wait_for_line("MPS_E2E_JOBS_EDGE_LOG", |line| {
        line.contains(&format!(r#""cron":"{name}""#)) && line.contains(&format!(r#""level":"{level}""#))
    });
}

/// One test: there is one such edge, and one place for its PostgREST.
#[test]
fn every_job_runs_by_its_event_and_by_its_address_and_one_that_fails_stops_no_other_and_is_counted() {
    let stack = Stack::new();
    stack.keep_secret(&variable("MPS_E2E_OPS_TOKEN"));
    let upstream = Upstream::start(&variable("MPS_E2E_JOBS_UPSTREAM"));
    let list = operate("GET", "/ops/cron").body;
    let expected: Vec<Value> =
        JOBS.iter().map(|(name, schedule)| json!({"name": name, "schedule": schedule})).collect();
    assert_eq!(list, json!(expected), "each job is in `JOBS`");
    by_scheduled_event(&upstream);
    by_address(&upstream);
}
