//! What a route makes of its path, its query, its body and its key.

use serde_json::json;

use super::bench::{Bench, CARD, post, request, signed_in};

#[tokio::test]
async fn a_path_a_key_and_a_body_are_one_input_and_nothing_is_given_twice() {
    let adjusted =
        json!([{"tx_id": CARD, "tx_no": "ADJ0000000001", "amount": -5.0, "replayed": true}]).to_string();
    let bench = Bench::new(vec![("200 OK", adjusted)]).await;
    let path = format!("/api/admin/cards/{CARD}/adjust");
    let key = ("idempotency-key", "k-1");
    let reply = bench.send(post(&path, &[key], r#"{"amount": -5, "reason": "by hand"}"#)).await;
    assert_eq!((reply.status.as_u16(), &reply.body["amount"]), (200, &json!("-5.00")), "{}", reply.body);
    assert_eq!(reply.headers["idempotency-replayed"], "true");
    let sent = bench.received()[0].clone();
    for part in [
        format!(r#""p_card_id":"{CARD}""#),
        r#""p_idempotency_key":"k-1""#.into(),
        r#""p_amount":"-5.00""#.into(),
    ] {
        assert!(sent.contains(&part), "{part}: {sent}");
    }
    for (body, code, field) in [
        (format!(r#"{{"amount":1,"reason":"r","card_id":"{CARD}"}}"#), "MALFORMED_BODY", "card_id"),
        (
            r#"{"amount":1,"reason":"r","idempotency_key":"k-2"}"#.to_owned(),
            "MALFORMED_BODY",
            "idempotency_key",
        ),
        (r#"{"amount":0,"reason":"r"}"#.to_owned(), "INVALID_PRICE", "amount"),
        (r#"{"amount":1}"#.to_owned(), "MALFORMED_BODY", "reason"),
        ("{}".to_owned(), "MALFORMED_BODY", "amount"),
    ] {
        let reply = bench.send(post(&path, &[key], body.clone())).await;
        assert_eq!(
            (&reply.body["code"], &reply.body["params"]["field"]),
            (&json!(code), &json!(field)),
            "{body}"
        );
    }
    let reply = bench.send(post(&path, &[], r#"{"amount":0,"reason":"r"}"#)).await;
    assert_eq!(reply.body["code"], "IDEMPOTENCY_KEY_REQUIRED");
    let reply = bench.send(post(&(path + "?reason=x"), &[key], "{}")).await;
    assert_eq!(reply.body["params"], json!({"field": "reason"}));
    assert_eq!(bench.received().len(), 1);
}

#[tokio::test]
async fn a_query_is_read_as_strictly_as_a_body() {
    let bench = Bench::new(vec![("200 OK", "[]".to_owned())]).await;
    let authorization = signed_in();
    let get = |query: &str| {
        let path = format!("/api/member/transactions{query}");
        request("GET", &path, &[("authorization", &authorization)], "")
    };
    let reply = bench.send(get("?limit=5&start_date=2026-11-23T00:00:00%2B08:00")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let sent = bench.received()[0].clone();
    assert!(sent.contains(r#"{"p_limit":5,"p_start_date":"2026-11-22T16:00:00Z"}"#), "{sent}");
    for (query, field) in [
        ("?limit=x", "limit"),
        ("?limit=99999999999", "limit"),
        ("?limit=1&limit=2", "limit"),
        ("?surprise=1", "surprise"),
        ("?member_id=x", "member_id"),
        ("?start_date=yesterday", "start_date"),
    ] {
        let reply = bench.send(get(query)).await;
        let found = (reply.status.as_u16(), &reply.body["code"], &reply.body["params"]["field"]);
        assert_eq!(found, (400, &json!("MALFORMED_ARGUMENT"), &json!(field)), "{query}");
    }
    let path = "/api/member/cards/not-an-id";
    let reply = bench.send(request("GET", path, &[("authorization", &authorization)], "")).await;
    assert_eq!(reply.body["params"], json!({"field": "card_id"}));
}

#[tokio::test]
async fn the_character_that_no_database_keeps_is_refused_here() {
    let bench = Bench::new(vec![("200 OK", "[]".to_owned())]).await;
    for body in [r#"{"name":"a\u0000b"}"#, r#"{"name":"a\\\u0000b"}"#] {
        let reply = bench.send(post("/api/member/register", &[], body)).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (400, &json!("MALFORMED_BODY")), "{body}");
    }
    let authorization = signed_in();
    let headers = [("authorization", authorization.as_str())];
    for path in ["/api/payment/a%00b", "/api/admin/cards/search?keyword=%00"] {
        let reply = bench.send(request("GET", path, &headers, "")).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body["code"]),
            (400, &json!("MALFORMED_ARGUMENT")),
            "{path}"
        );
    }
    // An escaped backslash before `u0000` is text like any other.
    bench.send(post("/api/member/register", &[], r#"{"name":"a\\u0000b"}"#)).await;
    assert_eq!(bench.received().len(), 1);
}

#[tokio::test]
async fn a_wrong_password_of_a_card_is_a_refusal() {
    let bench = Bench::new(vec![("200 OK", "false".to_owned()), ("200 OK", "true".to_owned())]).await;
    let put = || {
        let path = format!("/api/member/cards/{CARD}/bindings/{CARD}");
        let authorization = signed_in();
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        request("PUT", &path, &headers, r#"{"binding_password":"guess-1"}"#)
    };
    let reply = bench.send(put()).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (403, &json!("INVALID_BINDING_PASSWORD")));
    assert_eq!(bench.send(put()).await.body, json!({"changed": true}));
}

#[tokio::test]
async fn null_is_a_value_where_it_means_something_and_left_out_elsewhere() {
    let bench = Bench::new(vec![("200 OK", "true".to_owned()), ("200 OK", "[]".to_owned())]).await;
    let authorization = signed_in();
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let path = format!("/api/member/cards/{CARD}/password");
    assert_eq!(bench.send(request("PUT", &path, &headers, r#"{"password":null}"#)).await.status, 200);
    assert!(bench.received()[0].contains(r#""p_password":null"#));
    bench.send(request("GET", "/api/member/cards", &headers, "")).await;
    assert!(bench.received()[1].ends_with("{}"), "{}", bench.received()[1]);
}

#[tokio::test]
async fn null_is_no_array_of_levels_and_is_not_sent() {
    let bench = Bench::new(vec![("200 OK", "2".to_owned())]).await;
    let authorization = signed_in();
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    for body in [r#"{"levels":null}"#, r#"{"levels":{}}"#, r#"{"levels":"[]"}"#, "{}"] {
        let reply = bench.send(request("PUT", "/api/admin/levels", &headers, body)).await;
        assert_eq!(
            (&reply.body["code"], &reply.body["params"]["field"]),
            (&json!("MALFORMED_BODY"), &json!("levels")),
            "{body}"
        );
    }
    let reply = bench.send(request("PUT", "/api/admin/levels", &headers, r#"{"levels":[]}"#)).await;
    assert_eq!((reply.status.as_u16(), &reply.body["count"]), (200, &json!(2)), "{}", reply.body);
    assert_eq!(bench.received().len(), 1);
}
