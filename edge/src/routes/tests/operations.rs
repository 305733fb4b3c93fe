//! Metrics and jobs, and who may ask for them.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use super::bench::{Bench, CARD, CODE, post, request, signed_in};

const OPS: &str = "an-operator-s-token-of-32-letters-or-more";
const METRICS: &str = "a-metrics-reader-s-token-of-32-letters-or-more";
const TOKENS: &[(&str, &str)] = &[
    ("OPS_TOKEN", OPS),
    ("OPS_TOKEN_PREVIOUS", OPS_BEFORE),
    ("METRICS_TOKEN", METRICS),
    ("METRICS_TOKEN_PREVIOUS", METRICS_BEFORE),
];
const OPS_BEFORE: &str = "the-operator-s-token-of-yesterday-32-letters";
const METRICS_BEFORE: &str = "the-metrics-token-of-yesterday-32-letters";

async fn ask(bench: &Bench, method: &str, path: &str, token: &str) -> (u16, Value, String) {
    let authorization = format!("Bearer {token}");
    let reply = bench.send(request(method, path, &[("authorization", &authorization)], "")).await;
    (reply.status.as_u16(), reply.body, reply.text)
}

#[tokio::test]
async fn each_token_opens_its_door_and_no_other_token_does() {
    let bench = Bench::with(vec![], TOKENS).await;
    let user = signed_in();
    for (path, token, status) in [
        ("/metrics", METRICS, 200),
        ("/metrics", OPS, 200),
        ("/ops/cron", OPS, 200),
        ("/ops/cron", OPS_BEFORE, 200),
        ("/metrics", OPS_BEFORE, 200),
        ("/metrics", METRICS_BEFORE, 200),
        ("/ops/cron", METRICS_BEFORE, 401),
        ("/ops/cron", METRICS, 401),
        ("/ops/cron", &OPS[1..], 401),
        ("/ops/cron", "", 401),
        ("/metrics", &format!("{METRICS}x"), 401),
        ("/metrics", user.trim_start_matches("Bearer "), 401),
    ] {
        assert_eq!(ask(&bench, "GET", path, token).await.0, status, "{path} {token}");
    }
    for path in ["/metrics", "/ops/cron"] {
        assert_eq!(bench.send(request("GET", path, &[], "")).await.status, 401);
    }
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert!(!log.contains(OPS) && !log.contains(METRICS));
}

#[tokio::test]
async fn the_ledger_s_own_checks_are_asked_for_with_each_page() {
    let checks = json!([
        {"check": "clock", "ok": true, "detail": "goes on"},
        {"check": "settlements_generated", "ok": false, "detail": "one is late"},
    ]);
    // The edge's clock says 2027-01-15T08:00:00.
    let status = json!([{"ok": true, "server_time": "2027-01-15T08:00:01.5+00:00", "schema_version": "1"}]);
    let answers = vec![("200 OK", checks.to_string()), ("200 OK", status.to_string())];
    let bench = Bench::with(answers, TOKENS).await;
    let (status, _, page) = ask(&bench, "GET", "/metrics", METRICS).await;
    assert_eq!(status, 200);
    for line in [
        "ledger_answered 1",
        r#"ledger_check_ok{check="clock"} 1"#,
        r#"ledger_check_ok{check="settlements_generated"} 0"#,
        "ledger_clock_offset_seconds 1.5",
    ] {
        assert!(page.lines().any(|told| told == line), "{line} in\n{page}");
    }
    assert!(bench.received().iter().all(|call| call.contains("apikey: sb_secret_y")));
    let (status, _, page) = ask(&bench, "GET", "/metrics", METRICS).await;
    assert!(status == 200 && page.contains("ledger_answered 0\n") && !page.contains("ledger_check_ok{"));
}

#[tokio::test]
async fn without_a_token_configured_nobody_gets_in() {
    let bench = Bench::new(vec![]).await;
    for (method, path, name) in [
        ("GET", "/metrics", "METRICS_TOKEN"),
        ("GET", "/ops/cron", "OPS_TOKEN"),
        ("POST", "/ops/cron/seal", "OPS_TOKEN"),
    ] {
        let (status, body, _) = ask(&bench, method, path, "").await;
        assert_eq!(
            (status, &body["code"], &body["params"]["what"]),
            (503, &json!("NOT_CONFIGURED"), &json!(name))
        );
    }
}

#[tokio::test]
async fn counts_are_exact_and_no_batch_loses_any() {
    let answers = vec![
        (
            "200 OK",
            json!([{"ok": true, "server_time": "2026-11-23T01:06:00+00:00", "schema_version": "1"}])
                .to_string()
        );
        3
    ];
    let bench = Bench::with(answers, TOKENS).await;
    for round in 0..3 {
        // A place that does not answer costs no count.
        bench.host.objects.is_broken.store(round == 1, Relaxed);
        for _ in 0..7 {
            bench.send(request("GET", "/health", &[], "")).await;
            bench.send(request("GET", "/api/some/where", &[], "")).await;
            bench.send(request("PURGE", "/health", &[], "")).await;
        }
        bench.send(request("GET", "/ready", &[], "")).await;
        bench.finish().await;
    }
    let batches = bench.host.objects.batches.load(Relaxed);
    assert!((2..21).contains(&batches), "{batches}");
    let (_, _, page) = ask(&bench, "GET", "/metrics", METRICS).await;
    for line in [
        r#"http_requests_total{method="GET",route="/health",status="200"} 21"#,
        r#"http_requests_total{method="GET",route="other",status="404"} 21"#,
        r#"refusals_total{route="other",code="NOT_FOUND"} 21"#,
        r#"http_requests_total{method="other",route="/health",status="405"} 21"#,
        r#"http_requests_total{method="GET",route="/ready",status="503"} 3"#,
        r#"http_request_duration_seconds_count{method="GET",route="/health"} 21"#,
        r#"http_request_duration_seconds_bucket{method="GET",route="/health",le="0.005"} 21"#,
        r#"upstream_rpc_duration_seconds_count{rpc="test_connection",outcome="ok"} 3"#,
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line} in\n{page}");
    }
    assert!(!page.contains("some/where"));
}

#[tokio::test]
async fn payments_and_codes_are_counted_by_how_they_ended() {
    let charge = |replayed: bool| {
        json!([{"tx_id": CARD, "tx_no": "PAY0000000001", "card_id": CARD, "final_amount": "284.05", "discount": "0.95",
            "points_earned": 299, "discount_source": "level", "raw_amount": "299.00",
            "created_at": "2026-11-23T01:06:00+00:00", "replayed": replayed}])
        .to_string()
    };
    let refused = json!({"code": "PT402", "message": "INSUFFICIENT_BALANCE", "details": "{}", "hint": null})
        .to_string();
    let answers = vec![
        ("200 OK", charge(false)),
        ("200 OK", charge(true)),
        ("402 Payment Required", refused),
        ("200 OK", "true".to_owned()),
    ];
    let bench = Bench::with(answers, TOKENS).await;
    let body = json!({"merchant_code": "SHOP001", "qr_plain": CODE, "raw_amount": "299.00"}).to_string();
    for _ in 0..3 {
        bench.send(post("/api/payment/charge", &[("idempotency-key", "k-1")], body.clone())).await;
    }
    bench.send(post("/api/qr/revoke", &[], json!({"card_id": CARD}).to_string())).await;
    let (_, _, page) = ask(&bench, "GET", "/metrics", METRICS).await;
    for line in [
        r#"payment_transactions_total{type="payment",status="ok"} 1"#,
        r#"payment_transactions_total{type="payment",status="replayed"} 1"#,
        r#"payment_transactions_total{type="payment",status="refused"} 1"#,
        r#"qr_codes_total{status="spent"} 1"#,
        r#"qr_codes_total{status="revoked"} 1"#,
        r#"upstream_rpc_duration_seconds_count{rpc="merchant_charge_by_qr",outcome="refused"} 1"#,
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line} in\n{page}");
    }
}

#[tokio::test]
async fn a_job_is_called_on_our_own_behalf_until_it_is_done() {
    let bench =
        Bench::with(vec![("200 OK", "7".into()), ("200 OK", "2".into()), ("200 OK", "0".into())], TOKENS)
            .await;
    let (status, body, _) = ask(&bench, "POST", "/ops/cron/expire_cards", OPS).await;
    assert_eq!(
        (status, body),
        (200, json!({"name": "expire_cards", "total": 9, "calls": 3, "is_done": true}))
    );
    let received = bench.received();
    assert!(received.iter().all(|call| call.starts_with("POST /rest/v1/rpc/cron_expire_cards ")));
    assert!(
        received.iter().all(|call| call.contains("apikey: sb_secret_y") && !call.contains("authorization"))
    );
}

#[tokio::test]
async fn a_job_that_reports_is_called_once_and_one_that_never_ends_is_stopped() {
    let bench = Bench::with(vec![("200 OK", "3".into())], TOKENS).await;
    let (_, body, _) = ask(&bench, "POST", "/ops/cron/verify_ledger", OPS).await;
    assert_eq!(body, json!({"name": "verify_ledger", "total": 3, "calls": 1, "is_done": true}));
    let bench = Bench::with(vec![("200 OK", "1".into()); 101], TOKENS).await;
    let (_, body, _) = ask(&bench, "POST", "/ops/cron/purge", OPS).await;
    assert_eq!(body, json!({"name": "purge", "total": 100, "calls": 100, "is_done": false}));
}

#[tokio::test]
async fn one_job_that_fails_does_not_stop_the_others_and_is_counted_and_logged() {
    let bench =
        Bench::with(vec![("500 Internal Server Error", "{}".into()), ("200 OK", "0".into())], TOKENS).await;
    bench.front.run_schedule("7 * * * *").await;
    let called: Vec<String> =
        bench.received().iter().map(|call| call.split(' ').nth(1).unwrap_or_default().to_owned()).collect();
    assert_eq!(called, ["/rest/v1/rpc/cron_expire_cards", "/rest/v1/rpc/cron_generate_settlements"]);
    let count = |series| bench.host.objects.count(series);
    assert_eq!(count(r#"cron_runs_total{name="expire_cards",outcome="failed"}"#), 1);
    assert_eq!(count(r#"cron_runs_total{name="generate_settlements",outcome="ok"}"#), 1);
    let log = bench.host.log.lock().expect("no panic holds it").clone();
    let of = |name: &str| {
        log.iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line["cron"] == name)
    };
    assert_eq!(of("expire_cards").map(|line| line["level"].clone()), Some(json!("error")));
    assert_eq!(of("generate_settlements").map(|line| line["level"].clone()), Some(json!("info")));
}

#[tokio::test]
async fn an_unknown_job_and_an_unknown_time_are_refused_and_logged() {
    let bench = Bench::with(vec![], TOKENS).await;
    assert_eq!(ask(&bench, "POST", "/ops/cron/nothing", OPS).await.0, 404);
    assert_eq!(ask(&bench, "GET", "/ops/cron/seal", OPS).await.0, 405);
    bench.front.run_schedule("1 2 3 4 5").await;
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert!(log.contains("no_job"));
    let (_, body, _) = ask(&bench, "GET", "/ops/cron", OPS).await;
    assert!(
        body.as_array().is_some_and(|list| list.contains(&json!({"name": "seal", "schedule": "* * * * *"})))
    );
}
