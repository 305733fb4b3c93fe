//! An attempt of which the edge lost sight, and that reaches the database after a later one was refused: what the till was told stays true.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::thread;

use mps_e2e::{Answer, Shop, Stack, Upstream, answer_of, send, supabase_address, variable};
use serde_json::{Value, json};

const CHARGE: &str = "/rpc/merchant_charge_by_qr";
const CANCEL: &str = "/rpc/cancel_request";

/// What a charge of 210.00 through this edge is answered, while the test does what is between edge and database.
fn charge(shop: &Shop, body: &Value, key: &str, between: impl FnOnce()) -> Answer {
    let authorization = format!("Bearer {}", shop.cashier);
    let headers = [
        ("content-type", "application/json"),
        ("authorization", authorization.as_str()),
        ("idempotency-key", key),
    ];
    let url = format!("{}/api/payment/charge", variable("MPS_E2E_KEYS_EDGE_URL"));
    thread::scope(|scope| {
        let asked = scope.spawn(|| send("POST", &url, &headers, &body.to_string()));
        between();
        asked.join().expect("no panic")
    })
}

fn balance(stack: &Stack, shop: &Shop) -> String {
    stack.value(&format!("select balance::text from app.cards where id = '{}'", shop.card_id))
}

fn top_up(stack: &Stack, shop: &Shop) {
    stack.value(&format!("select fx.credit('{}', 50)::text", shop.card_id));
}

/// One test: there is one such edge.
#[test]
fn what_a_till_is_told_is_not_overtaken_by_an_attempt_that_was_lost() {
    let stack = Stack::new();
    let upstream = Upstream::start(&variable("MPS_E2E_KEYS_UPSTREAM"));
    a_refusal_is_handed_on_with_its_key_cancelled(&stack, &upstream);
    what_was_done_after_all_is_answered(&stack, &upstream);
    an_attempt_that_the_edge_repeats_is_no_replay(&stack, &upstream);
    where_the_key_cannot_be_cancelled_the_outcome_stays_unknown(&stack, &upstream);
}

fn a_refusal_is_handed_on_with_its_key_cancelled(stack: &Stack, upstream: &Upstream) {
    let (shop, database) = (stack.open_shop("200"), supabase_address());
    let (code, key) = (stack.code(&shop), stack.fresh_key());
    let body = shop.request(&code, "210");
    let mut late = None;
    let answer = charge(&shop, &body, &key, || {
        late = Some(upstream.next(CHARGE).hang_up());
        upstream.next(CHARGE).hand_on(&database);
        upstream.next(CANCEL).hand_on(&database);
    });
    assert_eq!((answer.status, answer.body["code"].as_str()), (402, Some("INSUFFICIENT_BALANCE")));
    assert_eq!(answer.body["key_cancelled"], json!(true));

    top_up(stack, &shop);
    let heard = late.expect("held").arrive(&database);
    assert!(heard.contains("REQUEST_CANCELLED"), "{heard}");
    assert_eq!(balance(stack, &shop), "250.00");
    let again = charge(&shop, &body, &key, || upstream.next(CHARGE).hand_on(&database));
    assert_eq!(answer_of(again.status, &again.body["code"]), answer_of(409, &json!("REQUEST_CANCELLED")));
    assert_eq!(again.body["key_cancelled"], json!(true));
    let paid = charge(&shop, &body, &stack.fresh_key(), || upstream.next(CHARGE).hand_on(&database));
    assert_eq!(paid.status, 200, "{}", paid.text);
    assert_eq!(balance(stack, &shop), "40.00");
}

fn what_was_done_after_all_is_answered(stack: &Stack, upstream: &Upstream) {
    let (shop, database) = (stack.open_shop("210"), supabase_address());
    let (code, key) = (stack.code(&shop), stack.fresh_key());
    let answer = charge(&shop, &shop.request(&code, "210"), &key, || {
        let late = upstream.next(CHARGE).hang_up();
        // Somebody in between refuses the second attempt; the first one arrives meanwhile.
        upstream
            .next(CHARGE)
            .answer_as(403, r#"{"code":"PT403","message":"NOT_MERCHANT_USER","details":"{}","hint":null}"#);
        late.arrive(&database);
        upstream.next(CANCEL).hand_on(&database);
        upstream.next(CHARGE).hand_on(&database);
    });
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(balance(stack, &shop), "0.00");
}

/// The database's answer to the first attempt is lost, and the second one hears it: the till has asked once.
fn an_attempt_that_the_edge_repeats_is_no_replay(stack: &Stack, upstream: &Upstream) {
    let (shop, database) = (stack.open_shop("200"), supabase_address());
    let (code, key) = (stack.code(&shop), stack.fresh_key());
    let body = shop.request(&code, "100");
    let first = charge(&shop, &body, &key, || {
        upstream.next(CHARGE).hang_up().arrive(&database);
        upstream.next(CHARGE).hand_on(&database);
    });
    let again = charge(&shop, &body, &key, || upstream.next(CHARGE).hand_on(&database));
    for (answer, replayed, header) in [(&first, false, ""), (&again, true, "true")] {
        assert_eq!((answer.status, &answer.body["replayed"]), (200, &json!(replayed)), "{}", answer.text);
        assert_eq!(answer.header("idempotency-replayed"), header);
    }
    assert_eq!(first.body["tx_no"], again.body["tx_no"]);
    assert_eq!(balance(stack, &shop), "100.00");
}

fn where_the_key_cannot_be_cancelled_the_outcome_stays_unknown(stack: &Stack, upstream: &Upstream) {
    let (shop, database) = (stack.open_shop("200"), supabase_address());
    let (code, key) = (stack.code(&shop), stack.fresh_key());
    let answer = charge(&shop, &shop.request(&code, "210"), &key, || {
        drop(upstream.next(CHARGE));
        upstream.next(CHARGE).hand_on(&database);
        upstream
            .next(CANCEL)
            .answer_as(401, r#"{"code":"PGRST303","message":"JWT expired","details":null,"hint":null}"#);
    });
    assert_eq!((answer.status, answer.body["code"].as_str()), (503, Some("UNAVAILABLE")));
    assert_eq!(
        (answer.body["retry"].as_str(), &answer.body["key_cancelled"]),
        (Some("same_key"), &Value::Null)
    );
}
