//! What an installation may choose: each choice changes what the edge does.

use serde_json::{Value, json};

use super::bench::{Bench, CARD, CODE, post, request};

const OPS: &str = "an-operator-s-token-of-32-letters-or-more";

fn body(received: &str) -> Value {
    let (_, body) = received.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).expect("JSON")
}

async fn issued_with(choices: &'static [(&'static str, &'static str)], ttl: &str) -> Value {
    let code = json!([{"qr_plain": CODE, "qr_expires_at": "2027-01-15T08:15:00+00:00"}]).to_string();
    let bench = Bench::with(vec![("200 OK", code)], choices).await;
    let reply = bench.send(post("/api/qr/rotate", &[], format!(r#"{{"card_id":"{CARD}"{ttl}}}"#))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    body(&bench.received()[0])["p_ttl_seconds"].clone()
}

#[tokio::test]
async fn a_code_whose_request_does_not_say_lives_as_long_as_was_chosen() {
    assert_eq!(issued_with(&[], "").await, 900);
    assert_eq!(issued_with(&[("CODE_TTL_SECONDS", "120")], "").await, 120);
    assert_eq!(issued_with(&[("CODE_TTL_SECONDS", "120")], r#","ttl_seconds":60"#).await, 60);
}

#[tokio::test]
async fn a_call_is_sent_as_often_as_was_chosen() {
    for (choices, sent) in [(&[("ATTEMPTS_MAX", "1")][..], 1), (&[("ATTEMPTS_MAX", "2")], 2), (&[], 3)] {
        let lost = ("503 Service Unavailable", "{}".to_owned());
        let bench = Bench::with(vec![lost; 3], choices).await;
        let reply = bench.send(request("GET", "/api/member/cards", &[], "")).await;
        assert_ne!(reply.status, 200);
        let reply = bench.send(post("/api/qr/validate", &[], json!({"qr_plain": CODE}).to_string())).await;
        assert_eq!(reply.status, 503);
        assert_eq!(bench.received().len(), sent);
    }
}

#[tokio::test]
async fn the_audit_log_is_kept_as_long_as_was_chosen() {
    let chosen: &[_] = &[("OPS_TOKEN", OPS), ("AUDIT_RETENTION_DAYS", "3650")];
    for (choices, days) in [(&chosen[..1], 2555), (chosen, 3650)] {
        let bench = Bench::with(vec![("200 OK", "0".to_owned())], choices).await;
        let authorization = format!("Bearer {OPS}");
        let headers = [("authorization", authorization.as_str())];
        assert_eq!(bench.send(request("POST", "/ops/cron/purge", &headers, "")).await.status, 200);
        assert_eq!(body(&bench.received()[0]), json!({"p_audit_days": days}));
    }
}

#[tokio::test]
async fn the_log_has_the_lines_of_the_level_that_was_chosen() {
    let levels: [(&[_], _); 4] = [
        (&[], 3),
        (&[("LOG_LEVEL", "info")], 3),
        (&[("LOG_LEVEL", "warn")], 2),
        (&[("LOG_LEVEL", "error")], 1),
    ];
    for (choices, written) in levels {
        // Nobody answers.
        let bench = Bench::with(vec![], choices).await;
        assert_eq!(bench.send(request("GET", "/health", &[], "")).await.status, 200);
        assert_eq!(
            bench
                .send(request("GET", "/api/member/cards", &[("authorization", "Bearer x")], ""))
                .await
                .status,
            401
        );
        assert_eq!(
            bench.send(post("/api/qr/validate", &[], json!({"qr_plain": CODE}).to_string())).await.status,
            503
        );
        assert_eq!(bench.host.log.lock().expect("no panic holds it").len(), written);
    }
}
