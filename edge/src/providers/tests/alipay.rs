//! Alipay: what is signed, what is believed, what is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mps_core::ErrorCode;
use proptest::prelude::*;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::signature::Verifier;

use super::*;
use crate::providers::{Deadline, Method, Pay, Standing};
use crate::routes::tests::bench::Gateway;

fn read(body: &[u8]) -> Result<Notice, Distrust> {
    let host = Arc::new(TestHost::default());
    providers(&host).read_notice(Provider::Alipay, &HeaderMap::new(), body).expect("it is configured")
}

fn read_changed(changes: &[(&str, &str)]) -> Result<Notice, Distrust> {
    read(&alipay_notice(&THEIRS, changes))
}

const TRADE_NO: &str = "2027011522001400000000000001";

#[test]
fn a_right_notification_is_a_payment_by_any_key_of_theirs() {
    let expected = Ok(Notice::Paid(paid(Provider::Alipay, TRADE_NO)));
    assert_eq!(read_changed(&[]), expected);
    assert_eq!(read_changed(&[("trade_status", "TRADE_FINISHED")]), expected);
    let rotating = providers_rotating(&Arc::new(TestHost::default()));
    for pair in [&*THEIRS_BEFORE, &*THEIRS] {
        let body = alipay_notice(pair, &[]);
        assert_eq!(
            rotating.read_notice(Provider::Alipay, &HeaderMap::new(), &body).ok(),
            Some(expected.clone())
        );
    }
}

#[test]
fn without_the_right_signature_nothing_is_believed() {
    assert_eq!(read(&alipay_notice(&STRANGER, &[])), Err(Distrust::Signature));
    // RSA over SHA-1 is refused before it is computed.
    assert_eq!(read_changed(&[("sign_type", "RSA")]), Err(Distrust::Signature));
    let right = String::from_utf8(alipay_notice(&THEIRS, &[])).expect("text");
    for (from, to) in [
        ("total_amount=299.05", "total_amount=2990.5"),
        ("total_amount=299.05&", ""),
        ("out_trade_no=ORD0000000001", "out_trade_no=ORD0000000002"),
        ("&sign_type=RSA2", ""),
        ("sign_type=RSA2", "sign_type=rsa2"),
        ("sign=", "sing="),
        ("passback_params=", "passback_params=x"),
    ] {
        let tampered = right.replacen(from, to, 1);
        assert_ne!(tampered, right, "{from}");
        assert_eq!(read(tampered.as_bytes()), Err(Distrust::Signature), "{from}");
    }
    for body in [&b""[..], b"&&&", b"sign=", b"{}", b"\xff\xfe"] {
        assert_eq!(read(body), Err(Distrust::Signature));
    }
    assert_eq!(read(format!("{right}&trade_no=2").as_bytes()), Err(Distrust::Malformed));
}

#[test]
fn a_payment_to_another_seller_or_app_is_not_ours() {
    assert_eq!(read_changed(&[("seller_id", "2088000000000002")]), Err(Distrust::Stranger));
    assert_eq!(read_changed(&[("app_id", "2021000000000002")]), Err(Distrust::Stranger));
    assert_eq!(read_changed(&[("seller_id", "")]), Err(Distrust::Stranger));
}

#[test]
fn only_success_and_finished_are_payments() {
    for status in ["WAIT_BUYER_PAY", "TRADE_CLOSED", "trade_success", ""] {
        assert_eq!(read_changed(&[("trade_status", status)]), Ok(Notice::Other), "{status}");
    }
}

#[test]
fn what_went_back_is_not_credited() {
    let refund = |fee| read_changed(&[("refund_fee", fee), ("gmt_refund", "2027-01-15 16:10:00.123")]);
    let Ok(Notice::Paid(payment)) = refund("100.00") else { panic!("a part was kept") };
    assert_eq!(payment.amount.as_str(), "199.05");
    assert_eq!(refund("0.00"), read_changed(&[]));
    assert_eq!(refund("299.05"), Ok(Notice::Other));
    for fee in ["299.06", "-1", "x", "1e2"] {
        assert_eq!(refund(fee), Err(Distrust::Amount), "{fee}");
    }
}

#[test]
fn an_amount_is_a_plain_positive_decimal_and_never_read_through_a_float() {
    for amount in
        ["0", "0.00", "-1.00", "+1.00", "1e2", "1.001", "NaN", " 1", "1,000.00", "", "9999999999999", "٣"]
    {
        assert_eq!(read_changed(&[("total_amount", amount)]), Err(Distrust::Amount), "{amount}");
    }
    for (amount, shown) in [("0.01", "0.01"), ("100", "100.00"), ("900719925474.1", "900719925474.10")] {
        let Ok(Notice::Paid(payment)) = read_changed(&[("total_amount", amount)]) else {
            panic!("{amount} is an amount")
        };
        assert_eq!(payment.amount.as_str(), shown);
    }
}

#[test]
fn an_amount_in_other_money_says_so() {
    let Ok(Notice::Paid(payment)) = read_changed(&[("trans_currency", "USD")]) else { panic!("a payment") };
    assert_eq!(payment.currency, "USD");
}

#[test]
fn a_payment_without_its_numbers_or_its_time_is_malformed() {
    for name in ["out_trade_no", "trade_no", "gmt_payment"] {
        assert_eq!(read_changed(&[(name, "")]), Err(Distrust::Malformed), "{name}");
    }
    assert_eq!(read_changed(&[("gmt_payment", "2027-02-30 00:00:00")]), Err(Distrust::Malformed));
}

proptest! {
    #[test]
    fn every_amount_is_read_as_it_is_written(hundredths in 1_u64..100_000_000_000_000) {
        let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        let Ok(Notice::Paid(payment)) = read_changed(&[("total_amount", &text)]) else {
            panic!("{text} is an amount")
        };
        prop_assert_eq!(payment.amount.as_str(), text);
    }

    #[test]
    fn no_bytes_at_all_panic_the_reader(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&body).is_err());
    }
}

/// Answers every request alike and keeps what was asked.
fn gateway(body: String) -> (Arc<TestHost>, Arc<Asked>) {
    let host = Arc::new(TestHost::default());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    let answers: Gateway = Box::new(move |request| {
        kept.lock().expect("no panic holds it").push(request);
        Some(http::Response::new(body.clone().into_bytes()))
    });
    *host.gateway.lock().expect("no panic holds it") = Some(answers);
    (host, asked)
}

fn parameters(query: &str) -> HashMap<String, String> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Holds what Alipay holds against a request.
fn check_signed(all: &HashMap<String, String>) {
    let mut fields: Vec<String> = all
        .iter()
        .filter(|(name, value)| *name != "sign" && !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    fields.sort();
    let bytes = Base64::decode_vec(&all["sign"]).expect("base64");
    let key = VerifyingKey::<Sha256>::new(OURS.private.to_public_key());
    let signature = Signature::try_from(bytes.as_slice()).expect("a signature");
    key.verify(fields.join("&").as_bytes(), &signature).expect("signed by us");
    assert_eq!((all["sign_type"].as_str(), all["charset"].as_str()), ("RSA2", "utf-8"));
    assert_eq!((all["timestamp"].as_str(), all["version"].as_str()), ("2027-01-15 16:00:00", "1.0"));
}

#[tokio::test]
async fn a_page_and_an_order_string_are_signed_and_nobody_is_asked() {
    let host = Arc::new(TestHost::default());
    let providers = providers(&host);
    let Ok(Some(Pay::Page { url })) = providers.create(&order(), &Method::Page, Deadline::NONE).await else {
        panic!("a page")
    };
    let Ok(Some(Pay::App { order_string })) = providers.create(&order(), &Method::App, Deadline::NONE).await
    else {
        panic!("an order string")
    };
    let query = url.strip_prefix("https://alipay.example/gateway.do?").expect("the gateway");
    for (query, method, product) in [
        (query, "alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
        (&order_string, "alipay.trade.app.pay", "QUICK_MSECURITY_PAY"),
    ] {
        let all = parameters(query);
        check_signed(&all);
        assert_eq!(all["method"], method);
        assert_eq!(all["notify_url"], "https://pay.example/api/webhooks/alipay");
        let content: Value = serde_json::from_str(&all["biz_content"]).expect("JSON");
        let expected = json!({"out_trade_no": "ORD0000000001", "total_amount": "299.05",
            "subject": "会员卡充值 ORD0000000001", "product_code": product, "time_expire": "2027-01-15 16:15:00"});
        assert_eq!(content, expected);
    }
    assert_eq!(host.fetches.load(std::sync::atomic::Ordering::Relaxed), 0);
}

/// An answer as Alipay writes it: its own spacing and escapes are what is signed.
fn signed_answer(node: &str, text: &str, pair: &Pair) -> String {
    format!(r#"{{"{node}":{text},"sign":"{}"}}"#, pair.sign(text.as_bytes()))
}

const QUERY: &str = "alipay_trade_query_response";

fn trade(status: &str) -> String {
    format!(
        r#"{{ "code":"10000","msg":"Success","buyer_logon_id":"a\/b***","out_trade_no":"ORD0000000001","send_pay_date":"2027-01-15 15:59:58","total_amount":"299.05","trade_no":"{TRADE_NO}","trade_status":"{status}" }}"#
    )
}

#[tokio::test]
async fn what_a_query_answers_is_where_the_order_stands() {
    let stand = async |body: String| {
        let (host, asked) = gateway(body);
        let outcome = providers(&host).query(Provider::Alipay, "ORD0000000001").await;
        let asked = asked.lock().expect("no panic holds it");
        let mut all = parameters(asked[0].uri().query().expect("a query"));
        all.extend(parameters(std::str::from_utf8(asked[0].body()).expect("text")));
        check_signed(&all);
        assert_eq!(all["method"], "alipay.trade.query");
        assert_eq!(all["biz_content"], r#"{"out_trade_no":"ORD0000000001"}"#);
        outcome
    };
    let answer = |text: &str| signed_answer(QUERY, text, &THEIRS);
    let paid = Some(Standing::Paid(paid(Provider::Alipay, TRADE_NO)));
    assert_eq!(stand(answer(&trade("TRADE_SUCCESS"))).await.ok(), paid);
    assert_eq!(stand(answer(&trade("TRADE_FINISHED"))).await.ok(), paid);
    assert_eq!(stand(answer(&trade("WAIT_BUYER_PAY"))).await.ok(), Some(Standing::Open));
    assert_eq!(stand(answer(&trade("TRADE_CLOSED"))).await.ok(), Some(Standing::Over));
    let unknown = r#"{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_NOT_EXIST"}"#;
    assert_eq!(stand(answer(unknown)).await.ok(), Some(Standing::Over));
    for body in [
        answer(&trade("SOMETHING")),
        answer(&trade("TRADE_SUCCESS").replace("ORD0000000001", "ORD0000000002")),
        answer(&trade("TRADE_SUCCESS").replace("299.05", "0.00")),
        answer(r#"{"code":"20000","msg":"Service Currently Unavailable","sub_code":"isp.unknow-error"}"#),
        answer(r#"{"code":"40004","msg":"Business Failed","sub_code":"ACQ.SYSTEM_ERROR"}"#),
        signed_answer(QUERY, &trade("TRADE_SUCCESS"), &STRANGER),
        signed_answer(QUERY, &trade("TRADE_SUCCESS"), &THEIRS).replace("299.05", "999.05"),
        signed_answer(QUERY, &trade("TRADE_SUCCESS"), &THEIRS).replace("{ \"code", "{\"code"),
        signed_answer("alipay_trade_close_response", &trade("TRADE_SUCCESS"), &THEIRS),
        format!(r#"{{"{QUERY}":{}}}"#, trade("TRADE_SUCCESS")),
        "<html>".to_owned(),
        String::new(),
    ] {
        let failure = stand(body.clone()).await.expect_err("no answer");
        assert_eq!(failure.code(), ErrorCode::Unavailable, "{body}");
    }
    let refused = r#"{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-signature"}"#;
    assert_eq!(stand(answer(refused)).await.map_err(|failure| failure.code()), Err(ErrorCode::Internal));
}

#[tokio::test]
async fn an_order_is_closed_once_and_a_paid_one_is_not() {
    let close = async |text: &str| {
        let (host, _) = gateway(signed_answer("alipay_trade_close_response", text, &THEIRS));
        providers(&host).close(Provider::Alipay, "ORD0000000001").await.is_ok()
    };
    assert!(close(r#"{"code":"10000","msg":"Success"}"#).await);
    assert!(close(r#"{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}"#).await);
    assert!(!close(r#"{"code":"40004","sub_code":"ACQ.TRADE_STATUS_ERROR"}"#).await);
}
