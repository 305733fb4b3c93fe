//! The audit log's rows of refused money calls.

use mps_e2e::{Stack, answer_of};
use serde_json::{Value, json};

/// The row of a request's refusal, when it has come.
fn report(stack: &Stack, request_id: &str) -> Value {
    let query = format!(
        "select to_jsonb(e) from audit.event_log e where action = 'call.refused' and request_id = '{request_id}'"
    );
    serde_json::from_str(&stack.value_in_time(&query)).unwrap_or_default()
}

/// Status and code, and the request's id.
fn charge(stack: &Stack, token: &str, body: &Value) -> ((u16, String), String) {
    let (authorization, key) = (format!("Bearer {token}"), stack.fresh_key());
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", key.as_str()),
    ];
    let answer = stack.edge("POST", "/api/payment/charge", &headers, &body.to_string());
    let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
    ((answer.status, code), answer.header("x-request-id").to_owned())
}

#[test]
fn a_refused_charge_leaves_one_row_with_who_where_and_why_and_a_right_one_none() {
    let stack = Stack::new();
    let shop = stack.open_shop("10");
    let user_id = stack.value(&format!(
        "select u.user_id from app.merchant_users u join app.merchants m on m.id = u.merchant_id where m.code = '{}'",
        shop.merchant_code
    ));
    let code = stack.code(&shop);
    let (poor, refused) = charge(&stack, &shop.cashier, &shop.request(&code, "10.01"));
    assert_eq!(poor, answer_of(402, &json!("INSUFFICIENT_BALANCE")));
    let row = report(&stack, &refused);
    assert_eq!(
        (&row["object_type"], &row["object_id"], &row["actor_user_id"]),
        (&json!("rpc"), &json!("merchant_charge_by_qr"), &json!(user_id))
    );
    assert_eq!(row["params"], json!({"code": "INSUFFICIENT_BALANCE", "merchant_code": shop.merchant_code}));

    let (paid, right) = charge(&stack, &shop.cashier, &shop.request(&code, "1"));
    assert_eq!(paid.0, 200);
    // The edge's own refusal comes later, so a row of the right charge would be there by then.
    let mut made_up = shop.request(&code, "1");
    made_up[&code] = json!(code);
    let (malformed, own) = charge(&stack, &shop.cashier, &made_up);
    assert_eq!(malformed, answer_of(400, &json!("MALFORMED_BODY")));
    let row = report(&stack, &own);
    assert_eq!(row["params"], json!({"code": "MALFORMED_BODY", "merchant_code": shop.merchant_code}));
    let rows = |request_id: &str| {
        stack.value(&format!(
            "select count(*) from audit.event_log where action = 'call.refused' and request_id = '{request_id}'"
        ))
    };
    assert_eq!((rows(&refused), rows(&right), rows(&own)), ("1".to_owned(), "0".to_owned(), "1".to_owned()));
}
