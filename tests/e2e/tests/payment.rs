//! One payment from end to end, as a member's phone and a till see it.

use mps_e2e::{Stack, answer_of, fresh};
use serde_json::{Value, json};

fn without_replayed(body: &Value) -> Value {
    let mut body = body.clone();
    body.as_object_mut().map(|fields| fields.remove("replayed"));
    body
}

#[test]
fn a_member_shows_a_code_and_pays_with_it() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let code = stack.code(&shop);
    let quote = stack.post("/api/payment/quote", &shop.cashier, &shop.request(&code, "299.00"));
    assert_eq!((quote.status, &quote.body["final_amount"]), (200, &json!("299.00")));
    assert_eq!((&quote.body["discount"], &quote.body["card_type"]), (&json!("1.000"), &json!("standard")));

    let charge = stack.charge(&shop.cashier, &stack.fresh_key(), &shop.request(&code, json!(299)));
    assert_eq!(charge.status, 200, "{}", charge.body);
    for field in ["card_id", "final_amount", "discount", "discount_source", "raw_amount", "points_earned"] {
        assert_eq!(charge.body[field], quote.body[field], "charge and quote agree on {field}");
    }
    assert_eq!(charge.header("idempotency-replayed"), "");
    let created_at = charge.body["created_at"].as_str().expect("text");
    assert!(created_at.ends_with('Z') && created_at.contains('T'), "{created_at}");

    let tx_no = charge.body["tx_no"].as_str().expect("text");
    for token in [&shop.cashier, &shop.member] {
        let detail = stack.get(&format!("/api/payment/{tx_no}"), token);
        assert_eq!(detail.status, 200, "{}", detail.body);
        for field in ["tx_id", "tx_no", "card_id", "final_amount", "discount", "raw_amount", "created_at"] {
            assert_eq!(detail.body[field], charge.body[field], "{field}");
        }
        assert_eq!(detail.body["remaining_amount"], "299.00");
    }
    let detail = stack.get(&format!("/api/payment/{tx_no}"), &stack.stranger());
    assert_eq!(detail.refusal(), answer_of(404, &json!("TX_NOT_FOUND")));
    let cards = stack.get("/api/member/cards", &shop.member);
    assert_eq!((&cards.body[0]["balance"], &cards.body[0]["points"]), (&json!("701.00"), &json!(299)));
}

#[test]
fn a_demo_member_with_the_silver_level_pays_95_percent() {
    let stack = Stack::new();
    let ming = stack.sign_in("ming@demo.example");
    let cashier = stack.sign_in("cashier@demo.example");
    let cards = stack.get("/api/member/cards", &ming);
    let card_id = &cards.body[0]["card_id"];
    let issued = stack.post("/api/qr/rotate", &ming, &json!({ "card_id": card_id }));
    let code = stack.keep_secret(issued.body["qr_plain"].as_str().expect("a code"));
    let body = json!({"merchant_code": "SHOP001", "qr_plain": code, "raw_amount": "299.00", "terminal_code": "K7Q2ZD"});
    let quote = stack.post("/api/payment/quote", &cashier, &body);
    assert_eq!((quote.status, &quote.body["final_amount"]), (200, &json!("284.05")));
    assert_eq!((&quote.body["discount"], &quote.body["discount_source"]), (&json!("0.950"), &json!("level")));
}

#[test]
fn the_same_key_and_request_answer_the_first_payment_again() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let (code, key) = (stack.code(&shop), stack.fresh_key());
    let request = shop.request(&code, "100.00");
    let first = stack.charge(&shop.cashier, &key, &request);
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, ""));
    let after_first = stack.state();
    stack.execute(&format!("select fx.age_code('{code}')"));
    let aged = stack.state();
    for same_key in [key.clone(), format!("\"{key}\"")] {
        let again = stack.charge(&shop.cashier, &same_key, &request);
        assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"), "{}", again.body);
        assert_eq!(without_replayed(&again.body), without_replayed(&first.body));
    }
    assert_eq!(stack.state(), aged, "a replay writes nothing");
    assert_ne!(aged, after_first, "the snapshot sees one changed row");
    let number = stack.charge(&shop.cashier, &key, &shop.request(&code, json!(100)));
    assert_eq!(number.header("idempotency-replayed"), "true", "100 and 100.00 are one amount");
}

#[test]
fn a_key_with_another_request_is_refused() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let (code, key) = (stack.code(&shop), stack.fresh_key());
    assert_eq!(stack.charge(&shop.cashier, &key, &shop.request(&code, "100.00")).status, 200);
    let before = stack.state();
    let other_amount = stack.charge(&shop.cashier, &key, &shop.request(&code, "100.01"));
    assert_eq!(other_amount.refusal(), answer_of(422, &json!("IDEMPOTENCY_KEY_REUSED")));
    let fresh_code = stack.code(&shop);
    let before_other_code = stack.state();
    let other_code = stack.charge(&shop.cashier, &key, &shop.request(&fresh_code, "100.00"));
    assert_eq!(other_code.refusal(), answer_of(422, &json!("IDEMPOTENCY_KEY_REUSED")));
    assert_eq!(stack.state(), before_other_code);
    assert_ne!(before, before_other_code, "issuing a code is seen");
}

#[test]
fn a_code_is_spent_once() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let code = stack.code(&shop);
    assert_eq!(stack.charge(&shop.cashier, &stack.fresh_key(), &shop.request(&code, "1.00")).status, 200);
    let second = stack.charge(&shop.cashier, &stack.fresh_key(), &shop.request(&code, "1.00"));
    assert_eq!(second.refusal(), answer_of(409, &json!("QR_EXPIRED_OR_INVALID")));
}

#[test]
fn a_code_can_be_looked_up_until_it_is_revoked() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let code = stack.code(&shop);
    let look_up = || stack.post("/api/qr/validate", &shop.cashier, &json!({ "qr_plain": code }));
    let before = stack.state();
    assert_eq!(look_up().body, json!({"card_id": shop.card_id}));
    assert_eq!(stack.state(), before, "looking up consumes nothing");
    let revoke = || stack.post("/api/qr/revoke", &shop.member, &json!({"card_id": shop.card_id}));
    assert_eq!(revoke().body, json!({"revoked": true}));
    assert_eq!(look_up().refusal(), answer_of(409, &json!("QR_EXPIRED_OR_INVALID")));
    assert_eq!(revoke().body, json!({"revoked": false}));
}

#[test]
fn an_order_is_paid_once() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    let mut request = shop.request(&stack.code(&shop), "10.00");
    request["external_order_id"] = json!(fresh("order-"));
    let first = stack.charge(&shop.cashier, &stack.fresh_key(), &request);
    assert_eq!(first.status, 200, "{}", first.body);
    request["qr_plain"] = json!(stack.code(&shop));
    let second = stack.charge(&shop.cashier, &stack.fresh_key(), &request);
    assert_eq!(second.refusal(), answer_of(409, &json!("EXTERNAL_ORDER_ALREADY_PAID")));
    assert_eq!(second.body["params"], json!({"tx_no": first.body["tx_no"]}));
    let detail =
        stack.get(&format!("/api/payment/{}", first.body["tx_no"].as_str().expect("text")), &shop.cashier);
    assert_eq!(detail.body["external_order_id"], request["external_order_id"]);
}

#[test]
fn a_new_user_registers_and_is_a_member_with_one_card() {
    let stack = Stack::new();
    let newcomer = stack.stranger();
    let me = stack.get("/api/member/me", &newcomer);
    assert_eq!((me.status, &me.body["member_id"], &me.body["merchants"]), (200, &Value::Null, &json!([])));
    assert_eq!(
        stack.get("/api/member/cards", &newcomer).refusal(),
        answer_of(404, &json!("MEMBER_NOT_FOUND"))
    );
    let digits: String = fresh("").bytes().map(|byte| char::from(b'0' + byte % 10)).take(10).collect();
    let body = json!({"name": "新會員", "phone": stack.keep_secret(&format!("+886{digits}"))});
    let first = stack.post("/api/member/register", &newcomer, &body);
    assert_eq!((first.status, &first.body["created"]), (200, &json!(true)), "{}", first.body);
    let again = stack.post("/api/member/register", &newcomer, &body);
    assert_eq!((&again.body["created"], &again.body["member_no"]), (&json!(false), &first.body["member_no"]));
    assert_eq!(stack.get("/api/member/me", &newcomer).body["member_no"], first.body["member_no"]);
    assert_eq!(stack.get("/api/member/cards", &newcomer).body.as_array().map(Vec::len), Some(1));
    let other = stack.post("/api/member/register", &stack.stranger(), &body);
    assert_eq!(other.refusal(), answer_of(409, &json!("PHONE_ALREADY_REGISTERED")));
}

#[test]
fn the_books_balance_after_all_that() {
    let stack = Stack::new();
    let shop = stack.open_shop("1000");
    assert_eq!(
        stack.charge(&shop.cashier, &stack.fresh_key(), &shop.request(&stack.code(&shop), "12.34")).status,
        200
    );
    let violations = stack.service_rpc("verify_ledger", "{}");
    assert_eq!((violations.status, violations.body), (200, json!([])));
}
