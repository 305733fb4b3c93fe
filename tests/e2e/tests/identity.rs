//! Tokens of published keys, on an edge whose Supabase this test plays; and what that Supabase may not delay.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::{env, thread};

use jwt_compact::alg::{Es256, Hs256, Hs256Key, Rsa};
use mps_e2e::{Answer, ProjectKeys, Stack, Token, Upstream, send, wait_for_log};
use serde_json::{Value, json};

const IN_FLIGHT: usize = 50;
const USER: &str = "0193b5a0-0000-7000-8000-0000000000aa";

fn variable(name: &str) -> String {
    env::var(name).expect("run these tests with `cargo xtask test --only e2e`")
}

fn my_cards(token: &str) -> Answer {
    let url = format!("{}/api/member/cards", variable("MPS_E2E_KEYS_EDGE_URL"));
    send("GET", &url, &[("authorization", &format!("Bearer {token}"))], "")
}

/// Publishes the keys and answers every call with no rows, until somebody asks for /stop.
fn publish(upstream: Upstream, page: String, fetches: Arc<AtomicU64>) -> JoinHandle<Upstream> {
    thread::spawn(move || {
        loop {
            let (path, call) = upstream.next_of_all();
            match path.as_str() {
                "/auth/v1/.well-known/jwks.json" => {
                    fetches.fetch_add(1, SeqCst);
                    call.answer(&page);
                }
                "/stop" => {
                    call.answer("true");
                    return upstream;
                }
                _ => call.answer("[]"),
            }
        }
    })
}

/// One test: there is one such edge, and it keeps the keys that it has fetched.
#[test]
fn published_keys_let_in_what_they_signed_and_no_report_delays_an_answer() {
    let stack = Stack::new();
    let upstream = Upstream::start(&variable("MPS_E2E_KEYS_UPSTREAM"));
    let stop = format!("{}/stop", upstream.url);
    let (keys, fetches) = (ProjectKeys::new(), Arc::new(AtomicU64::new(0)));
    let page = keys.page();
    let playing = publish(upstream, page.to_string(), fetches.clone());
    published_keys_are_fetched_once_and_let_in_what_they_signed_and_nothing_else(
        &stack, &keys, &page, &fetches,
    );
    assert_eq!(send("GET", &stop, &[], "").status, 200);
    let upstream = playing.join().expect("no panic");
    a_report_that_hangs_or_fails_delays_no_answer_and_is_logged(&stack, &upstream);
}

fn published_keys_are_fetched_once_and_let_in_what_they_signed_and_nothing_else(
    stack: &Stack,
    keys: &ProjectKeys,
    page: &Value,
    fetches: &AtomicU64,
) {
    let token = Token::of(USER);
    let right = stack.keep_secret(&token.sign_as(&Es256, &keys.ec, "ec"));
    thread::scope(|scope| {
        let requests: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(|| my_cards(&right).status)).collect();
        let answers: Vec<u16> =
            requests.into_iter().map(|request| request.join().expect("an answer")).collect();
        assert_eq!(answers, [200; IN_FLIGHT], "those who wait for the keys are answered too");
    });
    assert_eq!(fetches.load(SeqCst), 1);
    let rs256 = stack.keep_secret(&token.sign_as(&Rsa::rs256(), &keys.rsa, "rsa"));
    assert_eq!(my_cards(&rs256).status, 200);
    assert_eq!(my_cards(&stack.sign(&token)).status, 200, "the secret still signs");

    let others = ProjectKeys::new();
    let public = page["keys"][1].to_string();
    let wrong = [
        ("forged, ES256", token.sign_as(&Es256, &others.ec, "ec")),
        ("forged, RS256", token.sign_as(&Rsa::rs256(), &others.rsa, "rsa")),
        ("of a key for something else", token.sign_as(&Es256, &keys.ec, "rsa")),
        ("of another algorithm", token.sign_as(&Rsa::ps256(), &keys.rsa, "rsa")),
        ("HS256 with the public key", token.sign_as(&Hs256, &Hs256Key::new(public), "rsa")),
        ("expired", token.clone().with_time("exp", -40).sign_as(&Es256, &keys.ec, "ec")),
        ("not yet valid", token.clone().with_time("nbf", 40).sign_as(&Es256, &keys.ec, "ec")),
        (
            "for another audience",
            token.clone().with("aud", json!("anon")).sign_as(&Rsa::rs256(), &keys.rsa, "rsa"),
        ),
        ("of nobody", token.clone().with("sub", json!(null)).sign_as(&Es256, &keys.ec, "ec")),
        ("unsigned", token.unsigned()),
        ("too long", token.clone().with("filler", json!("x".repeat(9000))).sign_as(&Es256, &keys.ec, "ec")),
    ];
    for (name, token) in &wrong {
        let answer = my_cards(&stack.keep_secret(token));
        assert_eq!(answer.refusal(), (401, "NOT_AUTHENTICATED".to_owned()), "{name}");
    }
    // A key that was made this very minute would be unknown too: nobody is signed out for it.
    let unknown = my_cards(&stack.keep_secret(&token.sign_as(&Es256, &keys.ec, "other")));
    assert_eq!(unknown.refusal(), (503, "UNAVAILABLE".to_owned()));
    let seconds: u64 = unknown.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(fetches.load(SeqCst), 1, "an unknown id has them fetched at most once a minute");
}

fn a_report_that_hangs_or_fails_delays_no_answer_and_is_logged(stack: &Stack, upstream: &Upstream) {
    let token = stack.token_of(USER);
    let body = json!({"merchant_code": "SHOP001", "original_tx_no": "PAY0000000001", "refund_amount": "1"});
    let answer = thread::scope(|scope| {
        let request = scope.spawn(|| {
            let authorization = format!("Bearer {token}");
            let headers = [
                ("authorization", authorization.as_str()),
                ("content-type", "application/json"),
                ("idempotency-key", "k-1"),
            ];
            let url = format!("{}/api/payment/refund", variable("MPS_E2E_KEYS_EDGE_URL"));
            send("POST", &url, &headers, &body.to_string())
        });
        let refusal = r#"{"code":"PT403","message":"NOT_MERCHANT_USER","details":null,"hint":null}"#;
        upstream.next("/rpc/merchant_refund_tx").answer_as(403, refusal);
        request.join().expect("an answer, whatever becomes of the report")
    });
    assert_eq!(answer.refusal(), (403, "NOT_MERCHANT_USER".to_owned()), "{}", answer.text);
    // It hangs until here, and now its connection breaks.
    drop(upstream.next("/rpc/report_refusal"));
    let log = wait_for_log("MPS_E2E_KEYS_EDGE_LOG", "refusal_report_lost");
    let line = log.lines().find(|line| line.contains("refusal_report_lost")).unwrap_or_default();
    assert!(line.contains(answer.header("x-request-id")), "{line}");
}
