//! Limits, with the real arithmetic and a clock that the tests move.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Waker};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use serde_json::json;

use super::bench::{Bench, NOW, post, request, signed_in, signed_in_as, signed_until};
use crate::auth::tests::keys::{ec_jwk, ec_key, es256};

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
async fn webhooks_health_and_preflights_have_no_limit() {
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
async fn no_request_waits_for_what_adds_up_the_counts_and_a_flood_tells_it_once() {
    let bench = Bench::with(vec![], SMALL).await;
    assert_eq!(statuses(&bench, 100, payment).await, [[400; 2].as_slice(), &[429; 98]].concat());
    assert_eq!(bench.host.objects.tellings.load(Relaxed), 0, "only after the reply");
    bench.finish().await;
    // Two names of one user in at most two objects.
    assert!((1..=2).contains(&bench.host.objects.tellings.load(Relaxed)));
    bench.host.pass(Duration::from_secs(11));
    assert_eq!(statuses(&bench, 3, payment).await, [400, 400, 429]);
}

/// Another isolate of the same edge.
async fn isolate_beside(bench: &Bench) -> Bench {
    let other = Bench::with(vec![], SMALL).await;
    other.share_objects_with(bench)
}

#[tokio::test]
async fn an_isolate_refuses_by_what_all_have_let_in_once_each_has_told_and_the_overshoot_is_what_they_had_not()
 {
    let first = Bench::with(vec![], SMALL).await;
    let second = isolate_beside(&first).await;
    assert_eq!(statuses(&first, 5, revocation).await, [400; 5]);
    // Nobody has told yet: this is the overshoot, one quota an isolate at most.
    assert_eq!(statuses(&second, 2, revocation).await, [400; 2]);
    first.finish().await;
    second.finish().await;
    assert_eq!(statuses(&second, 1, revocation).await, [429]);
    second.host.pass(Duration::from_secs(66));
    first.host.pass(Duration::from_secs(66));
    assert_eq!(statuses(&second, 1, revocation).await, [400]);
}

#[tokio::test]
async fn a_new_isolate_knows_after_its_first_message_what_was_taken_before_it_was_there() {
    let first = Bench::with(vec![], SMALL).await;
    assert_eq!(statuses(&first, 5, revocation).await, [400; 5]);
    first.finish().await;
    let second = isolate_beside(&first).await;
    assert_eq!(statuses(&second, 1, revocation).await, [400]);
    second.finish().await;
    assert_eq!(statuses(&second, 1, revocation).await, [429]);
}

#[tokio::test]
async fn strangers_who_fill_their_table_take_nothing_from_users() {
    let bench = Bench::with(vec![], SMALL).await;
    for number in 0..20_010_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        bench.send(anonymous(&format!("10.0.{high}.{low}"))).await;
    }
    for number in 0..30 {
        let authorization = signed_in_as(&format!("new-{number}"));
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let reply = bench.send(request("POST", "/api/qr/revoke", &headers, "{}")).await;
        assert_eq!(reply.status, 400, "{number}");
    }
}

#[tokio::test]
async fn one_user_has_so_many_requests_under_way_and_others_have_theirs() {
    let bench = Bench::with(vec![], &[("REQUESTS_IN_FLIGHT", "2")]).await;
    let authorization = signed_in();
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    // A body that does not come: the request waits for it.
    let endless = || Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut first = pin!(bench.front.answer(request("POST", "/api/qr/revoke", &headers, endless())));
        let mut second = pin!(bench.front.answer(request("POST", "/api/qr/revoke", &headers, endless())));
        assert!(
            first.as_mut().poll(&mut context).is_pending() && second.as_mut().poll(&mut context).is_pending()
        );
        let refused = bench.send(revocation()).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &json!("RATE_LIMITED")));
        assert_eq!(refused.headers["retry-after"], "1");
        let other = signed_in_as("u-2");
        let headers = [("authorization", other.as_str()), ("content-type", "application/json")];
        assert_eq!(bench.send(request("POST", "/api/qr/revoke", &headers, "{}")).await.status, 400);
    }
    assert_eq!(bench.send(revocation()).await.status, 400, "who goes away gives the place back");
    bench.finish().await;
    assert_eq!(bench.host.objects.count(r#"rate_limited_total{scope="in_flight"}"#), 1);
}

fn with_token(token: &str) -> Request {
    let headers =
        [("authorization", token), ("x-real-ip", "192.0.2.1"), ("content-type", "application/json")];
    request("POST", "/api/qr/revoke", &headers, "{}")
}

#[tokio::test]
async fn a_token_that_is_over_names_its_user_whatever_came_from_the_same_address() {
    let bench = Bench::with(vec![], SMALL).await;
    assert_eq!(statuses(&bench, 4, || anonymous("192.0.2.1")).await, [401, 401, 401, 429]);
    let expired = signed_until("u-1", NOW - 60);
    let reply = bench.send(with_token(&expired)).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (401, &json!("NOT_AUTHENTICATED")));
    assert_eq!(reply.headers["www-authenticate"], r#"Bearer realm="mps", error="invalid_token""#);
    assert_eq!(reply.headers["ratelimit-policy"], r#""user";q=5;w=60"#);
    assert_eq!(statuses(&bench, 5, || with_token(&expired)).await, [401, 401, 401, 401, 429]);
    assert_eq!(statuses(&bench, 1, revocation).await, [400], "an old token uses up nothing of the user's");
}

#[tokio::test]
async fn who_sends_forged_tokens_has_no_more_of_them_computed_and_a_known_token_passes() {
    let variables = [SMALL, &[("SUPABASE_JWT_SECRET", "")]].concat();
    let bench = Bench::with(vec![], &variables).await;
    let key = ec_key();
    *bench.host.page.lock().expect("no panic holds it") =
        Some((200, json!({"keys": [ec_jwk(&key, "e")]}).to_string()));
    let right = format!("Bearer {}", es256(&key, "e"));
    assert_eq!(statuses(&bench, 1, || with_token(&right)).await, [400]);
    let forged = format!("Bearer {}", es256(&ec_key(), "e"));
    let computed = || bench.host.verifications.load(Relaxed);
    assert_eq!(
        statuses(&bench, 20, || with_token(&forged)).await,
        [[401; 3].as_slice(), &[429; 17]].concat()
    );
    assert_eq!(computed(), 4, "one that was right and three that were not");
    assert_eq!(statuses(&bench, 2, || with_token(&right)).await, [400; 2]);
    assert_eq!(computed(), 4, "and it is not computed again");
    // An address that is not known is that of many: nobody is held for another.
    let from_anywhere = || request("POST", "/api/qr/revoke", &[("authorization", forged.as_str())], "{}");
    statuses(&bench, 5, from_anywhere).await;
    assert_eq!(computed(), 9);
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
async fn where_the_counts_cannot_be_added_up_each_isolate_goes_on_with_its_own_and_tells_them_later() {
    let bench = Bench::with(vec![], SMALL).await;
    bench.host.objects.is_broken.store(true, Relaxed);
    assert_eq!(statuses(&bench, 3, payment).await, [400, 400, 429]);
    bench.finish().await;
    bench.host.objects.is_broken.store(false, Relaxed);
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert_eq!(log.matches("limiter_lost").count(), 1);
    assert_eq!(statuses(&bench, 3, revocation).await, [400; 3]);
    bench.finish().await;
    assert_eq!(bench.host.objects.count("rate_limiter_failures_total"), 1);
    let other = isolate_beside(&bench).await;
    statuses(&other, 1, revocation).await;
    other.finish().await;
    assert_eq!(statuses(&other, 1, revocation).await, [429], "all five are known there");
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
