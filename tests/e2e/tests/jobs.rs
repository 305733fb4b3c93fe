//! Jobs by their scheduled events, as Cloudflare fires them and wrangler plays it, before a PostgREST that these tests play.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::thread;

use mps_e2e::{Answer, Stack, Upstream, send, variable, wait_for_line};
use serde_json::Value;

/// A job and its time, in the order of a time's jobs.
type Job = (String, String);

/// `Stack::operate` for the edge of these tests.
fn operate(method: &str, path: &str) -> Answer {
    let token = variable("MPS_E2E_OPS_TOKEN");
    let url = format!("{}{path}", variable("MPS_E2E_JOBS_EDGE_URL"));
    send(method, &url, &[("authorization", &format!("Bearer {token}"))], "")
}

/// Without a provider this one asks nobody.
const QUIET: &str = "query_recharge_orders";

/// Those that call PostgREST.
fn jobs() -> Vec<Job> {
    let list = operate("GET", "/ops/cron");
    let text = |job: &Value, name: &str| job[name].as_str().expect("a text").to_owned();
    let jobs = list.body.as_array().expect("a list").iter();
    let jobs = jobs.map(|job| (text(job, "name"), text(job, "schedule")));
    jobs.filter(|(name, _)| name != QUIET).collect()
}

fn runs(name: &str, outcome: &str) -> u64 {
    let page = operate("GET", "/metrics").text;
    let series = format!(r#"cron_runs_total{{name="{name}",outcome="{outcome}"}} "#);
    page.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or_default()
}

/// Fires the event of a time; the calls of PostgREST that it led to, by job. Those of one job are answered with a failure.
fn fire(upstream: &Upstream, schedule: &str, failing: &str) -> Vec<String> {
    let (url, stop) = (variable("MPS_E2E_JOBS_EDGE_URL"), format!("{}/stop", upstream.url));
    thread::scope(|scope| {
        let event = scope.spawn(|| {
            let path = format!("/cdn-cgi/local/scheduled?cron={}", schedule.replace(' ', "+"));
            let fired = send("GET", &format!("{url}{path}"), &[], "");
            let stop = send("GET", &stop, &[], "");
            (fired.status, fired.text, stop.status)
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
        assert_eq!(event.join().expect("no panic"), (200, "ok".to_owned(), 200));
        called
    })
}

/// One test: there is one such edge, and one place for its PostgREST.
#[test]
fn every_job_runs_by_its_scheduled_event_and_one_that_fails_stops_no_other_and_is_counted_and_logged() {
    let stack = Stack::new();
    stack.keep_secret(&variable("MPS_E2E_OPS_TOKEN"));
    let upstream = Upstream::start(&variable("MPS_E2E_JOBS_UPSTREAM"));
    let jobs = jobs();
    assert!(jobs.len() >= 9, "{jobs:?}");
    for (failing, schedule) in &jobs {
        let due: Vec<&str> =
            jobs.iter().filter(|job| job.1 == *schedule).map(|(name, _)| name.as_str()).collect();
        let count = |outcome| due.iter().map(|name| runs(name, outcome)).sum::<u64>();
        let (ok, failed, own) = (count("ok"), count("failed"), runs(failing, "failed"));
        let of_quiet = runs(QUIET, "ok");
        assert_eq!(fire(&upstream, schedule, failing), due, "{failing} failed");
        assert_eq!((count("ok"), count("failed")), (ok + due.len() as u64 - 1, failed + 1), "{failing}");
        assert_eq!(runs(failing, "failed"), own + 1, "{failing}");
        let quiet = u64::from(schedule == "* * * * *");
        assert_eq!(runs(QUIET, "ok"), of_quiet + quiet, "{failing}");
        wait_for_line("MPS_E2E_JOBS_EDGE_LOG", |line| {
            line.contains(&format!(r#""cron":"{failing}""#)) && line.contains(r#""level":"error""#)
        });
    }
}
