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
    at_once(providers(&host).read_notice(Provider::Alipay, &HeaderMap::new(), body))
        .expect("it is configured")
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
            at_once(rotating.read_notice(Provider::Alipay, &HeaderMap::new(), &body)).ok(),
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

/// A notification in bytes of a charset of its own, signed over them.
fn notice_in(charset: &str, subject: &[u8], pair: &Pair) -> Vec<u8> {
    let fields: [(&str, &[u8]); 9] = [
        ("app_id", b"2021000000000001"),
        ("charset", charset.as_bytes()),
        ("gmt_payment", b"2027-01-15 15:59:58"),
        ("out_trade_no", b"ORD0000000001"),
        ("seller_id", b"2088000000000001"),
        ("subject", subject),
        ("total_amount", b"299.05"),
        ("trade_no", TRADE_NO.as_bytes()),
        ("trade_status", b"TRADE_SUCCESS"),
    ];
    let signed: Vec<Vec<u8>> =
        fields.iter().map(|(name, value)| [name.as_bytes(), b"=", value].concat()).collect();
    let sign = pair.sign(&signed.join(&b'&'));
    let escaped = |bytes: &[u8]| form_urlencoded::byte_serialize(bytes).collect::<String>();
    let mut form: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    form.push(format!("sign_type=RSA2&sign={}", escaped(sign.as_bytes())));
    form.join("&").into_bytes()
}

/// 会员卡充值, and 乗, whose second byte is a backslash.
const GBK: &[u8] = b"\xbb\xe1\xd4\xb1\xbf\xa8\xb3\xe4\xd6\xb5\x81\x5c & more = +1";

#[test]
fn a_notification_is_verified_over_its_bytes_and_read_by_the_charset_that_it_names() {
    let expected = Ok(Notice::Paid(paid(Provider::Alipay, TRADE_NO)));
    for charset in ["GBK", "gbk", "GB2312", "gb18030"] {
        assert_eq!(read(&notice_in(charset, GBK, &THEIRS)), expected, "{charset}");
    }
    assert_eq!(read(&notice_in("utf-8", "会员卡充值".as_bytes(), &THEIRS)), expected);
    assert_eq!(read(&notice_in("GBK", GBK, &STRANGER)), Err(Distrust::Signature));
    let mut tampered = notice_in("GBK", GBK, &THEIRS);
    let place = tampered.windows(3).position(|bytes| bytes == b"%BB").expect("the subject");
    tampered[place + 2] = b'C';
    assert_eq!(read(&tampered), Err(Distrust::Signature));
    // Signed, and yet no text of the charset, or a charset that the manual does not have.
    assert_eq!(read(&notice_in("utf-8", GBK, &THEIRS)), Err(Distrust::Malformed));
    assert_eq!(read(&notice_in("utf-16", b"x", &THEIRS)), Err(Distrust::Malformed));
}

#[test]
fn a_payment_to_another_seller_or_app_is_not_ours() {
    assert_eq!(read_changed(&[("seller_id", "2088000000000002")]), Err(Distrust::Stranger));
    assert_eq!(read_changed(&[("app_id", "2021000000000002")]), Err(Distrust::Stranger));
    assert_eq!(read_changed(&[("seller_id", "")]), Err(Distrust::Stranger));
}

#[test]
fn only_success_and_finished_are_payments() {
    for status in ["WAIT_BUYER_PAY", "trade_success", ""] {
        assert_eq!(read_changed(&[("trade_status", status)]), Ok(Notice::Other), "{status}");
    }
}

/// What a notice says against a payment, and what is left of it.
fn contradicted(changes: &[(&str, &str)]) -> (Contradiction, Option<String>) {
    let Ok(Notice::Contradicted(what, rest)) = read_changed(changes) else { panic!("{changes:?}") };
    (what, rest.map(|payment| payment.amount.as_str().to_owned()))
}

#[test]
fn what_went_back_is_not_credited_and_is_told_with_the_provider_s_own_facts() {
    let refund =
        |fee| [("refund_fee", fee), ("gmt_refund", "2027-01-15 16:10:00.123"), ("out_biz_no", "RF1")];
    let (what, rest) = contradicted(&refund("100.00"));
    assert_eq!(
        (what.kind, what.order_no.as_str(), rest.as_deref()),
        ("refunded", "ORD0000000001", Some("199.05"))
    );
    assert_eq!(what.amount.map(|amount| amount.as_str().to_owned()).as_deref(), Some("100.00"));
    assert_eq!(what.provider_tx_id.as_deref(), Some(TRADE_NO));
    let facts: Value = serde_json::from_str(&what.facts).expect("JSON");
    assert_eq!((&facts["refund_fee"], &facts["out_biz_no"]), (&json!("100.00"), &json!("RF1")));
    assert_eq!(contradicted(&refund("299.05")).1, None);
    assert_ne!(contradicted(&refund("100.00")).0.event_id, contradicted(&refund("150.00")).0.event_id);
    assert_eq!(read_changed(&refund("0.00")), read_changed(&[]));
    for fee in ["299.06", "-1", "x", "1e2"] {
        assert_eq!(read_changed(&refund(fee)), Err(Distrust::Amount), "{fee}");
    }
}

#[test]
fn a_closed_trade_is_told_with_what_went_back_and_without() {
    let (what, rest) = contradicted(&[("trade_status", "TRADE_CLOSED"), ("refund_fee", "10.00")]);
    assert_eq!((what.kind, rest), ("refunded", None));
    let (what, rest) = contradicted(&[("trade_status", "TRADE_CLOSED"), ("gmt_payment", "")]);
    assert_eq!((what.kind, what.amount, rest), ("closed", None, None));
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
async fn an_answer_in_gbk_is_read_as_well() {
    let text = trade("TRADE_SUCCESS").into_bytes();
    let place = text.windows(7).position(|bytes| bytes == b"Success").expect("a message");
    let text = [&text[..place], GBK, &text[place + 7..]].concat();
    // A backslash of a second byte is none of JSON's.
    let sign = THEIRS.sign(&text);
    let body =
        [format!(r#"{{"{QUERY}":"#).as_bytes(), &text, format!(r#","sign":"{sign}"}}"#).as_bytes()].concat();
    for (body, is_believed) in [(body.clone(), true), ([&body[..body.len() - 4], b"A\"}"].concat(), false)] {
        let host = Arc::new(TestHost::default());
        let answer: Gateway = Box::new(move |_| Some(http::Response::new(body.clone())));
        *host.gateway.lock().expect("no panic holds it") = Some(answer);
        let outcome = providers(&host).query(Provider::Alipay, "ORD0000000001").await;
        assert_eq!(outcome.is_ok(), is_believed);
        assert!(!is_believed || outcome.ok() == Some(Standing::Paid(paid(Provider::Alipay, TRADE_NO))));
    }
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
