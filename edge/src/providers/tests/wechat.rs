//! WeChat Pay: what is signed, what is believed, what is asked.

use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use proptest::prelude::*;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::signature::Verifier;

use super::*;
use crate::providers::{Deadline, Method, Pay, Standing};
use crate::routes::tests::bench::Gateway;

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Notice, Distrust> {
    let host = Arc::new(TestHost::default());
    at_once(providers(&host).read_notice(Provider::Wechat, headers, body)).expect("it is configured")
}

fn read_signed(body: &[u8]) -> Result<Notice, Distrust> {
    read(&wechat_headers(&THEIRS, SERIAL, NOW, body), body)
}

fn read_payment(changes: &Value) -> Result<Notice, Distrust> {
    read_signed(&wechat_notice("TRANSACTION.SUCCESS", &transaction(changes)))
}

#[test]
fn a_right_notification_is_a_payment() {
    let expected = Ok(Notice::Paid(paid(Provider::Wechat, "4200000000000001")));
    assert_eq!(read_payment(&json!({})), expected);
}

#[test]
fn while_keys_change_each_verifies_what_names_it() {
    let providers = providers_rotating(&Arc::new(TestHost::default()));
    let body = wechat_notice("TRANSACTION.SUCCESS", &transaction(&json!({})));
    for (pair, serial, is_believed) in [
        (&*THEIRS, SERIAL, true),
        (&*THEIRS_BEFORE, OLD_SERIAL, true),
        // The key is the one that is named, not one that fits.
        (&*THEIRS, OLD_SERIAL, false),
        (&*THEIRS_BEFORE, SERIAL, false),
    ] {
        let headers = wechat_headers(pair, serial, NOW, &body);
        let outcome =
            at_once(providers.read_notice(Provider::Wechat, &headers, &body)).expect("it is configured");
        assert_eq!(outcome.is_ok(), is_believed, "{serial}");
    }
}

#[test]
fn while_the_api_key_is_exchanged_a_notification_made_with_either_is_read() {
    const BEFORE: &str = "the-api-v3-key-of-yesterday-32-l";
    let mut all = variables();
    all.push(("WECHAT_API_V3_KEY_PREVIOUS", BEFORE.to_owned()));
    let providers = configured(&Arc::new(TestHost::default()), &all);
    for (key, is_read) in [(API_V3_KEY, true), (BEFORE, true), ("the-api-v3-key-of-last-week-32-l", false)] {
        let body =
            sealed("TRANSACTION.SUCCESS", key, "nonce-of-12-", "transaction", &transaction(&json!({})));
        let headers = wechat_headers(&THEIRS, SERIAL, NOW, &body);
        let outcome =
            at_once(providers.read_notice(Provider::Wechat, &headers, &body)).expect("it is configured");
        assert_eq!(outcome.is_ok(), is_read, "{key}");
    }
}

#[test]
fn a_serial_number_is_the_same_in_either_case() {
    let providers = providers_rotating(&Arc::new(TestHost::default()));
    let body = wechat_notice("TRANSACTION.SUCCESS", &transaction(&json!({})));
    let serial = OLD_SERIAL.to_lowercase();
    assert_ne!(serial, OLD_SERIAL);
    let believed = |pair: &Pair| {
        let headers = wechat_headers(pair, &serial, NOW, &body);
        at_once(providers.read_notice(Provider::Wechat, &headers, &body)).expect("it is configured").is_ok()
    };
    assert!(believed(&THEIRS_BEFORE));
    assert!(!believed(&THEIRS), "the key is still the one that is named");
}

#[test]
fn a_notification_counts_for_less_than_300_seconds() {
    let body = wechat_notice("TRANSACTION.SUCCESS", &transaction(&json!({})));
    for (signed_at, is_believed) in
        [(NOW - 300, false), (NOW - 299, true), (NOW + 299, true), (NOW + 300, false), (0, false)]
    {
        let outcome = read(&wechat_headers(&THEIRS, SERIAL, signed_at, &body), &body);
        assert_eq!(outcome.is_ok(), is_believed, "{signed_at}");
    }
}

#[test]
fn without_the_right_signature_over_these_bytes_nothing_is_believed() {
    let body = wechat_notice("TRANSACTION.SUCCESS", &transaction(&json!({})));
    let right = wechat_headers(&THEIRS, SERIAL, NOW, &body);
    assert!(read(&right, &body).is_ok());
    let with = |name: &'static str, value: &str| {
        let mut headers = right.clone();
        headers.insert(name, value.parse().expect("visible"));
        read(&headers, &body)
    };
    for name in ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial"] {
        assert_eq!(with(name, ""), Err(Distrust::Signature), "{name}");
        assert_eq!(with(name, "1"), Err(Distrust::Signature), "{name}");
        let mut headers = right.clone();
        headers.remove(name);
        assert_eq!(read(&headers, &body), Err(Distrust::Signature), "{name}");
    }
    for timestamp in ["-1", "1800000000.0", "18446744073709551616", " 1800000000"] {
        assert_eq!(with("wechatpay-timestamp", timestamp), Err(Distrust::Signature), "{timestamp}");
    }
    assert_eq!(with("wechatpay-serial", OLD_SERIAL), Err(Distrust::Signature));
    assert_eq!(read(&wechat_headers(&STRANGER, SERIAL, NOW, &body), &body), Err(Distrust::Signature));
    for place in [0, body.len() / 2, body.len() - 1] {
        let mut tampered = body.clone();
        tampered[place] ^= 1;
        assert_eq!(read(&right, &tampered), Err(Distrust::Signature), "{place}");
    }
    assert_eq!(read(&right, &[&body[..], b" "].concat()), Err(Distrust::Signature));
}

#[test]
fn a_probe_is_refused_and_told_apart() {
    let body = wechat_notice("TRANSACTION.SUCCESS", &transaction(&json!({})));
    let mut headers = wechat_headers(&THEIRS, SERIAL, NOW, &body);
    headers.insert("wechatpay-signature", "WECHATPAY/SIGNTEST/AAAA".parse().expect("visible"));
    assert_eq!(read(&headers, &body), Err(Distrust::Probe));
}

#[test]
fn a_wrong_tag_key_nonce_or_context_opens_nothing() {
    let contents = transaction(&json!({}));
    let right: Value =
        serde_json::from_slice(&wechat_notice("TRANSACTION.SUCCESS", &contents)).expect("JSON");
    let with = |name: &str, value: &str| {
        let mut body = right.clone();
        body["resource"][name] = json!(value);
        read_signed(body.to_string().as_bytes())
    };
    assert!(read_signed(right.to_string().as_bytes()).is_ok());
    let ciphertext = right["resource"]["ciphertext"].as_str().expect("a text");
    let mut bytes = Base64::decode_vec(ciphertext).expect("base64");
    *bytes.last_mut().expect("a tag") ^= 1;
    let bad_tag = Base64::encode_string(&bytes);
    for (name, value) in [
        ("ciphertext", bad_tag.as_str()),
        ("ciphertext", ""),
        ("ciphertext", "AAAA"),
        ("ciphertext", "no base64!"),
        ("nonce", "nonce-of-13--"),
        ("nonce", "nonce-of-12+"),
        ("nonce", ""),
        ("associated_data", "refund"),
        ("associated_data", ""),
        ("algorithm", "AEAD_SM4_GCM"),
    ] {
        assert_eq!(with(name, value), Err(Distrust::Malformed), "{name} {value}");
    }
    let other_key = sealed("TRANSACTION.SUCCESS", &"k".repeat(32), "nonce-of-12-", "transaction", &contents);
    assert_eq!(read_signed(&other_key), Err(Distrust::Malformed));
    for body in [&b""[..], b"{}", b"[]", b"{", b"\xff"] {
        assert_eq!(read_signed(body), Err(Distrust::Malformed));
    }
}

#[test]
fn a_refund_is_told_with_its_order_and_the_provider_s_own_facts() {
    let read = |changes: &Value| read_signed(&wechat_notice("REFUND.SUCCESS", &wechat_refund(changes)));
    let Ok(Notice::Contradicted(what, None)) = read(&json!({})) else { panic!("a refund") };
    assert_eq!((what.kind, what.order_no.as_str()), ("refunded", "ORD0000000001"));
    assert_eq!(what.amount.as_ref().map(mps_client::argument::Price::as_str), Some("100.00"));
    assert_eq!(what.event_id, "50000000382019052709732678859");
    assert!(what.facts.contains("RF1"));
    assert_eq!(read(&json!({"refund_status": "ABNORMAL"})), Ok(Notice::Other));
    assert_eq!(read(&json!({"mchid": "1900007292"})), Err(Distrust::Stranger));
    assert_eq!(read(&json!({"refund_id": ""})), Err(Distrust::Malformed));
    assert_eq!(read(&json!({"amount": {"refund": 0}})), Err(Distrust::Amount));
    let other = wechat_notice("REFUND.CLOSED", &wechat_refund(&json!({})));
    assert_eq!(read_signed(&other), Ok(Notice::Other));
}

#[test]
fn a_payment_to_another_merchant_or_app_is_not_ours() {
    assert_eq!(read_payment(&json!({"mchid": "1900007292"})), Err(Distrust::Stranger));
    assert_eq!(read_payment(&json!({"appid": "wxd678efh567hg6788"})), Err(Distrust::Stranger));
    assert_eq!(
        read_payment(&json!({"mchid": "1900007292", "trade_state": "CLOSED"})),
        Err(Distrust::Stranger)
    );
}

#[test]
fn only_success_is_a_payment() {
    for state in ["REFUND", "NOTPAY", "CLOSED", "REVOKED", "USERPAYING", "PAYERROR", "success", ""] {
        assert_eq!(read_payment(&json!({"trade_state": state})), Ok(Notice::Other), "{state}");
    }
    // Nor is a payment under the name of another event.
    let failed = wechat_notice("TRANSACTION.FAIL", &transaction(&json!({})));
    assert_eq!(read_signed(&failed), Ok(Notice::Other));
}

#[test]
fn an_amount_is_a_positive_whole_number_of_fen_that_an_account_can_hold() {
    for total in [
        "0",
        "-1",
        "1.0",
        "100.5",
        "1e2",
        "\"100\"",
        "null",
        "true",
        "18446744073709551616",
        "100000000000000",
    ] {
        let total: Value = serde_json::from_str(total).expect("JSON");
        let outcome = read_payment(&json!({"amount": {"total": total, "currency": "CNY"}}));
        assert_eq!(outcome, Err(Distrust::Amount), "{total}");
    }
    assert_eq!(read_payment(&json!({"amount": null})), Err(Distrust::Amount));
    for (total, shown) in [(1_u64, "0.01"), (100, "1.00"), (99_999_999_999_999, "999999999999.99")] {
        let Ok(Notice::Paid(payment)) = read_payment(&json!({"amount": {"total": total, "currency": "USD"}}))
        else {
            panic!("{total} is an amount")
        };
        assert_eq!((payment.amount.as_str(), payment.currency.as_str()), (shown, "USD"));
    }
}

#[test]
fn a_payment_without_its_number_or_its_time_is_malformed() {
    for changes in [
        json!({"transaction_id": null}),
        json!({"transaction_id": ""}),
        json!({"success_time": null}),
        json!({"success_time": "2027-01-15 15:59"}),
        json!({"out_trade_no": 7}),
    ] {
        assert_eq!(read_payment(&changes), Err(Distrust::Malformed), "{changes}");
    }
}

proptest! {
    #[test]
    fn every_count_of_fen_is_the_amount_with_that_many_hundredths(fen in 1_u64..100_000_000_000_000) {
        let amount = crate::providers::price_of_fen(fen).expect("an amount");
        let money = mps_core::Money::parse(amount.as_str()).expect("an amount");
        prop_assert_eq!(money.hundredths(), fen);
    }

    #[test]
    fn no_signed_bytes_at_all_panic_the_reader(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read_signed(&body).is_err());
    }

    #[test]
    fn no_contents_at_all_panic_the_reader(text in ".{0,200}", nonce in ".{12}") {
        let body = json!({"event_type": "TRANSACTION.SUCCESS", "resource": {"algorithm": "AEAD_AES_256_GCM",
            "ciphertext": text, "nonce": nonce, "associated_data": text}});
        prop_assert!(read_signed(body.to_string().as_bytes()).is_err());
    }
}

/// Answers every request alike, signed or not, and keeps what was asked.
fn gateway(status: u16, body: &str, signer: Option<&'static Pair>) -> (Arc<TestHost>, Arc<Asked>) {
    let host = Arc::new(TestHost::default());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (body, kept) = (body.as_bytes().to_vec(), asked.clone());
    let answers: Gateway = Box::new(move |request| {
        kept.lock().expect("no panic holds it").push(request);
        let mut response = http::Response::new(body.clone());
        *response.status_mut() = status.try_into().expect("a status");
        if let Some(pair) = signer {
            *response.headers_mut() = wechat_headers(pair, SERIAL, NOW, &body);
        }
        Some(response)
    });
    *host.gateway.lock().expect("no panic holds it") = Some(answers);
    (host, asked)
}

/// Holds what WeChat holds against a request.
fn check_authorization(request: &http::Request<Vec<u8>>) {
    let header = request.headers()["authorization"].to_str().expect("text");
    let rest = header.strip_prefix("WECHATPAY2-SHA256-RSA2048 ").expect("its scheme");
    let fields: std::collections::HashMap<&str, &str> = rest
        .split(',')
        .map(|field| field.split_once('=').expect("a pair"))
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    assert_eq!(fields["mchid"], "1900007291");
    assert_eq!(fields["serial_no"], "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB");
    assert!((1..=32).contains(&fields["nonce_str"].len()));
    assert_eq!(fields["timestamp"], NOW.to_string());
    let path = request.uri().path_and_query().expect("a path");
    let body = std::str::from_utf8(request.body()).expect("text");
    let (timestamp, nonce) = (fields["timestamp"], fields["nonce_str"]);
    let message = format!("{}\n{path}\n{timestamp}\n{nonce}\n{body}\n", request.method());
    check_signed(&message, rest.split("signature=\"").nth(1).expect("a signature").trim_end_matches('"'));
    assert_eq!(request.headers()["accept"], "application/json");
    assert_eq!(request.headers()["wechatpay-serial"], SERIAL);
    assert!(request.headers().contains_key("user-agent"));
}

fn check_signed(message: &str, signature: &str) {
    let bytes = Base64::decode_vec(signature).expect("base64");
    let key = VerifyingKey::<Sha256>::new(OURS.private.to_public_key());
    let signature = Signature::try_from(bytes.as_slice()).expect("a signature");
    key.verify(message.as_bytes(), &signature).expect("signed by us");
}

#[tokio::test]
async fn a_native_order_is_asked_for_as_the_manual_has_it() {
    let (host, asked) = gateway(200, r#"{"code_url":"weixin://wxpay/bizpayurl?pr=1"}"#, Some(&THEIRS));
    let pay = providers(&host).create(&order(), &Method::Native, Deadline::NONE).await.expect("an answer");
    assert!(matches!(pay, Some(Pay::Native { code_url }) if code_url == "weixin://wxpay/bizpayurl?pr=1"));
    let asked = asked.lock().expect("no panic holds it");
    check_authorization(&asked[0]);
    assert_eq!(asked[0].uri(), "https://wechat.example/v3/pay/transactions/native");
    let body: Value = serde_json::from_slice(asked[0].body()).expect("JSON");
    let expected = json!({"appid": "wxd678efh567hg6787", "mchid": "1900007291", "description": "会员卡充值 ORD0000000001",
        "out_trade_no": "ORD0000000001", "time_expire": "2027-01-15T16:15:00+08:00",
        "notify_url": "https://pay.example/api/webhooks/wechat", "amount": {"total": 29905, "currency": "CNY"}});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_jsapi_order_is_what_the_bridge_takes_signed_by_us() {
    let (host, asked) =
        gateway(200, r#"{"prepay_id":"wx201410272009395522657a690389285100"}"#, Some(&THEIRS));
    let method = Method::Jsapi { openid: "o-1".to_owned() };
    let pay = providers(&host).create(&order(), &method, Deadline::NONE).await.expect("an answer");
    let pay = serde_json::to_value(pay.expect("to be paid")).expect("JSON");
    assert_eq!(pay["method"], "jsapi");
    let text = |name: &str| pay["bridge"][name].as_str().expect("a text").to_owned();
    assert_eq!(text("package"), "prepay_id=wx201410272009395522657a690389285100");
    assert_eq!((text("signType").as_str(), text("timeStamp")), ("RSA", NOW.to_string()));
    let (app_id, time, nonce) = (text("appId"), text("timeStamp"), text("nonceStr"));
    check_signed(&format!("{app_id}\n{time}\n{nonce}\n{}\n", text("package")), &text("paySign"));
    let asked = asked.lock().expect("no panic holds it");
    assert_eq!(asked[0].uri().path(), "/v3/pay/transactions/jsapi");
    let body: Value = serde_json::from_slice(asked[0].body()).expect("JSON");
    assert_eq!(body["payer"], json!({"openid": "o-1"}));
}

#[tokio::test]
async fn an_answer_that_wechat_did_not_sign_is_none() {
    for signer in [None, Some(&*STRANGER)] {
        let (host, _) = gateway(200, r#"{"code_url":"weixin://evil"}"#, signer);
        let failure = providers(&host)
            .create(&order(), &Method::Native, Deadline::NONE)
            .await
            .expect_err("not believed");
        assert_eq!(failure.code(), mps_core::ErrorCode::Unavailable);
        let (host, _) = gateway(200, &transaction(&json!({})).to_string(), signer);
        let failure =
            providers(&host).query(Provider::Wechat, "ORD0000000001").await.expect_err("not believed");
        assert_eq!(failure.upstream().map(mps_client::UpstreamCode::as_str), Some("SIGNATURE"));
        let (host, _) = gateway(404, r#"{"code":"ORDER_NOT_EXIST"}"#, signer);
        assert!(providers(&host).query(Provider::Wechat, "ORD0000000001").await.is_err());
    }
}

#[tokio::test]
async fn what_a_query_answers_is_where_the_order_stands() {
    let stand = async |status: u16, body: String| {
        let (host, _) = gateway(status, &body, Some(&THEIRS));
        providers(&host).query(Provider::Wechat, "ORD0000000001").await
    };
    let state = |state: &str| transaction(&json!({"trade_state": state})).to_string();
    assert_eq!(
        stand(200, state("SUCCESS")).await.ok(),
        Some(Standing::Paid(paid(Provider::Wechat, "4200000000000001")))
    );
    let unpaid = json!({"mchid": "1900007291", "appid": "wxd678efh567hg6787", "out_trade_no": "ORD0000000001",
        "trade_state": "NOTPAY"});
    assert_eq!(stand(200, unpaid.to_string()).await.ok(), Some(Standing::Open));
    assert_eq!(stand(200, state("CLOSED")).await.ok(), Some(Standing::Over));
    let refunded = Standing::Refunded { provider_tx_id: "4200000000000001".to_owned() };
    assert_eq!(stand(200, state("REFUND")).await.ok(), Some(refunded));
    assert_eq!(stand(404, r#"{"code":"ORDER_NOT_EXIST"}"#.to_owned()).await.ok(), Some(Standing::Over));
    for (status, body) in [
        (200, state("SOMETHING")),
        (200, transaction(&json!({"out_trade_no": "ORD0000000002"})).to_string()),
        (200, transaction(&json!({"mchid": "1900007292"})).to_string()),
        (200, transaction(&json!({"amount": {"total": 0}})).to_string()),
        (200, "{}".to_owned()),
        (200, "<html>".to_owned()),
        (429, r#"{"code":"FREQUENCY_LIMITED"}"#.to_owned()),
        (500, r#"{"code":"SYSTEM_ERROR"}"#.to_owned()),
        (502, "<html>".to_owned()),
    ] {
        let failure = stand(status, body.clone()).await.expect_err("no answer");
        assert_eq!(failure.code(), mps_core::ErrorCode::Unavailable, "{status} {body}");
    }
    let refused = stand(401, r#"{"code":"SIGN_ERROR"}"#.to_owned()).await.expect_err("a refusal");
    assert_eq!(refused.code(), mps_core::ErrorCode::Internal);
    assert_eq!(refused.upstream().map(mps_client::UpstreamCode::as_str), Some("SIGNERROR"));
}

#[tokio::test]
async fn an_order_is_closed_once_and_a_paid_one_is_not() {
    let close = async |status: u16, body: &str| {
        let (host, asked) = gateway(status, body, Some(&THEIRS));
        let outcome = providers(&host).close(Provider::Wechat, "ORD0000000001").await;
        let asked = asked.lock().expect("no panic holds it");
        check_authorization(&asked[0]);
        assert_eq!(asked[0].uri().path(), "/v3/pay/transactions/out-trade-no/ORD0000000001/close");
        assert_eq!(asked[0].body(), br#"{"mchid":"1900007291"}"#);
        outcome.is_ok()
    };
    assert!(close(204, "").await);
    assert!(close(400, r#"{"code":"ORDER_CLOSED"}"#).await);
    assert!(close(404, r#"{"code":"ORDER_NOT_EXIST"}"#).await);
    assert!(!close(400, r#"{"code":"ORDERPAID"}"#).await);
    assert!(!close(500, "").await);
}
