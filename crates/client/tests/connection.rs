//! What a call sends, and what it makes of the answer, over a real socket.
#![allow(clippy::expect_used)]

use mps_client::rpc::{
    CardId, Changed, GetMemberCards, MerchantChargeByQr, QuotePayment, RevokeCardQr, TestConnection,
    ValidateQrPlain,
};
use mps_client::{AccessToken, ApiKey, Call, CallContext, Caller, Client, RequestId, RpcError};
use mps_core::{ErrorCode, Money};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const CODE: &str = "701234567890123456789017";
const CARD: &str = "0193b5a0-0000-7000-8000-00000000000a";

/// Serves one request: answers with `status` and `body`, hands back what it read.
async fn exchange<C: Call>(
    caller: Caller,
    call: &C,
    status: &str,
    body: &str,
) -> (String, Result<C::Reply, RpcError>) {
    exchange_with("sb_secret_y", caller, call, status, body).await
}

/// The same with another secret key.
async fn exchange_with<C: Call>(
    secret_key: &str,
    caller: Caller,
    call: &C,
    status: &str,
    body: &str,
) -> (String, Result<C::Reply, RpcError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let key = |text| ApiKey::parse(text).expect("a key");
    let client = Client::new(&url, key("sb_publishable_x"), Some(key(secret_key)));
    let context = CallContext { caller, request_id: RequestId::parse("req-1").expect("an id") };
    let server = async {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut request = String::new();
        while !is_complete(&request) {
            let mut chunk = [0; 4096];
            let length = socket.read(&mut chunk).await.expect("bytes");
            request.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
        socket.write_all(answer.as_bytes()).await.expect("an answer");
        request
    };
    tokio::join!(server, client.call(&context, call))
}

fn is_complete(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn user() -> Caller {
    Caller::User(AccessToken::parse("aaa.bbb.ccc").expect("a token"))
}

#[tokio::test]
async fn a_users_call_carries_the_publishable_key_his_token_and_the_request_id() {
    let call = GetMemberCards { member_id: None };
    let (request, reply) = exchange(user(), &call, "200 OK", "[]").await;
    assert!(request.starts_with("POST /rest/v1/rpc/get_member_cards HTTP/1.1\r\n"), "{request}");
    for line in ["apikey: sb_publishable_x", "authorization: Bearer aaa.bbb.ccc", "x-request-id: req-1"] {
        assert!(request.contains(line), "{line} in {request}");
    }
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
    assert_eq!(reply.map(|cards| cards.len()), Ok(0));
}

#[tokio::test]
async fn a_service_call_carries_the_secret_key_and_no_token() {
    let body = r#"[{"ok":true,"server_time":"2026-11-23T01:06:00+00:00","schema_version":"20261123000100"}]"#;
    let (request, reply) = exchange(Caller::Service, &TestConnection {}, "200 OK", body).await;
    assert!(request.contains("apikey: sb_secret_y"), "{request}");
    assert!(!request.contains("authorization"), "{request}");
    assert_eq!(reply.map(|status| status.schema_version), Ok("20261123000100".to_owned()));
}

#[tokio::test]
async fn a_secret_key_that_is_a_token_also_goes_as_one_and_another_does_not() {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmVk";
    let body = r#"[{"ok":true,"server_time":"2026-11-23T01:06:00+00:00","schema_version":"20261123000100"}]"#;
    let (request, _) = exchange_with(token, Caller::Service, &TestConnection {}, "200 OK", body).await;
    assert!(request.contains(&format!("apikey: {token}")), "{request}");
    assert!(request.contains(&format!("authorization: Bearer {token}")), "{request}");
    for key in ["eyJhbGciOiJIUzI1NiJ9", "sb_secret_a.b.c"] {
        let (request, _) = exchange_with(key, Caller::Service, &TestConnection {}, "200 OK", body).await;
        assert!(!request.contains("authorization"), "{request}");
    }
}

#[tokio::test]
async fn a_charge_sends_its_amount_as_text_and_reads_numbers_from_theirs() {
    let call = MerchantChargeByQr {
        merchant_code: "SHOP001",
        qr_plain: CODE,
        raw_amount: Money::parse_price("299").expect("an amount"),
        idempotency_key: Some("k-1"),
        tag: None,
        external_order_id: None,
        terminal_code: None,
    };
    let body = format!(
        r#"[{{"tx_id":"{CARD}","tx_no":"PAY0000000001","card_id":"{CARD}","final_amount":284.0500,"discount":0.95000,
        "points_earned":299,"discount_source":"level","raw_amount":299,"created_at":"2026-11-23T09:06:00.5+08:00","replayed":false}}]"#
    );
    let (request, reply) = exchange(user(), &call, "200 OK", &body).await;
    assert!(request.contains(r#""p_raw_amount":"299.00""#), "{request}");
    assert!(request.contains(r#""p_idempotency_key":"k-1""#), "{request}");
    assert!(!request.contains("p_tag") && !request.contains("p_external_order_id"), "{request}");
    let charge = serde_json::to_value(reply.expect("a charge")).expect("JSON");
    assert_eq!(charge["final_amount"], "284.05");
    assert_eq!(charge["raw_amount"], "299.00");
    assert_eq!(charge["discount"], "0.950");
    assert_eq!(charge["created_at"], "2026-11-23T01:06:00.500Z");
}

#[tokio::test]
async fn a_scalar_is_read_bare() {
    let card_id = CardId::parse(CARD).expect("an id");
    let (_, was_live) = exchange(user(), &RevokeCardQr { card_id: card_id.clone() }, "200 OK", "true").await;
    assert_eq!(was_live, Ok(Changed { changed: true }));
    let call = ValidateQrPlain { qr_plain: CODE, terminal_code: None };
    let (_, found) = exchange(user(), &call, "200 OK", &format!("\"{CARD}\"")).await;
    assert_eq!(found, Ok(card_id));
}

#[tokio::test]
async fn a_reply_of_another_shape_is_drift() {
    let row = r#"{"ok":true,"server_time":"2026-11-23T01:06:00Z","schema_version":"1"}"#;
    let two_rows = format!("[{row},{row}]");
    for body in ["", "[]", "{}", "null", "<html>", r#"[{"ok":true}]"#, row, &two_rows] {
        let (_, reply) = exchange(Caller::Anonymous, &TestConnection {}, "200 OK", body).await;
        assert!(matches!(reply, Err(RpcError::Drift(_))), "{body}: {reply:?}");
    }
}

#[tokio::test]
async fn a_refusal_comes_through_with_its_code() {
    let raw_amount = Money::parse_price("1").expect("an amount");
    let call = QuotePayment { merchant_code: "SHOP001", qr_plain: CODE, raw_amount, terminal_code: None };
    let body = r#"{"code":"PT409","message":"QR_EXPIRED_OR_INVALID","details":"{}","hint":null}"#;
    let (_, reply) = exchange(user(), &call, "409 QR_EXPIRED_OR_INVALID", body).await;
    assert_eq!(reply.map_err(|error| error.code()).err(), Some(ErrorCode::QrExpiredOrInvalid));
}

#[tokio::test]
async fn nobody_at_the_other_end_is_unavailable() {
    let key = ApiKey::parse("k").expect("a key");
    let client = Client::new("http://127.0.0.1:9", key, None);
    let request_id = RequestId::parse("req-1").expect("an id");
    let context = CallContext { caller: Caller::Anonymous, request_id: request_id.clone() };
    assert!(matches!(client.call(&context, &TestConnection {}).await, Err(RpcError::Unavailable(_))));
    let context = CallContext { caller: Caller::Service, request_id };
    assert!(
        matches!(client.call(&context, &TestConnection {}).await, Err(RpcError::Bug(_))),
        "it has no secret key"
    );
}

#[test]
fn only_what_can_be_sent_as_a_header_is_a_token_or_a_request_id() {
    for text in ["", "a b", "a\r\nx: y", "é", "a\0"] {
        assert!(AccessToken::parse(text).is_err(), "{text:?}");
        assert!(ApiKey::parse(text).is_err(), "{text:?}");
        assert!(RequestId::parse(text).is_err(), "{text:?}");
    }
    assert!(RequestId::parse(&"a".repeat(128)).is_ok());
    assert!(RequestId::parse(&"a".repeat(129)).is_err());
    assert!(RequestId::parse("a/b").is_err());
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?} {:?}", ApiKey::parse("hush1"), AccessToken::parse("hush2"));
    assert!(!shown.contains("hush"), "{shown}");
}
