//! Limits on the Durable Object limiter: ten times the quota is shed, exactly the quota is served, others notice nothing.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use mps_e2e::{Stack, Token, fresh, send, variable};

const QUOTA: usize = 50;
const THREADS: usize = 8;

/// Statuses of so many requests, several at a time.
fn flood(count: usize, url: &str, headers: &[(&str, &str)]) -> Vec<u16> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let work = || {
            let mut statuses = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < count {
                statuses.push(send("POST", url, headers, "{}").status);
            }
            statuses
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn ten_times_the_quota_is_shed_and_exactly_the_quota_is_served() {
    let stack = Stack::new();
    let url = std::env::var("MPS_E2E_LIMITED_EDGE_URL").expect("the limited edge") + "/api/payment/quote";
    let authorization = |user: &str| format!("Bearer {}", stack.sign(&Token::of(user)));
    let (greedy, modest) = (authorization(&fresh("greedy-")), authorization(&fresh("modest-")));
    let headers = [("authorization", greedy.as_str()), ("content-type", "application/json")];
    let statuses = flood(10 * QUOTA, &url, &headers);
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    // The body is refused by the edge itself; what matters is that it was looked at.
    assert_eq!((count(400), count(429)), (QUOTA, 9 * QUOTA));

    let refused = send("POST", &url, &headers, "{}");
    assert_eq!(refused.refusal(), (429, "RATE_LIMITED".to_owned()));
    let seconds: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=66).contains(&seconds), "{seconds}");
    assert_eq!(refused.body["params"]["retry_after_seconds"], seconds);
    assert_eq!(refused.header("ratelimit-policy"), r#""user";q=200;w=60, "payment";q=50;w=60"#);
    assert!(refused.header("ratelimit").contains(r#""payment";r=0;t="#));

    let other = [("authorization", modest.as_str()), ("content-type", "application/json")];
    assert_eq!(send("POST", &url, &other, "{}").status, 400);
    // Payments are used up, the user's other requests are not: refused ones did not count.
    let me = stack.limited_edge("POST", "/api/qr/revoke", &headers, "{}");
    assert_eq!(me.status, 400);
    assert!(me.header("ratelimit").starts_with(&format!(r#""user";r={};"#, 200 - QUOTA - 1)));
}

#[test]
fn a_flood_of_one_user_costs_another_no_payment() {
    let stack = Stack::new();
    let shop = stack.open_shop("100");
    let edge = variable("MPS_E2E_LIMITED_EDGE_URL");
    let greedy = format!("Bearer {}", stack.sign(&Token::of(&fresh("greedy-"))));
    let of_greedy = [("authorization", greedy.as_str()), ("content-type", "application/json")];
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let statuses = flood(10 * QUOTA, &format!("{edge}/api/payment/quote"), &of_greedy);
            is_over.store(true, Ordering::Relaxed);
            statuses
        });
        let cashier = format!("Bearer {}", shop.cashier);
        let mut charges = 0;
        while charges < QUOTA / 2 && !(is_over.load(Ordering::Relaxed) && charges > 0) {
            let (key, request) = (stack.fresh_key(), shop.request(&stack.code(&shop), "1.00").to_string());
            let headers = [
                ("authorization", cashier.as_str()),
                ("content-type", "application/json"),
                ("idempotency-key", &key),
            ];
            let paid = send("POST", &format!("{edge}/api/payment/charge"), &headers, &request);
            assert_eq!(paid.status, 200, "{}", paid.text);
            charges += 1;
        }
        let statuses = flood.join().expect("no panic");
        assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 9 * QUOTA);
    });
}

#[test]
fn an_address_without_a_token_is_shed_and_the_others_are_not() {
    let stack = Stack::new();
    let url = std::env::var("MPS_E2E_LIMITED_EDGE_URL").expect("the limited edge") + "/api/payment/quote";
    let statuses = flood(10 * QUOTA, &url, &[("x-real-ip", "192.0.2.1")]);
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(401), count(429)), (QUOTA, 9 * QUOTA));
    let from_another = stack.limited_edge("POST", "/api/payment/quote", &[("x-real-ip", "192.0.2.2")], "{}");
    assert_eq!(from_another.status, 401);
    assert_eq!(stack.limited_edge("GET", "/health", &[("x-real-ip", "192.0.2.1")], "").status, 200);
}
