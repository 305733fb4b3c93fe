//! A panic ends its own request and no other.

use std::env;
use std::thread;

use mps_e2e::{Stack, Token, Upstream, send};

const IN_FLIGHT: usize = 50;

#[test]
fn a_panic_answers_500_and_all_others_in_flight_are_answered() {
    let variable = |name| env::var(name).expect("run these tests with `cargo xtask test --only e2e`");
    let upstream = Upstream::start(&variable("MPS_E2E_PANIC_UPSTREAM"));
    let url = variable("MPS_E2E_PANIC_EDGE_URL");
    let token = Token::of("0193b5a0-0000-7000-8000-00000000000a").sign(&variable("MPS_E2E_JWT_SECRET"));
    let authorization = format!("Bearer {token}");
    let signed_in = [("authorization", authorization.as_str())];
    thread::scope(|scope| {
        let ask = || send("GET", &format!("{url}/api/member/cards"), &signed_in, "");
        let requests: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(ask)).collect();
        let held: Vec<_> = (0..IN_FLIGHT).map(|_| upstream.next("/rpc/get_member_cards")).collect();
        for _ in 0..3 {
            let panicked = send("GET", &format!("{url}/test/panic"), &[], "");
            assert_eq!(panicked.refusal(), (500, "INTERNAL".to_owned()), "{}", panicked.text);
            assert_eq!(panicked.header("content-type"), "application/problem+json");
            assert_eq!(panicked.body["instance"], panicked.header("x-request-id"));
        }
        for call in held {
            call.answer("[]");
        }
        let answers: Vec<u16> =
            requests.into_iter().map(|request| request.join().expect("an answer").status).collect();
        assert_eq!(answers, [200; IN_FLIGHT]);
    });
    assert_eq!(send("GET", &format!("{url}/health"), &[], "").status, 200);
}

#[test]
fn the_build_that_is_deployed_has_no_route_that_panics() {
    let stack = Stack::new();
    assert_eq!(stack.edge("GET", "/test/panic", &[], "").status, 404);
}
