//! Refused money calls and the audit log: what is told of them, when, and what is not.

use std::sync::PoisonError;

use serde_json::{Value, json};

use super::bench::{Bench, CARD, CODE, request, signed_in_as};

const ACTOR: &str = "0193b5a0-0000-7000-8000-0000000000aa";

fn refusal() -> (&'static str, String) {
    let body =
        r#"{"code":"PT422","message":"AMOUNT_OVER_LIMIT","details":"{\"limit\":\"500.00\"}","hint":null}"#;
    ("422 X", body.to_owned())
}

fn charge(body: &Value) -> axum::extract::Request {
    let authorization = signed_in_as(ACTOR);
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "k-1"),
    ];
    request("POST", "/api/payment/charge", &headers, body.to_string())
}

fn right() -> Value {
    json!({"merchant_code": "SHOP001", "qr_plain": CODE, "raw_amount": "299.00"})
}

/// The arguments of the reports that arrived.
fn reports(bench: &Bench) -> Vec<Value> {
    let received = bench.received();
    let reports = received.iter().filter(|request| request.starts_with("POST /rest/v1/rpc/report_refusal "));
    reports
        .map(|request| {
            assert!(request.contains("apikey: sb_secret_y"), "with the service's key");
            assert!(!request.contains("authorization: "), "and without a user's token");
            let body = request.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
            serde_json::from_str(body).expect("JSON")
        })
        .collect()
}

#[tokio::test]
async fn a_charge_that_the_database_refused_is_told_after_the_reply() {
    let bench = Bench::new(vec![refusal(), ("200 OK", "true".to_owned())]).await;
    let reply = bench.send(charge(&right())).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (422, &json!("AMOUNT_OVER_LIMIT")));
    assert_eq!(bench.received().len(), 1, "not before the reply");
    bench.finish().await;
    let expected = json!({"p_rpc": "merchant_charge_by_qr", "p_code": "AMOUNT_OVER_LIMIT", "p_merchant_code": "SHOP001",
        "p_actor_user_id": ACTOR, "p_params": {"limit": "500.00"}, "p_request_id": reply.headers["x-request-id"].to_str().expect("text")});
    assert_eq!(reports(&bench), [expected]);
    bench.finish().await;
    assert_eq!(bench.host.objects.count(r#"refusal_reports_total{outcome="sent"}"#), 1);
    let log = bench.host.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    assert!(log.contains(r#""merchant_code":"SHOP001""#), "the request's own line names the merchant too");
}

#[tokio::test]
async fn what_our_own_checks_refused_is_told_without_what_the_caller_made_up() {
    let mut wrong_code = right();
    wrong_code["qr_plain"] = json!("701234567890123456789018");
    let mut made_up = right();
    made_up[CODE] = json!(1);
    let mut foreign = right();
    foreign["merchant_code"] = json!(CODE);
    foreign["raw_amount"] = json!("-1");
    for (body, code, merchant, params) in [
        (wrong_code, "INVALID_QR", json!("SHOP001"), Value::Null),
        (made_up, "MALFORMED_BODY", json!("SHOP001"), Value::Null),
        (foreign, "INVALID_PRICE", Value::Null, json!({"field": "raw_amount"})),
        (
            json!({"merchant_code": "SHOP001"}),
            "MALFORMED_BODY",
            json!("SHOP001"),
            json!({"field": "qr_plain"}),
        ),
    ] {
        let bench = Bench::new(vec![("200 OK", "true".to_owned())]).await;
        assert_eq!(bench.send(charge(&body)).await.body["code"], code);
        bench.finish().await;
        let told = reports(&bench);
        assert_eq!(told.len(), 1, "{code}");
        assert_eq!((&told[0]["p_code"], &told[0]["p_merchant_code"]), (&json!(code), &merchant));
        assert_eq!(told[0]["p_params"], params, "{code}");
        let text = told[0].to_string();
        assert!(!text.contains(CODE) && !text.contains("k-1"), "{text}");
    }
}

#[tokio::test]
async fn every_route_that_moves_money_tells_its_refusals_and_no_other_does() {
    for operation in crate::routes::declared().operations {
        let bench = Bench::new(vec![("200 OK", "true".to_owned())]).await;
        let (method, path) = (operation.method().to_uppercase(), operation.path.replace(['{', '}'], ""));
        let authorization = signed_in_as(ACTOR);
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let path = format!("{path}?unknown=1");
        let reply = bench.send(request(&method, &path, &headers, "{}")).await;
        assert_eq!(reply.status.as_u16(), 400, "{path}");
        bench.finish().await;
        let told: Vec<Value> = reports(&bench).iter().map(|report| report["p_rpc"].clone()).collect();
        let expected = if operation.way.is_keyed() { vec![json!(operation.rpc)] } else { Vec::new() };
        assert_eq!(told, expected, "{path}");
    }
}

#[tokio::test]
async fn what_is_no_refusal_leaves_no_row() {
    let charged = json!([{"tx_id": CARD, "tx_no": "PAY0000000001", "card_id": CARD, "final_amount": "284.05",
        "discount": "0.95", "points_earned": 299, "discount_source": "level", "raw_amount": "299.00",
        "created_at": "2026-11-23T01:06:00+00:00", "replayed": false}]);
    let unavailable = || ("503 X", String::new());
    for (answers, status) in [
        (vec![("200 OK", charged.to_string()), unavailable()], 200),
        (vec![unavailable(), unavailable(), unavailable(), unavailable()], 503),
        (vec![("400 X", r#"{"code":"23514","message":"x"}"#.to_owned()), unavailable()], 500),
    ] {
        let bench = Bench::new(answers).await;
        assert_eq!(bench.send(charge(&right())).await.status.as_u16(), status);
        bench.finish().await;
        assert_eq!(reports(&bench).len(), 0, "{status}");
    }
    // Nobody is known: no row either, or anyone could fill the log.
    let bench = Bench::new(vec![("200 OK", "true".to_owned())]).await;
    let headers = [("content-type", "application/json"), ("authorization", "Bearer x")];
    bench.send(request("POST", "/api/payment/charge", &headers, right().to_string())).await;
    bench.finish().await;
    assert_eq!(bench.received().len(), 0);
}

#[tokio::test]
async fn a_report_that_fails_is_logged_and_changes_nothing() {
    let bench = Bench::new(vec![refusal(), ("500 X", "<html>".to_owned())]).await;
    let reply = bench.send(charge(&right())).await;
    assert_eq!(reply.status.as_u16(), 422);
    bench.finish().await;
    assert_eq!(bench.received().len(), 2, "it is sent once");
    bench.finish().await;
    assert_eq!(bench.host.objects.count(r#"refusal_reports_total{outcome="failed"}"#), 1);
    let log = bench.host.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    assert!(
        log.contains(r#""event":"refusal_report_lost""#)
            && log.contains(&format!(
                r#""request_id":"{}""#,
                reply.headers["x-request-id"].to_str().expect("text")
            )),
        "{log}"
    );
}

#[tokio::test]
async fn one_user_fills_no_audit_log() {
    let bench = Bench::with(vec![("200 OK", "true".to_owned()); 31], &[("RATE_LIMIT_PAYMENT", "off")]).await;
    for _ in 0..40 {
        bench.send(charge(&json!({}))).await;
    }
    bench.finish().await;
    bench.finish().await;
    assert_eq!(reports(&bench).len(), 30);
    assert_eq!(bench.host.objects.count(r#"refusal_reports_total{outcome="skipped"}"#), 10);
}
