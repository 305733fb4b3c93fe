//! Limits, with the real arithmetic and a clock that the tests move.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::extract::Request;
use serde_json::json;

use super::bench::{Bench, CARD, post, request, signed_in};

const SMALL: &[(&str, &str)] = &[
    ("RATE_LIMIT_USER", "5/60"),
    ("RATE_LIMIT_PAYMENT", "2/10"),
    ("RATE_LIMIT_ADDRESS", "3/10"),
    ("TRUSTED_ADDRESS_HEADER", "X-Real-IP"),
];

/// Refused by its body, so that no database is asked.
fn payment() -> Request {
    post("/api/payment/quote", &[], "{}")
}

fn revocation() -> Request {
    post("/api/qr/revoke", &[], "{}")
}

fn anonymous(address: &str) -> Request {
    request("GET", "/api/member/me", &[("x-real-ip", address)], "")
}

async fn statuses(bench: &Bench, count: usize, make: impl Fn() -> Request) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(bench.send(make()).await.status.as_u16());
    }
    statuses
}

#[tokio::test]
async fn a_user_gets_exactly_his_quota_and_is_told_how_it_stands() {
    let bench = Bench::with(vec![], SMALL).await;
    let first = bench.send(revocation()).await;
    assert_eq!(first.headers["ratelimit-policy"], r#""user";q=5;w=60"#);
    assert_eq!(first.headers["ratelimit"], r#""user";r=4;t=66"#);
    assert!(!first.headers.contains_key("retry-after"));
    assert_eq!(statuses(&bench, 4, revocation).await, [400; 4]);
    let refused = bench.send(revocation()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &json!("RATE_LIMITED")));
    assert_eq!(refused.body["params"], json!({"retry_after_seconds": 66}));
    assert_eq!(refused.headers["retry-after"], "66");
    assert_eq!(refused.headers["ratelimit"], r#""user";r=0;t=66"#);
    bench.host.pass(Duration::from_secs(65));
    assert_eq!(statuses(&bench, 1, revocation).await, [429]);
    bench.host.pass(Duration::from_secs(1));
    assert_eq!(statuses(&bench, 6, revocation).await, [400, 400, 400, 400, 400, 429]);
}

#[tokio::test]
async fn payments_have_a_quota_of_their_own_that_others_are_not_refused_by() {
    let bench = Bench::with(vec![], SMALL).await;
    let first = bench.send(payment()).await;
    assert_eq!(first.headers["ratelimit-policy"], r#""user";q=5;w=60, "payment";q=2;w=10"#);
    assert_eq!(statuses(&bench, 2, payment).await, [400, 429]);
    // The refused one did not count.
    assert_eq!(statuses(&bench, 4, revocation).await, [400, 400, 400, 429]);
}

#[tokio::test]
async fn an_address_without_a_token_is_refused_before_its_token_is_looked_at_and_others_are_not() {
    let bench = Bench::with(vec![], SMALL).await;
    assert_eq!(statuses(&bench, 4, || anonymous("192.0.2.1")).await, [401, 401, 401, 429]);
    assert_eq!(statuses(&bench, 1, || anonymous("192.0.2.2")).await, [401]);
    assert_eq!(statuses(&bench, 1, revocation).await, [400]);
    // An unknown address has a count too, one for all.
    let unknown = || request("GET", "/api/nowhere", &[], "");
    assert_eq!(statuses(&bench, 4, unknown).await, [404, 404, 404, 429]);
}

#[tokio::test]
async fn a_wrong_token_counts_as_none_and_a_right_one_passes_all_the_same() {
    let bench = Bench::with(vec![], SMALL).await;
    for header in ["Bearer garbage", "Basic eDp4", "Bearer a.b.c"] {
        let wrong =
            || request("GET", "/api/member/me", &[("authorization", header), ("x-real-ip", "192.0.2.1")], "");
        assert_eq!(statuses(&bench, 1, wrong).await, [401]);
    }
    assert_eq!(statuses(&bench, 1, || anonymous("192.0.2.1")).await, [429]);
    let authorization = signed_in();
    let right = || {
        let headers = [("authorization", authorization.as_str()), ("x-real-ip", "192.0.2.1")];
        request("POST", "/api/qr/revoke", &headers, "")
    };
    assert_eq!(statuses(&bench, 1, right).await, [400]);
}

#[tokio::test]
async fn webhooks_probes_and_preflights_have_no_limit() {
    let bench = Bench::with(vec![], SMALL).await;
    let preflight = || {
        let headers = [("origin", "https://a.example"), ("access-control-request-method", "POST")];
        request("OPTIONS", "/api/payment/charge", &headers, "")
    };
    assert_eq!(statuses(&bench, 9, || request("POST", "/api/webhooks/none", &[], "")).await, [404; 9]);
    assert_eq!(statuses(&bench, 9, || request("GET", "/health", &[], "")).await, [200; 9]);
    assert_eq!(statuses(&bench, 9, preflight).await, [204; 9]);
}

#[tokio::test]
async fn a_flood_asks_the_limiter_once_until_there_may_be_room() {
    let bench = Bench::with(vec![], SMALL).await;
    assert_eq!(statuses(&bench, 100, payment).await, [[400; 2].as_slice(), &[429; 98]].concat());
    assert_eq!(bench.host.objects.takes.load(Relaxed), 3);
    bench.host.pass(Duration::from_secs(9));
    let refused = bench.send(payment()).await;
    assert_eq!(refused.headers["retry-after"], "2");
    assert_eq!(bench.host.objects.takes.load(Relaxed), 3);
    bench.host.pass(Duration::from_secs(1));
    assert_eq!(statuses(&bench, 1, payment).await, [429]);
    assert_eq!(bench.host.objects.takes.load(Relaxed), 4);
    bench.host.pass(Duration::from_secs(1));
    assert_eq!(statuses(&bench, 3, payment).await, [400, 400, 429]);
}

#[tokio::test]
async fn a_limiter_that_does_not_know_when_there_is_room_is_always_asked() {
    let bench = Bench::with(vec![], SMALL).await;
    bench.host.objects.is_rough.store(true, Relaxed);
    assert_eq!(statuses(&bench, 5, payment).await, [400, 400, 429, 429, 429]);
    assert_eq!(bench.host.objects.takes.load(Relaxed), 5);
}

#[tokio::test]
async fn limits_can_be_off() {
    const OFF: &[(&str, &str)] =
        &[("RATE_LIMIT_USER", "off"), ("RATE_LIMIT_PAYMENT", "off"), ("RATE_LIMIT_ADDRESS", "off")];
    let bench = Bench::with(vec![], OFF).await;
    let reply = bench.send(payment()).await;
    assert!(!reply.headers.contains_key("ratelimit") && !reply.headers.contains_key("ratelimit-policy"));
    assert_eq!(statuses(&bench, 200, payment).await, [400; 200]);
    assert_eq!(statuses(&bench, 200, || anonymous("192.0.2.1")).await, [401; 200]);
}

#[tokio::test]
async fn a_limiter_that_fails_or_is_silent_lets_pass_and_that_is_counted_and_logged() {
    let bench = Bench::with(vec![], SMALL).await;
    bench.host.objects.is_broken.store(true, Relaxed);
    assert_eq!(statuses(&bench, 9, payment).await, [400; 9]);
    bench.host.objects.is_broken.store(false, Relaxed);
    bench.host.objects.is_silent.store(true, Relaxed);
    assert_eq!(statuses(&bench, 9, payment).await, [400; 9]);
    bench.host.objects.is_silent.store(false, Relaxed);
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert_eq!(log.matches("limiter_lost").count(), 18);
    bench.finish().await;
    assert_eq!(bench.host.objects.count("rate_limiter_failures_total"), 18);
}

#[tokio::test]
async fn what_a_limiter_took_of_a_requests_ten_seconds_its_call_has_not() {
    let code =
        json!([{"qr_plain": "701234567890123456789017", "qr_expires_at": "2026-11-23T01:06:00+00:00"}]);
    let bench = Bench::with(vec![("200 OK", code.to_string())], SMALL).await;
    bench.host.objects.is_silent.store(true, Relaxed);
    // A call that is sent only once has all the time that is left.
    let reply = bench.send(post("/api/qr/rotate", &[], json!({"card_id": CARD}).to_string())).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let waits = bench.host.waits.lock().expect("no panic holds it").clone();
    assert_eq!(waits[..2], [Duration::from_millis(900), Duration::from_millis(9_100)]);
}

#[tokio::test]
async fn a_refusal_is_counted_by_its_scope() {
    let bench = Bench::with(vec![], SMALL).await;
    statuses(&bench, 5, payment).await;
    statuses(&bench, 4, || anonymous("192.0.2.1")).await;
    bench.finish().await;
    assert_eq!(bench.host.objects.count(r#"rate_limited_total{scope="payment"}"#), 3);
    assert_eq!(bench.host.objects.count(r#"rate_limited_total{scope="address"}"#), 1);
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert!(log.contains(r#""level":"warn""#) && log.contains(r#""error_code":"RATE_LIMITED""#));
}
