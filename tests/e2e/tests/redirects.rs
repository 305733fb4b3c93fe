//! A PostgREST that sends the edge elsewhere: the caller's token does not go there.

use std::thread;

use mps_e2e::{Stack, Token, Upstream, fresh, send, variable};

#[test]
fn a_redirect_takes_no_token_elsewhere_and_is_an_error() {
    let stack = Stack::new();
    let token = stack.sign(&Token::of(&fresh("u-")));
    let (upstream, elsewhere) =
        (Upstream::start(&variable("MPS_E2E_KEYS_UPSTREAM")), Upstream::start("127.0.0.1:0"));
    let url = format!("{}/api/member/cards", variable("MPS_E2E_KEYS_EDGE_URL"));
    for status in [301, 302, 303, 307, 308] {
        thread::scope(|scope| {
            let authorization = format!("Bearer {token}");
            let url = &url;
            let asked = scope.spawn(move || send("GET", url, &[("authorization", &authorization)], ""));
            let place = format!("{}/rest/v1/rpc/get_member_cards", elsewhere.url);
            upstream.next("/rpc/get_member_cards").redirect(status, &place);
            assert_eq!(asked.join().expect("no panic").refusal(), (500, "INTERNAL".to_owned()), "{status}");
        });
    }
    assert!(elsewhere.is_untouched(), "somebody went where he was sent");
}
