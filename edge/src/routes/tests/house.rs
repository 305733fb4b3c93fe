//! The routes of merchants and of the house: which RPC each calls with which arguments, and what none of them takes.

mod cases;

use serde_json::{Value, json};

use super::bench::{Bench, CARD, request, signed_in};
use cases::{of_members_and_cards, of_merchants, of_the_house};
use mps_client::Repeat;

const OTHER: &str = "0193b5a0-0000-7000-8000-00000000000b";
const FROM: &str = "2026-11-01T00:00:00Z";
const UNTIL: &str = "2026-12-01T00:00:00Z";

/// Method and address, `{a}` and `{b}` standing for two ids; the body; the RPC; its arguments.
type Case = (&'static str, &'static str, Value, &'static str, Value);

fn all() -> Vec<Case> {
    [of_merchants(), of_members_and_cards(), of_the_house()].concat()
}

fn wants_key(path: &str) -> bool {
    let is_of = |template: &str| {
        let (given, names) = (path.split('/'), template.split('/'));
        given.clone().count() == names.clone().count()
            && given.zip(names).all(|(given, name)| name.starts_with('{') || given == name)
    };
    crate::routes::declared().operations.iter().any(|route| route.way.is_keyed() && is_of(route.path))
}

/// Sends it as a signed-in user, with a key in case it wants one.
async fn send(bench: &Bench, method: &str, path: &str, body: &Value) -> super::bench::Reply {
    let authorization = signed_in();
    let mut headers = vec![("authorization", authorization.as_str())];
    if wants_key(path) {
        headers.push(("idempotency-key", "k-1"));
    }
    if !body.is_null() {
        headers.push(("content-type", "application/json"));
    }
    let text = if body.is_null() { String::new() } else { body.to_string() };
    bench.send(request(method, path, &headers, text)).await
}

fn address(path: &str) -> String {
    path.replace("{a}", CARD).replace("{b}", OTHER)
}

fn refusal() -> (&'static str, String) {
    let body = json!({"code": "PT403", "message": "PERMISSION_DENIED", "details": "{}", "hint": null});
    ("403 Forbidden", body.to_string())
}

#[tokio::test]
async fn each_calls_its_rpc_with_exactly_what_was_given_and_passes_the_refusal_on() {
    for (method, path, body, rpc, arguments) in all() {
        let bench = Bench::new(vec![refusal()]).await;
        let reply = send(&bench, method, &address(path), &body).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body["code"]),
            (403, &json!("PERMISSION_DENIED")),
            "{method} {path}: {}",
            reply.body
        );
        let received = bench.received();
        let (head, sent) = received[0].split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with(&format!("POST /rest/v1/rpc/{rpc} ")), "{method} {path}: {head}");
        let sent: Value = serde_json::from_str(sent).expect("JSON");
        assert_eq!(sent, arguments, "{method} {path}");
    }
}

#[tokio::test]
async fn every_route_of_merchants_and_of_the_house_is_in_the_table() {
    let tested: Vec<_> = all().into_iter().map(|case| case.3).collect();
    for operation in crate::routes::declared().operations {
        if operation.path.starts_with("/api/merchant/") || operation.path.starts_with("/api/admin/") {
            assert!(tested.contains(&operation.rpc), "{}", operation.rpc);
        }
    }
}

#[tokio::test]
async fn nobody_gets_past_them_without_a_token() {
    let bench = Bench::new(vec![]).await;
    for (method, path, _, _, _) in all() {
        let reply = bench.send(request(method, &address(path), &[], "{")).await;
        assert_eq!(reply.body["code"], "NOT_AUTHENTICATED", "{method} {path}");
    }
}

#[tokio::test]
async fn a_field_that_the_route_does_not_have_is_refused_by_name() {
    let bench = Bench::new(vec![]).await;
    for (method, path, body, _, _) in all() {
        let (path, body, code) = match method {
            "GET" | "DELETE" => {
                let separator = if path.contains('?') { '&' } else { '?' };
                (format!("{path}{separator}surprise=1"), body, "MALFORMED_ARGUMENT")
            }
            _ => {
                let mut body = if body.is_null() { json!({}) } else { body };
                body["surprise"] = json!(1);
                (path.to_owned(), body, "MALFORMED_BODY")
            }
        };
        let reply = send(&bench, method, &address(&path), &body).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (400, &json!(code)), "{method} {path}");
        assert_eq!(reply.body["params"], json!({"field": "surprise"}), "{method} {path}");
    }
}

#[tokio::test]
async fn what_the_address_names_cannot_be_named_otherwise_in_query_or_body() {
    let bench = Bench::new(vec![]).await;
    let (merchant, card) = (format!("/api/merchant/{CARD}"), format!("/api/admin/cards/{CARD}"));
    for (method, path, body, field) in [
        ("GET", format!("{merchant}/transactions?merchant_id={OTHER}"), json!(null), "merchant_id"),
        ("DELETE", format!("{merchant}/users/{OTHER}?user_id={CARD}"), json!(null), "user_id"),
        (
            "PUT",
            format!("{merchant}/users/{OTHER}"),
            json!({"role": "owner", "merchant_id": OTHER}),
            "merchant_id",
        ),
        (
            "POST",
            format!("{card}/adjust"),
            json!({"card_id": OTHER, "amount": "1", "reason": "r"}),
            "card_id",
        ),
        (
            "POST",
            format!("{card}/adjust"),
            json!({"idempotency_key": "k-2", "amount": "1", "reason": "r"}),
            "idempotency_key",
        ),
        ("POST", format!("{card}/close?card_id={OTHER}"), json!({}), "card_id"),
    ] {
        let reply = send(&bench, method, &path, &body).await;
        assert_eq!(reply.status, 400, "{method} {path}: {}", reply.body);
        assert_eq!(reply.body["params"], json!({"field": field}), "{method} {path}");
    }
}

#[tokio::test]
async fn a_malformed_value_is_refused_by_name() {
    let bench = Bench::new(vec![]).await;
    let merchant = format!("/api/merchant/{CARD}");
    for (path, field) in [
        ("/api/merchant/nobody".to_owned(), "merchant_id"),
        (format!("/api/merchant/{}", &CARD[1..]), "merchant_id"),
        (format!("{merchant}/transactions?limit=many"), "limit"),
        (format!("{merchant}/transactions?limit="), "limit"),
        (format!("{merchant}/transactions?limit=99999999999"), "limit"),
        (format!("{merchant}/transactions?limit=1&limit=2"), "limit"),
        (format!("{merchant}/transactions?offset=1.5"), "offset"),
        (format!("{merchant}/transactions?start_date=2026-11-01"), "start_date"),
        (format!("{merchant}/transactions/page?before_tx_id=1"), "before_tx_id"),
        ("/api/merchant/trends?start_date=2026-11-01T00:00:00Z".to_owned(), "end_date"),
        ("/api/admin/audit?actor_user_id=me".to_owned(), "actor_user_id"),
        ("/api/admin/seals/check?seal_first=one".to_owned(), "seal_first"),
    ] {
        let reply = send(&bench, "GET", &path, &json!(null)).await;
        let end = (reply.status.as_u16(), &reply.body["code"]);
        assert_eq!(end, (400, &json!("MALFORMED_ARGUMENT")), "{path}");
        assert_eq!(reply.body["params"], json!({"field": field}), "{path}");
    }
}

/// Left out is not null: a request that forgets the field must not take the expiry away.
#[tokio::test]
async fn an_expiry_goes_only_when_it_is_said() {
    let bench = Bench::new(vec![]).await;
    let path = format!("/api/admin/cards/{CARD}/expiry");
    for body in [json!({}), json!(null)] {
        let reply = send(&bench, "PUT", &path, &body).await;
        let end = (reply.status.as_u16(), &reply.body["params"]);
        assert_eq!(end, (400, &json!({"field": "expires_at"})), "{body}");
    }
}

#[tokio::test]
async fn money_does_not_move_without_a_key_or_for_no_amount() {
    let bench = Bench::new(vec![]).await;
    let card = format!("/api/admin/cards/{CARD}");
    let issue = json!({"owner_member_id": OTHER});
    let adjust = |amount: Value| json!({"amount": amount, "reason": "r"});
    for (path, body) in [
        ("/api/admin/cards/prepaid".to_owned(), issue.clone()),
        ("/api/admin/cards/corporate".to_owned(), issue.clone()),
        ("/api/admin/cards/voucher".to_owned(), issue),
        (format!("{card}/adjust"), adjust(json!("1"))),
        (format!("{card}/points"), json!({"delta_points": 1, "reason": "r"})),
    ] {
        let reply = bench.send(super::bench::post(&path, &[], body.to_string())).await;
        let end = (reply.status.as_u16(), &reply.body["code"]);
        assert_eq!(end, (400, &json!("IDEMPOTENCY_KEY_REQUIRED")), "{path}");
    }
    for amount in [json!(0), json!("-0"), json!("--1"), json!("1.001"), json!("1e3"), json!("NaN"), json!("")]
    {
        let reply = send(&bench, "POST", &format!("{card}/adjust"), &adjust(amount.clone())).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (422, &json!("INVALID_PRICE")), "{amount}");
    }
}

#[tokio::test]
async fn an_answer_of_before_says_so() {
    for is_replay in [true, false] {
        let row = json!([{"tx_id": CARD, "tx_no": "ADJ0000000001", "amount": 5, "replayed": is_replay}]);
        let bench = Bench::new(vec![("200 OK", row.to_string())]).await;
        let body = json!({"amount": 5, "reason": "r"});
        let reply = send(&bench, "POST", &format!("/api/admin/cards/{CARD}/adjust"), &body).await;
        assert_eq!((reply.status.as_u16(), &reply.body["amount"]), (200, &json!("5.00")));
        assert_eq!(reply.headers.contains_key("idempotency-replayed"), is_replay);
        let row = json!([{"card_id": CARD, "replayed": is_replay}]);
        for kind in ["prepaid", "corporate", "voucher"] {
            let bench = Bench::new(vec![("200 OK", row.to_string())]).await;
            let path = format!("/api/admin/cards/{kind}");
            let reply = send(&bench, "POST", &path, &json!({"owner_member_id": OTHER})).await;
            assert_eq!((reply.status.as_u16(), &reply.body), (200, &row[0]), "{kind}");
            assert_eq!(reply.headers.contains_key("idempotency-replayed"), is_replay, "{kind}");
        }
    }
}

#[tokio::test]
async fn what_would_be_done_twice_refuses_a_key_by_name() {
    let bench = Bench::new(vec![]).await;
    let mut refused = 0;
    for operation in crate::routes::declared().operations {
        let body = if operation.way.has_body() { "{}" } else { "" };
        let path = operation.path.split('/').map(|name| if name.starts_with('{') { CARD } else { name });
        let path = path.collect::<Vec<_>>().join("/");
        let authorization = signed_in();
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", "k-1"),
        ];
        let method = operation.method().to_uppercase();
        let reply = bench.send(request(&method, &path, &headers, body.to_owned())).await;
        let is_refused = reply.body["code"] == "IDEMPOTENCY_KEY_NOT_SUPPORTED";
        assert_eq!(is_refused, operation.repeat == Repeat::Never, "{method} {path}: {}", reply.body);
        refused += usize::from(is_refused);
    }
    assert_ne!(refused, 0);
}

/// Who is told to send it again must not do it twice.
#[tokio::test]
async fn what_is_done_as_often_as_it_is_sent_is_looked_for_first() {
    let enrolment = json!({"card_id": CARD, "label": "phone"});
    for (path, body, retry) in [
        ("/api/devices", enrolment, "check_first"),
        ("/api/admin/merchants", json!({"code": "SHOP009", "name": "n"}), "check_first"),
        ("/api/admin/members/search", json!({"keyword": "k"}), "same_key"),
    ] {
        let bench = Bench::new(vec![("503 Service Unavailable", String::new()); 3]).await;
        let reply = bench.send(super::bench::post(path, &[], body.to_string())).await;
        let end = (reply.status.as_u16(), &reply.body["retry"]);
        assert_eq!(end, (503, &json!(retry)), "{path}");
    }
}
