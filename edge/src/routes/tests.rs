//! The routes without a Worker and without a database.

pub(crate) mod bench;
mod choices;
mod doors;
mod house;
mod inputs;
mod limits;
mod operations;
mod recharges;
mod refusals;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use self::bench::{Bench, CARD, CODE, ORIGIN, TestHost, post, request, signed_in};
use crate::app::Front;

fn charge_body() -> Value {
    json!({"merchant_code": "SHOP001", "qr_plain": CODE, "raw_amount": "299.00"})
}

fn charged(replayed: bool) -> String {
    json!([{"tx_id": CARD, "tx_no": "PAY0000000001", "card_id": CARD, "final_amount": "284.05", "discount": "0.95",
        "points_earned": 299, "discount_source": "level", "raw_amount": "299.00",
        "created_at": "2026-11-23T01:06:00+00:00", "replayed": replayed}])
    .to_string()
}

#[tokio::test]
async fn an_address_without_a_route_is_a_404_problem() {
    let bench = Bench::new(vec![]).await;
    for path in ["/", "/api", "/api/", "/api/payment", "/api/qr/rotate/", "/api/payment/PAY1/x", "/%00"] {
        let reply = bench.send(request("GET", path, &[], "")).await;
        assert_eq!(reply.status, 404, "{path}");
        let id = reply.headers["x-request-id"].to_str().expect("text");
        let expected = json!({"type": "urn:mps:error:NOT_FOUND", "title": "No such address", "status": 404,
            "code": "NOT_FOUND", "retry": "never", "params": {"path": path}, "instance": id});
        assert_eq!(reply.body, expected);
        assert_eq!(reply.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_says_which_is_right() {
    let bench = Bench::new(vec![]).await;
    for (method, path, allow) in [
        ("GET", "/api/payment/charge", "POST"),
        ("DELETE", "/api/qr/rotate", "POST"),
        ("POST", "/api/payment/PAY0000000001", "GET,HEAD"),
        ("POST", "/health", "GET,HEAD"),
        ("OPTIONS", "/health", "GET,HEAD"),
    ] {
        let reply = bench.send(request(method, path, &[], "")).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body["code"]),
            (405, &json!("METHOD_NOT_ALLOWED")),
            "{path}"
        );
        assert_eq!(reply.headers["allow"], allow);
        assert_eq!(reply.body["params"]["allow"], allow);
    }
}

#[tokio::test]
async fn nobody_is_answered_without_a_token() {
    for operation in crate::routes::declared().operations {
        // One of its own each: who asks without a token is soon asked to wait.
        let bench = Bench::new(vec![]).await;
        let (method, path) = (operation.method().to_uppercase(), operation.path.replace(['{', '}'], ""));
        let (method, path) = (method.as_str(), path.as_str());
        // Identity goes before every other fault: no type, no key, no JSON.
        let reply = bench.send(request(method, path, &[], "{")).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body["code"]),
            (401, &json!("NOT_AUTHENTICATED")),
            "{path}"
        );
        assert_eq!(reply.headers["www-authenticate"], r#"Bearer realm="mps""#);
        for header in ["Bearer garbage", "Bearer ", "Basic eDp4", "garbage"] {
            let reply = bench.send(request(method, path, &[("authorization", header)], "{")).await;
            assert_eq!(reply.status, 401, "{path} {header}");
            assert_eq!(reply.headers["www-authenticate"], r#"Bearer realm="mps", error="invalid_token""#);
        }
    }
}

#[tokio::test]
async fn a_right_token_counts_only_as_a_bearer_token() {
    let bench = Bench::new(vec![("200 OK", "[]".to_owned()); 2]).await;
    let right = signed_in();
    let send = async |header: &str| {
        let request = request("GET", "/api/member/cards", &[("authorization", header)], "");
        bench.send(request).await.status.as_u16()
    };
    assert_eq!(send(&right.replace("Bearer", "Basic")).await, 401);
    assert_eq!(send(&right.replace("Bearer ", "")).await, 401);
    assert_eq!(send(&right).await, 200);
    assert_eq!(send(&right.replace("Bearer", "bearer")).await, 200);
}

#[tokio::test]
async fn a_body_is_json_of_at_most_64_kib() {
    let bench = Bench::new(vec![]).await;
    let send = async |headers: &[(&str, &str)], body: Vec<u8>| {
        let authorization = signed_in();
        let mut all = vec![("authorization", authorization.as_str())];
        all.extend_from_slice(headers);
        let reply = bench.send(request("POST", "/api/payment/charge", &all, body)).await;
        (reply.status.as_u16(), reply.body["params"].clone())
    };
    assert_eq!(send(&[], b"{}".to_vec()).await, (415, json!({})));
    assert_eq!(send(&[("content-type", "text/plain")], b"{}".to_vec()).await, (415, json!({})));
    assert_eq!(send(&[("content-type", "application/jsonp")], b"{}".to_vec()).await, (415, json!({})));
    let too_large = (413, json!({"bytes_max": 65536}));
    let json_type = ("content-type", "application/json; charset=utf-8");
    assert_eq!(send(&[json_type], vec![b' '; 65537]).await, too_large);
    assert_eq!(send(&[json_type, ("content-length", "65537")], b"{}".to_vec()).await, too_large);
    assert_eq!(send(&[json_type], vec![b' '; 65536]).await.0, 400);
}

#[tokio::test]
async fn a_malformed_body_names_its_field() {
    let bench = Bench::new(vec![]).await;
    let card = |rest: &str| format!(r#"{{"card_id":"{CARD}"{rest}}}"#);
    for (body, field) in [
        (&*card(r#","surprise":1"#), json!({"field": "surprise"})),
        (r#"{"ttl_seconds":60}"#, json!({"field": "card_id"})),
        (r#"{"card_id":7}"#, json!({"field": "card_id"})),
        (&*card(r#","ttl_seconds":"60""#), json!({"field": "ttl_seconds"})),
        (&*card(r#","ttl_seconds":60.5"#), json!({"field": "ttl_seconds"})),
        (&*card(r#","card_id":"y""#), json!({"field": "card_id"})),
        (&*(card("") + " {}"), json!({})),
        ("", json!({})),
        ("{", json!({})),
        ("[]", json!({})),
        ("\u{feff}{}", json!({})),
    ] {
        let reply = bench.send(post("/api/qr/rotate", &[], body.to_owned())).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (400, &json!("MALFORMED_BODY")), "{body}");
        assert_eq!(reply.body["params"], field, "{body}");
    }
    let reply = bench.send(post("/api/qr/rotate", &[], [b'{', 0xff, b'}'].to_vec())).await;
    assert_eq!(reply.body["code"], "MALFORMED_BODY");
}

#[tokio::test]
async fn what_the_core_refuses_never_reaches_the_database() {
    let bench = Bench::new(vec![]).await;
    let key = ("idempotency-key", "k-1");
    for raw_amount in [
        "\"0\"",
        "\"-1\"",
        "\"0.001\"",
        "\"1e3\"",
        "\"NaN\"",
        "\"\"",
        "\"+1\"",
        "\"99999999999999\"",
        "\" 1\"",
        "0",
        "-1",
        "0.001",
        "1e3",
        "1E3",
        "1.5e1",
        "99999999999999",
        "1.000",
    ] {
        let body = format!(r#"{{"merchant_code":"SHOP001","qr_plain":"{CODE}","raw_amount":{raw_amount}}}"#);
        for path in ["/api/payment/charge", "/api/payment/quote"] {
            let reply = bench.send(post(path, &[key], body.clone())).await;
            assert_eq!(
                (reply.status.as_u16(), &reply.body["code"]),
                (422, &json!("INVALID_PRICE")),
                "{raw_amount}"
            );
        }
    }
    for raw_amount in ["null", "true", "[1]", "{}"] {
        let body = format!(r#"{{"merchant_code":"SHOP001","qr_plain":"{CODE}","raw_amount":{raw_amount}}}"#);
        let reply = bench.send(post("/api/payment/charge", &[key], body)).await;
        assert_eq!(reply.body["params"], json!({"field": "raw_amount"}), "{raw_amount}");
    }
    let mut body = charge_body();
    body["qr_plain"] = json!("701234567890123456789018");
    for path in ["/api/payment/charge", "/api/payment/quote"] {
        let reply = bench.send(post(path, &[key], body.to_string())).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (400, &json!("INVALID_QR")));
    }
    let reply = bench.send(post("/api/qr/validate", &[], r#"{"qr_plain":"70"}"#)).await;
    assert_eq!(reply.body["code"], "INVALID_QR");
    let reply = bench.send(post("/api/qr/rotate", &[], r#"{"card_id":"x"}"#)).await;
    assert_eq!(
        (&reply.body["code"], &reply.body["params"]["field"]),
        (&json!("MALFORMED_ARGUMENT"), &json!("card_id"))
    );
    for ttl in ["59", "86401", "-1", "9999999999"] {
        let reply = bench
            .send(post("/api/qr/rotate", &[], format!(r#"{{"card_id":"{CARD}","ttl_seconds":{ttl}}}"#)))
            .await;
        assert_eq!(reply.body["code"], "INVALID_TTL");
        assert_eq!(reply.body["params"], json!({"seconds_min": 60, "seconds_max": 86400}));
    }
    assert_eq!(bench.received().len(), 0);
}

#[tokio::test]
async fn a_charge_is_checked_in_the_order_identity_body_key_amount_code() {
    let bench = Bench::new(vec![]).await;
    let wrong = json!({"merchant_code": "SHOP001", "qr_plain": "70", "raw_amount": "-1"}).to_string();
    let reply = bench.send(post("/api/payment/charge", &[], "{")).await;
    assert_eq!(reply.body["code"], "MALFORMED_BODY");
    let reply = bench.send(post("/api/payment/charge", &[], wrong.clone())).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (400, &json!("IDEMPOTENCY_KEY_REQUIRED")));
    for key in ["", "\"", "\"a\"b", &"k".repeat(256)] {
        let reply = bench.send(post("/api/payment/charge", &[("idempotency-key", key)], wrong.clone())).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body["code"]),
            (400, &json!("IDEMPOTENCY_KEY_INVALID")),
            "{key}"
        );
    }
    let two = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let reply = bench.send(post("/api/payment/charge", &two, wrong.clone())).await;
    assert_eq!(reply.body["code"], "IDEMPOTENCY_KEY_INVALID");
    // As hosts join two header lines.
    for joined in ["a, b", "a,a", "\"a\", \"b\"", "a, \"b\"", "\"a\", b", ","] {
        let reply =
            bench.send(post("/api/payment/charge", &[("idempotency-key", joined)], wrong.clone())).await;
        assert_eq!(reply.body["code"], "IDEMPOTENCY_KEY_INVALID", "{joined}");
    }
    let reply =
        bench.send(post("/api/payment/charge", &[("idempotency-key", "\"a, b\"")], wrong.clone())).await;
    assert_eq!(reply.body["code"], "INVALID_PRICE", "a comma inside of quotes is part of the one key");
    let reply = bench.send(post("/api/payment/charge", &[("idempotency-key", "k-1")], wrong)).await;
    assert_eq!(reply.body["code"], "INVALID_PRICE");
}

#[tokio::test]
async fn a_charge_answers_strings_for_amounts_and_says_when_it_is_a_replay() {
    let bench = Bench::new(vec![("200 OK", charged(false)), ("200 OK", charged(true))]).await;
    let first = bench
        .send(post("/api/payment/charge", &[("idempotency-key", "k-1")], charge_body().to_string()))
        .await;
    assert_eq!(first.status, 200);
    assert_eq!(first.body["final_amount"], "284.05");
    assert_eq!(first.body["created_at"], "2026-11-23T01:06:00Z");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let again = bench
        .send(post("/api/payment/charge", &[("idempotency-key", "\"k-1\"")], charge_body().to_string()))
        .await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    for request in bench.received() {
        assert!(request.contains(r#""p_idempotency_key":"k-1""#), "quoted and bare are one key: {request}");
        assert!(request.contains(r#""p_raw_amount":"299.00""#), "{request}");
    }
}

#[tokio::test]
async fn an_amount_is_read_from_its_text_and_never_through_a_float() {
    let bench = Bench::new(vec![("200 OK", charged(false))]).await;
    let body = format!(r#"{{"merchant_code":"SHOP001","qr_plain":"{CODE}","raw_amount":900719925474.1}}"#);
    bench.send(post("/api/payment/charge", &[("idempotency-key", "k-1")], body)).await;
    assert!(bench.received()[0].contains(r#""p_raw_amount":"900719925474.10""#));
}

#[tokio::test]
async fn a_tag_reaches_the_database_as_it_was_written() {
    let bench = Bench::new(vec![("200 OK", charged(false))]).await;
    let body = format!(
        r#"{{"merchant_code":"SHOP001","qr_plain":"{CODE}","raw_amount":"1","tag":{{"n":12345678901234567890.10}}}}"#
    );
    bench.send(post("/api/payment/charge", &[("idempotency-key", "k-1")], body)).await;
    assert!(bench.received()[0].contains(r#""p_tag":{"n":12345678901234567890.10}"#));
}

#[tokio::test]
async fn a_keyed_charge_is_asked_again_when_its_outcome_is_unknown() {
    let deadlock = r#"{"code":"40P01","message":"deadlock detected","details":null,"hint":null}"#.to_owned();
    let answers =
        vec![("502 Bad Gateway", "<html>".to_owned()), ("500 Oops", deadlock), ("200 OK", charged(true))];
    let bench = Bench::new(answers).await;
    let reply = bench
        .send(post("/api/payment/charge", &[("idempotency-key", "k-1")], charge_body().to_string()))
        .await;
    assert_eq!(reply.status, 200);
    let received = bench.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|request| request.contains(r#""p_idempotency_key":"k-1""#)));
}

#[tokio::test]
async fn a_write_without_a_key_is_sent_once() {
    let bench = Bench::new(vec![("502 Bad Gateway", String::new()), ("200 OK", "true".to_owned())]).await;
    let reply = bench.send(post("/api/qr/revoke", &[], json!({"card_id": CARD}).to_string())).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("UNAVAILABLE")));
    assert_eq!(reply.body["retry"], "check_first");
    assert_eq!(bench.received().len(), 1);
}

#[tokio::test]
async fn a_refusal_of_the_database_is_its_problem_document() {
    let body = r#"{"code":"PT409","message":"EXTERNAL_ORDER_ALREADY_PAID","details":"{\"tx_no\":\"PAY0000000001\"}","hint":"HUSH"}"#;
    let bench = Bench::new(vec![("409 X", body.to_owned())]).await;
    let reply = bench
        .send(post("/api/payment/charge", &[("idempotency-key", "k-1")], charge_body().to_string()))
        .await;
    assert_eq!(reply.status, 409);
    assert_eq!(reply.body["params"], json!({"tx_no": "PAY0000000001"}));
    assert!(!reply.body.to_string().contains("HUSH"));
}

#[tokio::test]
async fn a_request_has_an_id_of_ours_in_the_database_the_answer_and_the_log_and_the_caller_s_own_beside_it() {
    let bench = Bench::new(vec![("200 OK", "false".to_owned())]).await;
    let body = json!({"card_id": CARD}).to_string();
    let reply = bench.send(post("/api/qr/revoke", &[("x-request-id", "till-7.42")], body)).await;
    let id = reply.headers["x-request-id"].to_str().expect("text");
    assert_eq!(id.len(), 36);
    assert!(bench.received()[0].contains(&format!("x-request-id: {id}")));
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert!(log.contains(&format!(r#""request_id":"{id}","caller_request_id":"till-7.42""#)), "{log}");
    assert!(log.contains(r#""route":"/api/qr/revoke""#), "{log}");
}

#[tokio::test]
async fn nothing_that_a_caller_calls_a_request_becomes_its_id_and_a_payment_code_is_not_even_logged() {
    let bench = Bench::new(vec![]).await;
    let mut made = Vec::new();
    for given in ["", "a b", "a/b", CODE, "eyJhbGciOiJIUzI1NiJ9.e30.x", "886912345678", &"a".repeat(129)] {
        let reply = bench.send(request("GET", "/nowhere", &[("x-request-id", given)], "")).await;
        let id = reply.headers["x-request-id"].to_str().expect("text").to_owned();
        assert_eq!((id.len(), &reply.body["instance"]), (36, &json!(id)), "{given}");
        made.push(id);
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 7);
    assert!(!bench.host.log.lock().expect("no panic holds it").join("\n").contains("caller_request_id"));
}

#[tokio::test]
async fn only_pages_of_a_listed_origin_may_read_our_answers() {
    let bench = Bench::new(vec![]).await;
    let preflight = |origin| {
        let headers = [("origin", origin), ("access-control-request-method", "POST")];
        request("OPTIONS", "/api/payment/charge", &headers, "")
    };
    let reply = bench.send(preflight(ORIGIN)).await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.headers["access-control-allow-origin"], ORIGIN);
    assert_eq!(reply.headers["access-control-allow-methods"], "GET, POST, PUT, PATCH, DELETE");
    for header in ["authorization", "content-type", "idempotency-key", "x-request-id"] {
        assert!(
            reply.headers["access-control-allow-headers"].to_str().is_ok_and(|list| list.contains(header))
        );
    }
    for origin in
        ["https://evil.example", "https://wallet.example.evil.example", "http://wallet.example", "null"]
    {
        let reply = bench.send(preflight(origin)).await;
        assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{origin}");
        assert_eq!(reply.headers["vary"], "Origin");
    }
    let reply = bench.send(request("GET", "/health", &[("origin", ORIGIN)], "")).await;
    assert_eq!(reply.headers["access-control-allow-origin"], ORIGIN);
    assert!(
        reply.headers["access-control-expose-headers"]
            .to_str()
            .is_ok_and(|list| list.contains("idempotency-replayed"))
    );
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_no_api_answer_is_cached() {
    let bench = Bench::new(vec![]).await;
    for path in ["/health", "/nowhere", "/api/member/me"] {
        let reply = bench.send(request("GET", path, &[], "")).await;
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        assert_eq!(reply.headers["referrer-policy"], "no-referrer");
        assert!(
            reply.headers["strict-transport-security"]
                .to_str()
                .is_ok_and(|value| value.starts_with("max-age="))
        );
        assert_eq!(reply.headers.contains_key("cache-control"), path.starts_with("/api/"), "{path}");
    }
}

#[tokio::test]
async fn ready_means_that_the_database_has_the_schema_of_this_build_or_a_later_one() {
    let answer = |version: &str| {
        json!([{"ok": true, "server_time": "2026-11-23T01:06:00+00:00", "schema_version": version}])
            .to_string()
    };
    let bench =
        Bench::new(vec![("200 OK", answer(mps_core::limits::schema::VERSION)), ("200 OK", answer("1"))])
            .await;
    let reply = bench.send(request("GET", "/ready", &[], "")).await;
    assert_eq!((reply.status.as_u16(), &reply.body["status"]), (200, &json!("ready")));
    assert!(bench.received()[0].contains("apikey: sb_secret_y"));
    bench.host.pass(Duration::from_secs(1));
    let reply = bench.send(request("GET", "/ready", &[], "")).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("NOT_CONFIGURED")));
    assert_eq!(reply.body["params"], json!({"what": "schema_version"}));
    for (version, status) in [("20991231235959", 200), ("later", 503), ("", 503)] {
        let bench = Bench::new(vec![("200 OK", answer(version))]).await;
        assert_eq!(
            bench.send(request("GET", "/ready", &[], "")).await.status.as_u16(),
            status,
            "{version:?}"
        );
    }
    let refused = r#"{"code":"PGRST202","message":"no function"}"#.to_owned();
    let bench = Bench::new(vec![("404 Not Found", refused)]).await;
    let reply = bench.send(request("GET", "/ready", &[], "")).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("UNAVAILABLE")));
}

#[tokio::test]
async fn a_wrong_configuration_is_named_and_nothing_is_served() {
    let host = Arc::new(TestHost::default());
    let variables = Arc::new(|name: &str| (name == "SUPABASE_URL").then(|| "not a url".to_owned()));
    let front = Front::open(&*variables, host.clone());
    let bench = Bench { front, host, received: Arc::default(), variables };
    for path in ["/health", "/api/member/me"] {
        let reply = bench.send(request("GET", path, &[], "")).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("NOT_CONFIGURED")));
        assert_eq!(reply.body["params"], json!({"what": "SUPABASE_URL"}));
    }
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert!(log.contains("SUPABASE_URL") && !log.contains("not a url"), "{log}");
}
