//! The edge's own answers, on the build that is deployed.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mps_e2e::{Answer, Stack, answer_of, variable, wait_for_log};
use serde_json::json;

#[test]
fn health_and_ready_answer_anyone() {
    let stack = Stack::new();
    let health = stack.edge("GET", "/health", &[], "");
    assert_eq!((health.status, &health.body), (200, &json!({"status": "ok"})));
    let ready = stack.edge("GET", "/ready", &[], "");
    assert_eq!((ready.status, &ready.body["status"]), (200, &json!("ready")), "{}", ready.body);
    assert_eq!(ready.body["schema_version"], mps_core::limits::schema::VERSION);
}

#[test]
fn a_wrong_address_a_wrong_method_and_a_wrong_body_have_their_statuses() {
    let stack = Stack::new();
    let cashier = stack.sign_in("cashier@demo.example");
    let authorization = format!("Bearer {cashier}");
    let signed_in = ("authorization", authorization.as_str());
    let is_json = ("content-type", "application/json");

    let nowhere = stack.edge("GET", "/api/nowhere", &[], "");
    assert_eq!(nowhere.refusal(), answer_of(404, &json!("NOT_FOUND")));
    assert_eq!(nowhere.header("content-type"), "application/problem+json");

    let wrong_method = stack.edge("GET", "/api/payment/charge", &[], "");
    assert_eq!(wrong_method.refusal(), answer_of(405, &json!("METHOD_NOT_ALLOWED")));
    assert_eq!(wrong_method.header("allow"), "POST");

    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
    let body = r#"{"card_id":"0193b5a0-0000-7000-8000-00000000000a","pin":1}"#;
    for (name, length) in [("announced", vec![]), ("in pieces", vec![("transfer-encoding", "chunked")])] {
        let headers = [vec![signed_in, is_json], length].concat();
        let too_large = stack.edge("POST", "/api/member/register", &headers, &large);
        assert_eq!(too_large.refusal(), answer_of(413, &json!("BODY_TOO_LARGE")), "{name}");
        let unknown = stack.edge("POST", "/api/qr/revoke", &headers, body);
        assert_eq!(unknown.refusal(), answer_of(400, &json!("MALFORMED_BODY")), "{name}");
        assert_eq!(unknown.body["params"], json!({"field": "pin"}));
    }

    let text = stack.edge("POST", "/api/qr/rotate", &[signed_in, ("content-type", "text/plain")], "{}");
    assert_eq!(text.refusal(), answer_of(415, &json!("UNSUPPORTED_MEDIA_TYPE")));
}

#[test]
fn every_request_has_an_id_of_ours_and_the_caller_s_own_is_beside_it_in_the_log() {
    let stack = Stack::new();
    let given = format!("till-{}", std::process::id());
    let named = stack.edge("GET", "/api/member/me", &[("x-request-id", &given)], "");
    assert_eq!(named.header("x-request-id").len(), 36);
    assert_eq!(named.body["instance"], named.header("x-request-id"));
    let other = stack.edge("GET", "/api/member/me", &[], "");
    assert_ne!(other.header("x-request-id"), named.header("x-request-id"));
    let line =
        format!("\"request_id\":\"{}\",\"caller_request_id\":\"{given}\"", named.header("x-request-id"));
    assert!(stack.edge_log().contains(&line));
}

/// A request as bytes, and the answer's head and body.
fn raw(bytes: &[u8]) -> String {
    let address = variable("MPS_E2E_EDGE_URL").replace("http://", "");
    let mut socket = TcpStream::connect(address).expect("the edge");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    socket.write_all(bytes).expect("an open socket");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an answer to its end");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn what_cannot_become_a_request_is_a_400_problem_with_an_id_and_a_line_in_the_log() {
    let stack = Stack::new();
    let before = stack.metric(r#"http_requests_total{method="GET",route="other",status="400"}"#);
    for head in ["User-Agent: a\x01b\r\nHost: a", "Host: a b", "Host: a\r\nHost: b"] {
        let answer = raw(format!("GET /health HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
        assert!(
            answer.contains("application/problem+json") && answer.contains("MALFORMED_ARGUMENT"),
            "{answer}"
        );
        let (_, rest) = answer.split_once("\"instance\":\"").expect("an id");
        let id = rest.split('"').next().unwrap_or_default();
        wait_for_log("MPS_E2E_EDGE_LOG", id);
    }
    let counted = || stack.metric(r#"http_requests_total{method="GET",route="other",status="400"}"#);
    assert!(counted() >= before + 3);
    // What is beyond ASCII in a header that nobody reads is nobody's trouble.
    let answer =
        raw("GET /health HTTP/1.1\r\nHost: a\r\nUser-Agent: \u{e9}\r\nConnection: close\r\n\r\n".as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn the_document_of_the_routes_is_answered_once_to_who_has_it() {
    let stack = Stack::new();
    let first = stack.edge("GET", "/openapi.json", &[], "");
    let tag = first.header("etag").to_owned();
    assert!(first.status == 200 && tag.len() > 10, "{tag}");
    let again = stack.edge("GET", "/openapi.json", &[("if-none-match", &tag)], "");
    assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", tag.as_str()));
}

#[test]
fn a_request_id_reaches_the_audit_row_of_the_charge() {
    let stack = Stack::new();
    let shop = stack.open_shop("100");
    let (code, key) = (stack.code(&shop), stack.fresh_key());
    let authorization = format!("Bearer {}", shop.cashier);
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", key.as_str()),
    ];
    let charge = stack.edge("POST", "/api/payment/charge", &headers, &shop.request(&code, "1").to_string());
    assert_eq!(charge.status, 200, "{}", charge.body);
    let given = charge.header("x-request-id");
    let audited = stack.value(&format!("select object_id from audit.event_log where request_id = '{given}'"));
    assert_eq!(audited, charge.body["tx_no"]);
}

fn names_in<'a>(answer: &'a Answer, header: &str) -> Vec<&'a str> {
    answer.header(header).split(',').map(str::trim).collect()
}

#[test]
fn a_page_of_a_listed_origin_may_ask_with_every_method_of_the_api_and_read_the_answer() {
    let stack = Stack::new();
    let origin = env::var("MPS_E2E_ORIGIN").expect("run these tests with `cargo xtask test --only e2e`");
    let paths = stack.edge("GET", "/openapi.json", &[], "").body["paths"].clone();
    let mut asked = 0;
    for (path, methods) in paths.as_object().into_iter().flatten() {
        for method in methods.as_object().into_iter().flat_map(|methods| methods.keys()) {
            let method = method.to_uppercase();
            let headers = [
                ("origin", origin.as_str()),
                ("access-control-request-method", method.as_str()),
                ("access-control-request-headers", "authorization,content-type,idempotency-key,x-request-id"),
            ];
            let preflight = stack.edge("OPTIONS", path, &headers, "");
            assert_eq!((preflight.status, preflight.text.as_str()), (204, ""), "{method} {path}");
            assert_eq!(preflight.header("access-control-allow-origin"), origin);
            assert!(
                names_in(&preflight, "access-control-allow-methods").contains(&method.as_str()),
                "{method}"
            );
            let allowed = names_in(&preflight, "access-control-allow-headers");
            for name in ["authorization", "content-type", "idempotency-key", "x-request-id"] {
                assert!(allowed.contains(&name), "{name}");
            }
            assert_eq!(preflight.header("access-control-max-age"), "600");
            assert_eq!(preflight.header("vary"), "Origin");
            asked += 1;
        }
    }
    assert!(asked >= 70, "{asked} operations");

    let cashier = format!("Bearer {}", stack.sign_in("cashier@demo.example"));
    let signed_in = ("authorization", cashier.as_str());
    for (path, headers, status) in [
        ("/api/merchant/me", vec![signed_in], 200),
        ("/api/merchant/me", vec![], 401),
        ("/api/nowhere", vec![signed_in], 404),
        ("/api/payment/charge", vec![signed_in], 405),
        ("/health", vec![], 200),
    ] {
        let headers = [headers, vec![("origin", origin.as_str())]].concat();
        let answer = stack.edge("GET", path, &headers, "");
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
        assert_eq!(answer.header("vary"), "Origin");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        let exposed = names_in(&answer, "access-control-expose-headers");
        for name in ["x-request-id", "idempotency-replayed", "retry-after", "ratelimit", "ratelimit-policy"] {
            assert!(exposed.contains(&name), "{name}");
        }
    }
}

#[test]
fn a_page_of_an_unlisted_origin_cannot_read_our_answers() {
    let stack = Stack::new();
    for origin in
        ["https://evil.example", "http://wallet.example", "https://wallet.example.evil.example", "null"]
    {
        for (method, status) in [("OPTIONS", 204), ("GET", 401)] {
            let headers = [("origin", origin), ("access-control-request-method", "POST")];
            let answer = stack.edge(method, "/api/member/me", &headers, "");
            assert_eq!(answer.status, status);
            let told = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(told, None, "{method} {origin}");
            assert_eq!(answer.header("vary"), "Origin");
        }
    }
}

#[test]
fn every_answer_has_the_security_headers_and_no_answer_of_the_api_is_cached() {
    let stack = Stack::new();
    let member = format!("Bearer {}", stack.sign_in("hua@demo.example"));
    let signed_in = ("authorization", member.as_str());
    let is_json = ("content-type", "application/json");
    let preflight = vec![("origin", "https://evil.example"), ("access-control-request-method", "POST")];
    for (method, path, headers, status) in [
        ("GET", "/health", vec![], 200),
        ("GET", "/ready", vec![], 200),
        ("GET", "/openapi.json", vec![], 200),
        ("GET", "/nowhere", vec![], 404),
        ("GET", "/metrics", vec![], 401),
        ("POST", "/ops/cron/seal", vec![], 401),
        ("GET", "/api/member/me", vec![signed_in], 200),
        ("GET", "/api/member/me", vec![], 401),
        ("GET", "/api/nowhere", vec![], 404),
        ("GET", "/api/payment/charge", vec![], 405),
        ("POST", "/api/qr/rotate", vec![signed_in, is_json], 400),
        ("POST", "/api/qr/rotate", vec![signed_in, ("content-type", "text/plain")], 415),
        ("OPTIONS", "/api/qr/rotate", preflight, 204),
        ("OPTIONS", "/api/qr/rotate", vec![], 405),
        ("HEAD", "/api/member/me", vec![signed_in], 200),
    ] {
        let answer = stack.edge(method, path, &headers, if method == "POST" { "{" } else { "" });
        let name = format!("{method} {path}");
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{name}");
        assert_eq!(
            answer.header("strict-transport-security"),
            "max-age=63072000; includeSubDomains",
            "{name}"
        );
        assert_eq!(answer.header("x-request-id").len(), 36, "{name}");
        let expected = match path {
            "/openapi.json" => "public, no-cache",
            _ if path.starts_with("/api/") => "no-store",
            _ => "",
        };
        assert_eq!(answer.header("cache-control"), expected, "{name}");
    }
}

#[test]
fn head_answers_like_get_without_a_body_and_options_says_what_there_is() {
    let stack = Stack::new();
    for path in ["/health", "/openapi.json"] {
        let (get, head) = (stack.edge("GET", path, &[], ""), stack.edge("HEAD", path, &[], ""));
        assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
    let nobody = stack.edge("HEAD", "/api/member/me", &[], "");
    assert_eq!((nobody.status, nobody.text.as_str()), (401, ""));
    for (method, path, allow) in [
        ("HEAD", "/api/payment/charge", "POST"),
        ("OPTIONS", "/api/payment/charge", "POST"),
        ("OPTIONS", "/health", "GET,HEAD"),
    ] {
        let answer = stack.edge(method, path, &[], "");
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
    }
}

#[test]
fn a_charge_without_a_right_key_is_refused() {
    let stack = Stack::new();
    let shop = stack.open_shop("100");
    let body = shop.request(&stack.code(&shop), "1").to_string();
    let before = stack.state();
    let too_long = "k".repeat(256);
    let charge = |key| stack.post_text("/api/payment/charge", &shop.cashier, key, &body).refusal();
    assert_eq!(charge(None), answer_of(400, &json!("IDEMPOTENCY_KEY_REQUIRED")));
    assert_eq!(charge(Some(&too_long)), answer_of(400, &json!("IDEMPOTENCY_KEY_INVALID")));
    assert_eq!(charge(Some("\"open")), answer_of(400, &json!("IDEMPOTENCY_KEY_INVALID")));
    assert_eq!(stack.state(), before);
}

#[test]
fn two_keys_in_one_request_move_nothing() {
    let stack = Stack::new();
    let shop = stack.open_shop("100");
    let (key, authorization) = (stack.fresh_key(), format!("Bearer {}", shop.cashier));
    let body = shop.request(&stack.code(&shop), "1");
    let paid = stack.charge(&shop.cashier, &key, &body);
    assert_eq!(paid.status, 200, "{}", paid.text);
    let body = shop.request(&stack.code(&shop), "1").to_string();
    let before = stack.state();
    let quoted = format!("\"{key}\"");
    for keys in [[&key, &key], [&quoted, &quoted], [&key, &quoted]] {
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", keys[0].as_str()),
            ("idempotency-key", keys[1].as_str()),
        ];
        let twice = stack.edge("POST", "/api/payment/charge", &headers, &body);
        assert_eq!(twice.refusal(), answer_of(400, &json!("IDEMPOTENCY_KEY_INVALID")), "{keys:?}");
    }
    assert_eq!(stack.state(), before);
}

#[test]
fn the_log_has_one_json_line_a_request_and_nothing_that_looks_like_a_secret() {
    let stack = Stack::new();
    let shop = stack.open_shop("100");
    let (code, key) = (stack.code(&shop), stack.fresh_key());
    // Secrets in every place where a confused client could put them.
    let mut request = shop.request(&code, code.as_str());
    request["merchant_code"] = json!(code);
    request["terminal_code"] = json!(code);
    stack.charge(&shop.cashier, &key, &request);
    request["raw_amount"] = json!("1");
    stack.charge(&shop.cashier, &key, &request);
    stack.get(&format!("/api/payment/{code}"), &shop.cashier);
    stack.get(&format!("/{code}?token={}", shop.cashier), &shop.cashier);
    stack.post("/api/qr/validate", &shop.cashier, &json!({code.as_str(): key}));
    stack.post("/api/qr/rotate", &shop.cashier, &json!({"card_id": code}));
    stack.get("/api/member/me", &code);
    let paid = stack.charge(&shop.cashier, &key, &shop.request(&code, "1"));
    assert_eq!(paid.status, 200, "{}", paid.body);

    let log = stack.edge_log();
    assert!(log.contains(paid.body["tx_no"].as_str().expect("text")), "a payment's number is in the log");
    let longest_number = log.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    assert!(longest_number < Some(24), "no payment code");
    for piece in ["eyJ", "sb_secret_", "sb_publishable_", "Bearer", "@"] {
        assert!(!log.contains(piece), "{piece} is in the log");
    }
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let charges = lines
        .filter(|line| line["route"] == "/api/payment/charge" && line["merchant_code"] == shop.merchant_code);
    assert_eq!(charges.count(), 1);
}
