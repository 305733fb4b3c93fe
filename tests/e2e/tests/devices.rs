//! A phone that makes codes without a network, through the edge: enrolled, charged, listed, revoked.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use chrono::DateTime;
use mps_core::payment_code::{DeviceKey, Handle, Step, TerminalCode, offline_code};
use mps_e2e::{Answer, Shop, Stack, answer_of};
use serde_json::{Value, json};

struct Phone {
    handle: Handle,
    key: DeviceKey,
}

fn enrol(stack: &Stack, shop: &Shop) -> Answer {
    stack.post("/api/devices", &shop.member, &json!({"card_id": shop.card_id, "label": "phone"}))
}

fn revoke(stack: &Stack, token: &str, path: &str) -> Answer {
    stack.edge("DELETE", path, &[("authorization", &format!("Bearer {token}"))], "")
}

fn charge(stack: &Stack, shop: &Shop, request: &Value) -> Answer {
    stack.charge(&shop.cashier, &stack.fresh_key(), request)
}

/// What every wrong, spent or revoked code is answered.
fn no_code() -> (u16, String) {
    answer_of(409, &json!("QR_EXPIRED_OR_INVALID"))
}

/// By the database's clock, which judges codes.
/// Whole seconds: rounded up, they may be in the next step.
fn unix_seconds(stack: &Stack) -> i64 {
    stack.value("select floor(extract(epoch from clock_timestamp()))::bigint").parse().expect("seconds")
}

impl Phone {
    fn enrolled(stack: &Stack, shop: &Shop) -> Self {
        let device = enrol(stack, shop);
        assert_eq!(device.status, 200, "{}", device.body);
        let text = |field: &str| device.body[field].as_str().expect("text").to_owned();
        let key = DeviceKey::parse(&stack.keep_secret(&text("device_key"))).expect("a key");
        Self { handle: Handle::parse(&text("handle")).expect("a handle"), key }
    }

    fn code_of(&self, stack: &Stack, unix_seconds: i64, terminal: Option<&str>) -> String {
        let step = Step::at(unix_seconds.try_into().expect("after 1970"));
        let terminal = terminal.map(|code| TerminalCode::parse(code).expect("a terminal's code"));
        stack.keep_secret(offline_code(&self.handle, &self.key, step, terminal.as_ref()).reveal())
    }

    /// The code of now.
    fn code(&self, stack: &Stack) -> String {
        self.code_of(stack, unix_seconds(stack), None)
    }

    /// The code of the step after that.
    fn next_code(&self, stack: &Stack) -> String {
        self.code_of(stack, unix_seconds(stack) + 30, None)
    }

    fn path(&self) -> String {
        format!("/api/devices/{}", self.handle.as_str())
    }
}

#[test]
fn a_code_made_offline_pays_once_whatever_the_amount() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let code = Phone::enrolled(&stack, &shop).code(&stack);
    let paid = charge(&stack, &shop, &shop.request(&code, "10.00"));
    assert_eq!((paid.status, &paid.body["card_id"]), (200, &json!(shop.card_id)), "{}", paid.text);
    let before = stack.state();
    for amount in ["10.00", "11.00"] {
        assert_eq!(charge(&stack, &shop, &shop.request(&code, amount)).refusal(), no_code(), "{amount}");
    }
    assert_eq!(stack.state(), before);
}

#[test]
fn a_phone_that_is_revoked_pays_no_more() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let phone = Phone::enrolled(&stack, &shop);
    let request = shop.request(&phone.next_code(&stack), "10.00");
    let quote = stack.post("/api/payment/quote", &shop.cashier, &request);
    assert_eq!(quote.status, 200, "until it is revoked it would pay: {}", quote.body);
    assert_eq!(revoke(&stack, &shop.member, &phone.path()).body, json!({"changed": true}));
    let before = stack.state();
    assert_eq!(charge(&stack, &shop, &request).refusal(), no_code());
    assert_eq!(stack.state(), before);
    assert_eq!(revoke(&stack, &shop.member, &phone.path()).body, json!({"changed": false}));
}

#[test]
fn a_phone_is_listed_for_its_owner_and_revoked_by_nobody_else() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let phone = Phone::enrolled(&stack, &shop);
    let list = format!("/api/devices?card_id={}", shop.card_id);
    let listed = stack.get(&list, &shop.member);
    assert_eq!(listed.body.as_array().map(Vec::len), Some(1), "{}", listed.body);
    let (handle, label) = (&listed.body[0]["handle"], &listed.body[0]["label"]);
    assert_eq!((handle, label), (&json!(phone.handle.as_str()), &json!("phone")));
    let key = phone.key.reveal().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert!(!listed.text.contains(&key), "the key is told once");
    let stranger = stack.stranger();
    assert_eq!(stack.get(&list, &stranger).refusal(), answer_of(404, &json!("CARD_NOT_FOUND")));
    let before = stack.state();
    let refused = revoke(&stack, &stranger, &phone.path());
    assert_eq!(refused.refusal(), answer_of(404, &json!("DEVICE_NOT_FOUND")));
    assert_eq!(stack.state(), before);
    assert_eq!(revoke(&stack, &shop.member, &phone.path()).status, 200);
    assert_eq!(stack.get(&list, &shop.member).body, json!([]));
}

#[test]
fn a_card_has_five_phones_at_most_and_one_that_is_revoked_makes_room() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let phones: Vec<Phone> = (0..5).map(|_| Phone::enrolled(&stack, &shop)).collect();
    let before = stack.state();
    assert_eq!(enrol(&stack, &shop).refusal(), answer_of(409, &json!("DEVICE_LIMIT_REACHED")));
    assert_eq!(stack.state(), before);
    assert_eq!(revoke(&stack, &shop.member, &phones[0].path()).status, 200);
    Phone::enrolled(&stack, &shop);
}

#[test]
fn a_code_for_one_terminal_pays_there_and_nowhere_else() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let other = stack.terminal_code();
    stack.value(&format!("select fx.make_terminal('{}', '{other}')", shop.merchant_code));
    let (phone, now) = (Phone::enrolled(&stack, &shop), unix_seconds(&stack));
    let code = phone.code_of(&stack, now, Some(&shop.terminal_code));
    let mut request = shop.request(&code, "10.00");
    let before = stack.state();
    let mut at = |terminal: &str| {
        request["terminal_code"] = json!(terminal);
        charge(&stack, &shop, &request)
    };
    assert_eq!(at(&other).refusal(), no_code(), "of the same shop");
    assert_eq!(at("K7Q2ZD").refusal(), answer_of(404, &json!("TERMINAL_NOT_FOUND")), "of the demo shop");
    let nowhere = charge(&stack, &shop, &shop.request(&code, "10.00"));
    assert_eq!(nowhere.refusal(), answer_of(400, &json!("TERMINAL_CODE_REQUIRED")));
    assert_eq!(stack.state(), before);
    assert_eq!(at(&shop.terminal_code).status, 200);
    // It was this step's payment: the code for any terminal is spent with it.
    let for_any = phone.code_of(&stack, now, None);
    assert_eq!(charge(&stack, &shop, &shop.request(&for_any, "10.00")).refusal(), no_code());
}

#[test]
fn every_answer_tells_the_time_of_the_server() {
    let stack = Stack::new();
    for (path, status) in [("/health", 200), ("/api/member/me", 401), ("/nowhere", 404)] {
        let before = unix_seconds(&stack);
        let answer = stack.edge("GET", path, &[], "");
        let date = DateTime::parse_from_rfc2822(answer.header("date")).expect("a date").timestamp();
        // The database rounds to the next second, the header cuts to the last.
        assert!((before - 1..=unix_seconds(&stack)).contains(&date), "{path}: {date}");
        assert_eq!(answer.status, status, "{path}");
    }
}
