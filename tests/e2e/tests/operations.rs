//! Metrics and jobs on the running edge.

use std::collections::{BTreeMap, BTreeSet};

use mps_e2e::{JOBS, Stack, fresh};
use serde_json::json;

/// A name, its kind and its labels in a line: what alerts and panels may ask for.
const METRICS: &str = include_str!("../../../deploy/prometheus/metrics/mps.txt");

#[test]
fn what_happened_is_counted_exactly_once() {
    let stack = Stack::new();
    let health = r#"http_requests_total{method="GET",route="/health",status="200"}"#;
    let other = r#"http_requests_total{method="GET",route="other",status="404"}"#;
    let (health_before, other_before) = (stack.metric(health), stack.metric(other));
    for _ in 0..20 {
        stack.edge("GET", "/health", &[], "");
        stack.edge("GET", &format!("/{}", fresh("x")), &[], "");
    }
    assert_eq!(stack.metric(health) - health_before, 20);
    assert_eq!(stack.metric(other) - other_before, 20);
}

#[test]
fn a_payment_and_its_replay_are_counted_as_such() {
    let stack = Stack::new();
    let paid =
        |status| stack.metric(&format!(r#"payment_transactions_total{{type="payment",status="{status}"}}"#));
    let spent = r#"qr_codes_total{status="spent"}"#;
    let before = (paid("ok"), paid("replayed"), paid("refused"), stack.metric(spent));
    let shop = stack.open_shop("100.00");
    let request = shop.request(&stack.code(&shop), "10.00");
    let key = stack.fresh_key();
    assert_eq!(stack.charge(&shop.cashier, &key, &request).status, 200);
    assert_eq!(stack.charge(&shop.cashier, &key, &request).header("idempotency-replayed"), "true");
    assert_eq!(stack.charge(&shop.cashier, &stack.fresh_key(), &request).status / 100, 4);
    let after = (paid("ok"), paid("replayed"), paid("refused"), stack.metric(spent));
    assert_eq!(after, (before.0 + 1, before.1 + 1, before.2 + 1, before.3 + 1));
}

#[test]
fn what_alerts_ask_for_is_what_an_edge_shows() {
    let stack = Stack::new();
    let shop = stack.open_shop("100.00");
    let request = shop.request(&stack.code(&shop), "10.00");
    assert_eq!(stack.charge(&shop.cashier, &stack.fresh_key(), &request).status, 200);
    assert_eq!(stack.operate("POST", "/ops/cron/seal").status, 200);
    let page = stack.operate("GET", "/metrics").text;
    let mut shown: BTreeMap<&str, (&str, BTreeSet<String>)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name, (kind, BTreeSet::new())))
        .collect();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let ends = ["", "_bucket", "_sum", "_count"].into_iter().filter_map(|end| name.strip_suffix(end));
        let family = ends.into_iter().find(|name| shown.contains_key(name)).expect("a family");
        let names = labels.split("\",").filter_map(|label| label.split_once("=\"")).map(|(name, _)| name);
        let names = names.filter(|name| *name != "le").map(str::to_owned);
        shown.get_mut(family).expect("a family").1.extend(names);
    }
    let words = |line: &'static str| line.split(' ').collect::<Vec<_>>();
    let known: BTreeMap<&str, Vec<&str>> = METRICS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| (words(line)[0], words(line)))
        .collect();
    for (name, (kind, labels)) in &shown {
        let told: Vec<&str> = [*name, *kind].into_iter().chain(labels.iter().map(String::as_str)).collect();
        assert_eq!(known.get(name), Some(&told), "deploy/prometheus/metrics/mps.txt");
    }
    for name in [
        "cron_runs_total",
        "http_request_duration_seconds",
        "http_requests_total",
        "ledger_answered",
        "ledger_check_ok",
        "payment_transactions_total",
        "qr_codes_total",
        "upstream_rpc_duration_seconds",
    ] {
        assert!(shown.contains_key(name), "{name}");
    }
}

#[test]
fn every_job_runs_by_post_and_is_counted() {
    let stack = Stack::new();
    let runs = |name: &str| stack.metric(&format!(r#"cron_runs_total{{name="{name}",outcome="ok"}}"#));
    for (name, _) in JOBS {
        let before = runs(name);
        let run = stack.operate("POST", &format!("/ops/cron/{name}"));
        assert_eq!(
            (run.status, &run.body["name"], &run.body["is_done"]),
            (200, &json!(name), &json!(true)),
            "{}",
            run.text
        );
        assert_eq!(runs(name), before + 1, "{name}");
    }
    let log = stack.edge_log();
    assert!(JOBS.iter().all(|(name, _)| log.contains(&format!(r#""cron":"{name}""#))));
}

#[test]
fn nobody_but_the_operator_runs_a_job_or_reads_metrics() {
    let stack = Stack::new();
    let admin = stack.sign_in("admin@demo.example");
    for (method, path) in [("POST", "/ops/cron/seal"), ("GET", "/ops/cron"), ("GET", "/metrics")] {
        assert_eq!(stack.edge(method, path, &[], "").status, 401, "{path}");
        let headers = [("authorization", format!("Bearer {admin}"))];
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(stack.edge(method, path, &headers, "").status, 401, "{path}");
    }
}
