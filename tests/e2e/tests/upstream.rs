//! What a PostgREST in the edge's place could be made to answer: the caller's token goes nowhere else, and no answer fills the memory.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::thread;

use mps_e2e::{Answer, HeldCall, Stack, Token, Upstream, fresh, send, variable};

const CARDS: &str = "/rpc/get_member_cards";
const TOO_LONG: usize = 8 * 1024 * 1024 + 1;

type Says = fn(HeldCall, &str);

/// What a member's question for his cards is answered when the database says this.
fn cards(stack: &Stack, upstream: &Upstream, says: impl FnOnce(HeldCall)) -> Answer {
    let authorization = format!("Bearer {}", stack.sign(&Token::of(&fresh("u-"))));
    let url = format!("{}/api/member/cards", variable("MPS_E2E_KEYS_EDGE_URL"));
    thread::scope(|scope| {
        let asked = scope.spawn(|| send("GET", &url, &[("authorization", &authorization)], ""));
        says(upstream.next(CARDS));
        asked.join().expect("no panic")
    })
}

fn internal() -> (u16, String) {
    (500, "INTERNAL".to_owned())
}

/// One test: there is one such edge.
#[test]
fn an_answer_that_leads_away_or_is_too_long_is_an_error() {
    let stack = Stack::new();
    let upstream = Upstream::start(&variable("MPS_E2E_KEYS_UPSTREAM"));
    a_redirect_takes_no_token_elsewhere(&stack, &upstream);
    a_packed_answer_is_read(&stack, &upstream);
    an_answer_over_eight_mebibytes_is_not_read(&stack, &upstream);
    let answer = cards(&stack, &upstream, |call| call.answer("[]"));
    assert_eq!((answer.status, answer.text.as_str()), (200, "[]"), "it serves the next one");
}

fn a_redirect_takes_no_token_elsewhere(stack: &Stack, upstream: &Upstream) {
    let elsewhere = Upstream::start("127.0.0.1:0");
    let place = format!("{}/rest/v1{CARDS}", elsewhere.url);
    for status in [301, 302, 303, 307, 308] {
        let answer = cards(stack, upstream, |call| call.redirect(status, &place));
        assert_eq!(answer.refusal(), internal(), "{status}");
    }
    assert!(elsewhere.is_untouched(), "somebody went where he was sent");
}

fn a_packed_answer_is_read(stack: &Stack, upstream: &Upstream) {
    let answer = cards(stack, upstream, |call| call.answer_packed("[]"));
    assert_eq!((answer.status, answer.text.as_str()), (200, "[]"));
}

/// A list of no cards but for its length.
fn an_answer_over_eight_mebibytes_is_not_read(stack: &Stack, upstream: &Upstream) {
    let fits = format!("[{}]", " ".repeat(TOO_LONG - 3));
    let long = format!("[{}]", " ".repeat(TOO_LONG - 2));
    let ways: [(&str, Says); 3] = [
        ("announced", HeldCall::answer),
        ("in pieces", HeldCall::answer_in_pieces),
        ("packed", HeldCall::answer_packed),
    ];
    for (name, says) in ways {
        let answer = cards(stack, upstream, |call| says(call, &fits));
        assert_eq!((answer.status, answer.text.as_str()), (200, "[]"), "{name}");
        assert_eq!(cards(stack, upstream, |call| says(call, &long)).refusal(), internal(), "{name}");
    }
}
