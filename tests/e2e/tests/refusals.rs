//! The refusal matrix: every charge that must not happen has its code over HTTP and over raw RPC, and changes no row.

use mps_e2e::{Shop, Stack, answer_of, fresh};
use serde_json::{Value, json};

/// Status and code, over HTTP and over raw RPC.
struct Expected {
    edge: (u16, &'static str),
    rpc: (u16, &'static str),
}

/// Both the same.
const fn both(status: u16, code: &'static str) -> Expected {
    Expected { edge: (status, code), rpc: (status, code) }
}

/// Sends a charge both ways and compares every row of every table before and after each.
fn refuse(stack: &Stack, name: &str, token: Option<&str>, request: &Value, expected: &Expected) {
    refuse_text(stack, name, token, &request.to_string(), &request.to_string(), expected);
}

fn refuse_text(stack: &Stack, name: &str, token: Option<&str>, edge: &str, rpc: &str, expected: &Expected) {
    let before = stack.state();
    assert!(before.tables() >= 10, "the snapshot covers the tables");
    let (key, rpc_key) = (stack.fresh_key(), stack.fresh_key());
    let answer = stack.post_text("/api/payment/charge", token.unwrap_or_default(), Some(&key), edge);
    assert_eq!(answer.refusal(), answer_of(expected.edge.0, &json!(expected.edge.1)), "{name}, edge");
    assert_eq!(stack.state(), before, "{name}, edge: something changed");
    let arguments = rpc_arguments(rpc, &rpc_key);
    let answer = stack.rpc("merchant_charge_by_qr", token, &arguments);
    assert_eq!(
        answer.rpc_refusal(),
        answer_of(expected.rpc.0, &json!(expected.rpc.1)),
        "{name}, rpc: {}",
        answer.body
    );
    assert_eq!(stack.state(), before, "{name}, rpc: something changed");
}

/// The same fields under the function's names; text, so that a number stays as it is written.
fn rpc_arguments(request: &str, key: &str) -> String {
    let mut text = request.to_owned();
    for name in ["merchant_code", "qr_plain", "raw_amount", "terminal_code"] {
        text = text.replace(&format!("\"{name}\":"), &format!("\"p_{name}\":"));
    }
    text.replacen('{', &format!("{{\"p_idempotency_key\":\"{key}\","), 1)
}

fn with(mut request: Value, field: &str, value: impl Into<Value>) -> Value {
    request[field] = value.into();
    request
}

/// 23 digits and the right check digit.
fn code_with(stack: &Stack, first_digits: &str) -> String {
    let digits: String = fresh("").bytes().map(|byte| char::from(b'0' + byte % 10)).collect();
    let body = format!("{first_digits}{}", &digits[..23 - first_digits.len()]);
    let check = stack.value(&format!("select rules.luhn_digit('{body}')"));
    stack.keep_secret(&format!("{body}{check}"))
}

fn used_code(stack: &Stack, shop: &Shop) -> String {
    let code = stack.code(shop);
    let charge = stack.charge(&shop.cashier, &stack.fresh_key(), &shop.request(&code, "1.00"));
    assert_eq!(charge.status, 200, "{}", charge.body);
    code
}

#[test]
fn a_code_that_does_not_live_pays_nothing() {
    let stack = Stack::new();
    let shop = stack.open_shop("500");
    let dead = both(409, "QR_EXPIRED_OR_INVALID");
    let expired = stack.code(&shop);
    stack.execute(&format!("select fx.age_code('{expired}')"));
    refuse(&stack, "expired", Some(&shop.cashier), &shop.request(&expired, "10.00"), &dead);
    let revoked = stack.code(&shop);
    let revoke = stack.post("/api/qr/revoke", &shop.member, &json!({"card_id": shop.card_id}));
    assert_eq!(revoke.body, json!({"revoked": true}));
    refuse(&stack, "revoked", Some(&shop.cashier), &shop.request(&revoked, "10.00"), &dead);
    let replaced = stack.code(&shop);
    stack.code(&shop);
    refuse(&stack, "replaced by a newer one", Some(&shop.cashier), &shop.request(&replaced, "10.00"), &dead);
    let used = used_code(&stack, &shop);
    refuse(&stack, "used", Some(&shop.cashier), &shop.request(&used, "10.00"), &dead);
    let unknown = code_with(&stack, "70");
    refuse(&stack, "unknown", Some(&shop.cashier), &shop.request(&unknown, "10.00"), &dead);
}

#[test]
fn text_that_is_no_code_pays_nothing() {
    let stack = Stack::new();
    let shop = stack.open_shop("500");
    let live = stack.code(&shop);
    let last = live.bytes().last().unwrap_or_default();
    let wrong_check = format!("{}{}", &live[..23], char::from(b'0' + (last - b'0' + 1) % 10));
    let cut = live[..23].to_owned();
    let wrong_prefix = code_with(&stack, "73");
    for text in [&wrong_check, &cut, &wrong_prefix, &format!(" {live}"), &String::new(), &"code".to_owned()] {
        let request = shop.request(&stack.keep_secret_if_long(text), "10.00");
        refuse(
            &stack,
            &format!("malformed, {} characters", text.len()),
            Some(&shop.cashier),
            &request,
            &both(400, "INVALID_QR"),
        );
    }
}

#[test]
fn an_offline_code_of_no_device_pays_nothing() {
    let stack = Stack::new();
    let shop = stack.open_shop("500");
    let (offline, bound) = (code_with(&stack, "71"), code_with(&stack, "72"));
    let cashier = Some(shop.cashier.as_str());
    refuse(&stack, "71", cashier, &shop.request(&offline, "10.00"), &both(409, "QR_EXPIRED_OR_INVALID"));
    refuse(
        &stack,
        "72 without terminal",
        cashier,
        &shop.request(&bound, "10.00"),
        &both(400, "TERMINAL_CODE_REQUIRED"),
    );
    let at_till = with(shop.request(&bound, "10.00"), "terminal_code", shop.terminal_code.as_str());
    refuse(&stack, "72 at its till", cashier, &at_till, &both(409, "QR_EXPIRED_OR_INVALID"));
    let at_other_till = with(shop.request(&bound, "10.00"), "terminal_code", "K7Q2ZD");
    refuse(
        &stack,
        "72 at a till of another merchant",
        cashier,
        &at_other_till,
        &both(404, "TERMINAL_NOT_FOUND"),
    );
}

#[test]
fn nobody_but_the_merchants_own_users_charges() {
    let stack = Stack::new();
    let (shop, other) = (stack.open_shop("500"), stack.open_shop("500"));
    let request = shop.request(&stack.code(&shop), "10.00");
    // Without a user PostgREST itself refuses: anon may not execute the function.
    let anonymous = Expected { edge: (401, "NOT_AUTHENTICATED"), rpc: (401, "42501") };
    refuse(&stack, "anonymous", None, &request, &anonymous);
    let not_yours = both(403, "NOT_MERCHANT_USER");
    refuse(&stack, "a stranger", Some(&stack.stranger()), &request, &not_yours);
    refuse(&stack, "another merchant's cashier", Some(&other.cashier), &request, &not_yours);
    refuse(&stack, "the payer himself", Some(&shop.member), &request, &not_yours);
    let unknown = with(request, "merchant_code", "NOSHOP");
    refuse(&stack, "for an unknown merchant", Some(&shop.cashier), &unknown, &not_yours);
}

#[test]
fn an_amount_that_can_never_be_right_is_refused() {
    let stack = Stack::new();
    let shop = stack.open_shop("500");
    let code = stack.code(&shop);
    let invalid = || both(422, "INVALID_PRICE");
    let cases = [
        (r#""NaN""#, invalid()),
        (r#""Infinity""#, invalid()),
        ("-1", invalid()),
        (r#""-1""#, invalid()),
        ("0", invalid()),
        (r#""0.00""#, invalid()),
        ("0.001", invalid()),
        (r#""0.001""#, invalid()),
        ("99999999999999", invalid()),
        (r#""99999999999999""#, invalid()),
        // Over raw RPC this is the number 1000, which is more than the card has.
        ("1e3", Expected { edge: (422, "INVALID_PRICE"), rpc: (402, "INSUFFICIENT_BALANCE") }),
        (r#""1e3""#, Expected { edge: (422, "INVALID_PRICE"), rpc: (402, "INSUFFICIENT_BALANCE") }),
        // PostgreSQL cannot read it as a number at all.
        (r#""ten""#, Expected { edge: (422, "INVALID_PRICE"), rpc: (400, "22P02") }),
        ("50000.01", both(422, "AMOUNT_OVER_LIMIT")),
        ("500.01", both(402, "INSUFFICIENT_BALANCE")),
    ];
    for (raw_amount, expected) in cases {
        let (merchant_code, cashier) = (&shop.merchant_code, Some(shop.cashier.as_str()));
        let text =
            format!(r#"{{"merchant_code":"{merchant_code}","qr_plain":"{code}","raw_amount":{raw_amount}}}"#);
        refuse_text(&stack, raw_amount, cashier, &text, &text, &expected);
    }
    let charge = stack.charge(&shop.cashier, &stack.fresh_key(), &shop.request(&code, "500.00"));
    assert_eq!(charge.status, 200, "the code has survived all refusals: {}", charge.body);
}

#[test]
fn over_raw_rpc_an_exponent_is_a_number() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let text = shop.request(&stack.code(&shop), "AMOUNT").to_string().replace("\"AMOUNT\"", "1e3");
    let charge =
        stack.rpc("merchant_charge_by_qr", Some(&shop.cashier), &rpc_arguments(&text, &stack.fresh_key()));
    assert_eq!(charge.status, 200, "{}", charge.body);
    assert_eq!(stack.get("/api/member/cards", &shop.member).body[0]["balance"], "0.00");
}

#[test]
fn a_refusal_does_not_tell_the_balance() {
    let stack = Stack::new();
    let shop = stack.open_shop("123.45");
    let answer = stack.charge(&shop.cashier, &stack.fresh_key(), &shop.request(&stack.code(&shop), "123.46"));
    assert_eq!(answer.refusal(), answer_of(402, &json!("INSUFFICIENT_BALANCE")));
    assert!(!answer.body.to_string().contains("123.4"), "{}", answer.body);
}

#[test]
fn a_limit_that_was_passed_is_named() {
    let stack = Stack::new();
    let shop = stack.open_shop("60000");
    let answer =
        stack.charge(&shop.cashier, &stack.fresh_key(), &shop.request(&stack.code(&shop), "50000.01"));
    assert_eq!(answer.refusal(), answer_of(422, &json!("AMOUNT_OVER_LIMIT")));
    assert_eq!(answer.body["params"], json!({"limit": "50000.00"}));
}

#[test]
fn who_was_suspended_or_frozen_meanwhile_pays_and_charges_nothing() {
    let stack = Stack::new();
    let change = |what: &str, statement: &dyn Fn(&Shop) -> String, code: &'static str| {
        let shop = stack.open_shop("500");
        let request = shop.request(&stack.code(&shop), "10.00");
        stack.execute(&statement(&shop));
        refuse(&stack, what, Some(&shop.cashier), &request, &both(409, code));
    };
    let freeze =
        |shop: &Shop| format!("update app.cards set status = 'frozen' where id = '{}'", shop.card_id);
    change("a frozen card", &freeze, "CARD_NOT_ACTIVE");
    let suspend_member = |shop: &Shop| {
        let own = format!("select personal_member_id from app.cards where id = '{}'", shop.card_id);
        format!("update app.member_profiles set status = 'suspended' where id = ({own})")
    };
    change("a suspended member", &suspend_member, "MEMBER_NOT_ACTIVE");
    let suspend_shop = |shop: &Shop| {
        format!("update app.merchants set status = 'suspended' where code = '{}'", shop.merchant_code)
    };
    change("a suspended merchant", &suspend_shop, "MERCHANT_NOT_FOUND_OR_INACTIVE");
}

#[test]
fn a_malformed_key_is_refused_before_a_malformed_amount_and_a_malformed_code() {
    let stack = Stack::new();
    let shop = stack.open_shop("500");
    let before = stack.state();
    let key = "k".repeat(256);
    let (both_wrong, amount_wrong) = (shop.request("70", "-1"), shop.request("70", "-1"));
    let answer = stack.charge(&shop.cashier, &key, &both_wrong);
    assert_eq!(answer.refusal(), answer_of(400, &json!("IDEMPOTENCY_KEY_INVALID")));
    let answer = stack.rpc(
        "merchant_charge_by_qr",
        Some(&shop.cashier),
        &rpc_arguments(&both_wrong.to_string(), &key),
    );
    assert_eq!(answer.rpc_refusal(), answer_of(400, &json!("IDEMPOTENCY_KEY_INVALID")));
    refuse(&stack, "amount before code", Some(&shop.cashier), &amount_wrong, &both(422, "INVALID_PRICE"));
    assert_eq!(stack.state(), before);
}
