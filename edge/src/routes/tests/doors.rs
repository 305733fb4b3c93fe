//! What strangers send, and what it may cost.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::response::Response;
use mps_core::limits;
use serde_json::json;

use super::bench::{Bench, CARD, CODE, post, request, signed_in};
use super::{charge_body, charged};
use crate::app::Malformed;

const KEY: (&str, &str) = ("idempotency-key", "k-1");

fn charge_with(more: &str) -> String {
    format!(r#"{{"merchant_code":"SHOP001","qr_plain":"{CODE}","raw_amount":"1"{more}}}"#)
}

#[tokio::test]
async fn a_body_is_json_and_nothing_is_taken_off_it() {
    let bench = Bench::new(vec![]).await;
    for before in ["\x0c", "\x0b", "\u{a0}", "\u{feff}", ",", "{", "x"] {
        let reply =
            bench.send(post("/api/payment/charge", &[KEY], format!("{before}{}", charge_with("")))).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body["code"]),
            (400, &json!("MALFORMED_BODY")),
            "{before:?}"
        );
    }
    for body in ["[]", "null", "\"{}\"", "{}{}", "{} x", "", "{\"a\":1,}", "{,}"] {
        let reply = bench.send(post("/api/payment/charge", &[KEY], body)).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (400, &json!("MALFORMED_BODY")), "{body}");
    }
    let twice = charge_with(r#","idempotency_key":"k-2""#);
    let reply = bench.send(post("/api/payment/charge", &[KEY], twice)).await;
    assert_eq!(reply.body["code"], "MALFORMED_BODY", "the key comes in the header");
    assert_eq!(bench.received().len(), 0);
}

#[tokio::test]
async fn json_s_own_white_space_is_no_matter() {
    let bench = Bench::new(vec![("200 OK", charged(false))]).await;
    let reply =
        bench.send(post("/api/payment/charge", &[KEY], format!("\r\n\t {} \n", charge_with("")))).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test]
async fn a_tag_is_bounded_in_bytes_and_in_depth_before_the_database() {
    let bench = Bench::new(vec![]).await;
    let deep = format!("{}1{}", "[".repeat(6000), "]".repeat(6000));
    let long = "x".repeat(4096);
    for tag in [format!(r#"{{"a":{deep}}}"#), format!(r#"{{"a":"{long}"}}"#), deep, "7".to_owned()] {
        let tag = format!(r#","tag":{tag}"#);
        let refund = format!(
            r#"{{"merchant_code":"SHOP001","original_tx_no":"PAY0000000001","refund_amount":"1"{tag}}}"#
        );
        for (path, body) in [("/api/payment/charge", charge_with(&tag)), ("/api/payment/refund", refund)] {
            let reply = bench.send(post(path, &[KEY], body)).await;
            assert_eq!(
                (reply.status.as_u16(), &reply.body["code"]),
                (400, &json!("MALFORMED_ARGUMENT")),
                "{path}"
            );
            assert_eq!(reply.body["params"], json!({"field": "tag"}));
        }
    }
    assert_eq!(bench.received().len(), 0);
}

#[tokio::test]
async fn a_body_in_another_charset_or_packed_is_refused_by_its_type() {
    let bench = Bench::new(vec![("200 OK", charged(false)); 4]).await;
    let send = async |headers: &[(&str, &str)]| {
        let authorization = signed_in();
        let headers = [headers, &[KEY, ("authorization", &authorization)]].concat();
        bench.send(request("POST", "/api/payment/charge", &headers, charge_with(""))).await
    };
    for headers in [
        &[("content-type", "application/json; charset=gbk")][..],
        &[("content-type", "application/json;charset=\"utf-16\"")],
        &[("content-type", "application/json; a=b; CHARSET=latin1")],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
        &[("content-type", "application/json"), ("content-encoding", "br, gzip")],
        &[("content-encoding", "gzip")],
    ] {
        let reply = send(headers).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body["code"]),
            (415, &json!("UNSUPPORTED_MEDIA_TYPE")),
            "{headers:?}"
        );
    }
    for headers in [
        &[("content-type", "application/json; charset=UTF-8")][..],
        &[("content-type", "application/json;charset=\"utf-8\"")],
        &[("content-type", "Application/JSON; a=b")],
        &[("content-type", "application/json"), ("content-encoding", "identity")],
    ] {
        assert_eq!(send(headers).await.status, 200, "{headers:?}");
    }
}

#[tokio::test]
async fn what_cannot_become_a_request_is_a_problem_with_an_id_a_line_and_a_count() {
    let bench = Bench::new(vec![]).await;
    for part in ["headers", "url", "method"] {
        let response = bench.front.refuse(Malformed(part)).await;
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["x-request-id"].len(), 36);
    }
    bench.finish().await;
    let series = r#"http_requests_total{method="GET",route="other",status="400"}"#;
    assert_eq!(bench.host.objects.count(series), 3);
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert_eq!(log.matches(r#""error_code":"MALFORMED_ARGUMENT""#).count(), 3);
}

#[tokio::test]
async fn a_token_that_the_database_refuses_is_called_invalid() {
    let refused = r#"{"code":"PGRST303","message":"JWT expired","details":null,"hint":null}"#.to_owned();
    let bench = Bench::new(vec![("401 Unauthorized", refused)]).await;
    let reply = bench.send(post("/api/qr/revoke", &[], json!({"card_id": CARD}).to_string())).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (401, &json!("NOT_AUTHENTICATED")));
    assert_eq!(reply.headers["www-authenticate"], r#"Bearer realm="mps", error="invalid_token""#);
}

#[tokio::test]
async fn who_is_to_ask_later_is_told_when() {
    let locked = r#"{"code":"PT423","message":"BINDING_LOCKED","details":"{\"retry_after_seconds\": 840}","hint":null}"#;
    let answers = vec![("423 Locked", locked.to_owned()), ("503 Oops", String::new())];
    let bench = Bench::new(answers).await;
    let body = json!({"binding_password": "wrong-one"}).to_string();
    let (authorization, path) = (signed_in(), format!("/api/member/cards/{CARD}/bindings/{CARD}"));
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let reply = bench.send(request("PUT", &path, &headers, body)).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["retry-after"]),
        (423, &"840".parse().expect("text")),
        "{}",
        reply.text
    );
    let reply = bench.send(post("/api/qr/revoke", &[], json!({"card_id": CARD}).to_string())).await;
    assert_eq!((reply.status.as_u16(), &reply.headers["retry-after"]), (503, &"1".parse().expect("text")));
}

fn server(version: &str) -> String {
    json!([{"ok": true, "server_time": "2026-11-23T01:06:00+00:00", "schema_version": version}]).to_string()
}

#[tokio::test]
async fn eight_hundred_who_ask_whether_we_are_ready_are_one_question_to_the_database() {
    let bench = Bench::new(vec![("200 OK", server(limits::schema::VERSION)); 2]).await;
    let ask = || bench.front.answer(request("GET", "/ready", &[], ""));
    let mut asking: Vec<Pin<Box<dyn Future<Output = Response> + '_>>> = Vec::new();
    for _ in 0..800 {
        asking.push(Box::pin(ask()));
    }
    for answer in asking {
        assert_eq!(answer.await.status(), 200);
    }
    assert_eq!(bench.received().len(), 1);
    bench.host.pass(Duration::from_secs(1));
    assert_eq!(ask().await.status(), 200);
    assert_eq!(bench.received().len(), 2, "an answer counts for a second");
}

#[tokio::test]
async fn who_asks_while_a_question_hangs_is_told_after_a_second_that_we_are_not_ready() {
    let bench = Bench::new(vec![]).await;
    let first = pin!(bench.front.answer(request("GET", "/ready", &[], "")));
    let mut first = first;
    assert!(matches!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    let reply = bench.send(request("GET", "/ready", &[], "")).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("UNAVAILABLE")));
}

#[tokio::test]
async fn questions_whether_we_are_ready_count_by_address_and_apart() {
    let variables = [("RATE_LIMIT_ADDRESS", "2/10"), ("TRUSTED_ADDRESS_HEADER", "X-Real-IP")];
    let bench = Bench::with(vec![("200 OK", server(limits::schema::VERSION))], &variables).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let headers = [("x-real-ip", "192.0.2.1")];
        statuses.push(bench.send(request("GET", "/ready", &headers, "")).await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    let other = bench.send(request("GET", "/ready", &[("x-real-ip", "192.0.2.2")], "")).await;
    assert_eq!(other.status, 200);
    // Those who watch may come from anywhere where nobody says from where: strangers cannot make us look ill.
    for _ in 0..5 {
        bench.send(request("GET", "/api/nowhere", &[], "")).await;
    }
    assert_eq!(bench.send(request("GET", "/ready", &[], "")).await.status, 200);
}

#[tokio::test]
async fn a_database_that_is_down_is_asked_a_tenth_more_often_and_not_three_times() {
    let bench = Bench::with(vec![("503 Oops", String::new()); 200], &[("RATE_LIMIT_PAYMENT", "off")]).await;
    for _ in 0..100 {
        let reply = bench.send(post("/api/payment/charge", &[KEY], charge_body().to_string())).await;
        assert_eq!((reply.status.as_u16(), &reply.body["retry"]), (503, &json!("same_key")));
    }
    // Ten that a process has at first, and a tenth of its calls.
    assert!((100..=120).contains(&bench.received().len()), "{}", bench.received().len());
}

#[tokio::test]
async fn the_document_of_the_routes_has_a_tag_and_is_sent_once() {
    let bench = Bench::new(vec![]).await;
    let ask = async |headers: &[(&str, &str)]| bench.send(request("GET", "/openapi.json", headers, "")).await;
    let first = ask(&[]).await;
    let tag = first.headers["etag"].to_str().expect("text").to_owned();
    assert!(first.status == 200 && first.body["openapi"] == "3.1.0" && tag.starts_with('"'));
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let again = ask(&[("if-none-match", &known)]).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{known}");
        assert_eq!(again.headers["etag"], tag.as_str());
    }
    assert_eq!(ask(&[("if-none-match", "\"x\"")]).await.status, 200);
}
