//! Notifications: what is acknowledged, and that nothing is which the database did not confirm.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::bench::{Bench, NOW, Reply, request};
use super::recharges::completed;
use crate::providers::tests::{
    OURS, SERIAL, STRANGER, THEIRS, alipay_notice, transaction, variables, wechat_headers, wechat_notice,
    wechat_refund,
};

async fn bench(answers: Vec<(&'static str, String)>) -> Bench {
    let all = variables();
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Bench::with(answers, &all).await
}

async fn send_wechat(bench: &Bench, headers: &HeaderMap, body: Vec<u8>) -> Reply {
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("visible"))).collect();
    bench.send(request("POST", "/api/webhooks/wechat", &headers, body)).await
}

async fn notify_wechat(bench: &Bench, changes: &Value) -> Reply {
    let body = wechat_notice("TRANSACTION.SUCCESS", &transaction(changes));
    send_wechat(bench, &wechat_headers(&THEIRS, SERIAL, NOW, &body), body).await
}

async fn notify_alipay(bench: &Bench, changes: &[(&str, &str)]) -> Reply {
    let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let body = alipay_notice(&THEIRS, changes);
    bench.send(request("POST", "/api/webhooks/alipay", &headers, body)).await
}

fn refused(status: &'static str, code: &str) -> (&'static str, String) {
    let number = status.split(' ').next().expect("a number");
    (
        status,
        json!({"code": format!("PT{number}"), "message": code, "details": "{}", "hint": null}).to_string(),
    )
}

fn count(bench: &Bench, provider: &str, status: &str) -> u64 {
    bench.host.objects.count(&format!(r#"recharge_orders_total{{provider="{provider}",status="{status}"}}"#))
}

#[tokio::test]
async fn a_confirmed_payment_is_acknowledged_as_each_provider_wants_it() {
    let bench = bench(vec![
        completed("credited", false),
        completed("credited", true),
        completed("needs_review", false),
        completed("credited", false),
    ])
    .await;
    for _ in 0..3 {
        let reply = notify_wechat(&bench, &json!({})).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""));
    }
    let reply = notify_alipay(&bench, &[]).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, "success"));
    assert_eq!(reply.headers["content-type"], "text/plain");
    let received = bench.received();
    assert!(
        received[0].contains("/rpc/complete_recharge_order") && received[0].contains("apikey: sb_secret_y")
    );
    for text in [
        r#""p_order_no":"ORD0000000001""#,
        r#""p_provider":"wechat""#,
        r#""p_provider_tx_id":"4200000000000001""#,
        r#""p_amount":"299.05""#,
        r#""p_currency":"CNY""#,
        r#""p_paid_at":"2027-01-15T07:59:58Z""#,
    ] {
        assert!(received[0].contains(text), "{text} in {}", received[0]);
    }
    bench.finish().await;
    for (provider, status) in
        [("wechat", "completed"), ("wechat", "replayed"), ("wechat", "needs_review"), ("alipay", "completed")]
    {
        assert_eq!(count(&bench, provider, status), 1, "{provider} {status}");
    }
    let log = bench.host.log.lock().expect("no panic holds it");
    assert!(log[0].contains(r#""category":"recharge""#) && log[0].contains(r#""order_no":"ORD0000000001""#));
    assert!(log[0].contains(r#""tx_no":"RCG0000000001""#) && log[0].contains(r#""level":"info""#));
    assert!(log[2].contains(r#""level":"warn""#), "{}", log[2]);
}

#[tokio::test]
async fn what_the_database_did_not_confirm_is_not_acknowledged() {
    for (answer, status, code) in [
        (refused("404 X", "RECHARGE_ORDER_NOT_FOUND"), 404, "RECHARGE_ORDER_NOT_FOUND"),
        (refused("409 X", "RECHARGE_ORDER_STATUS_CONFLICT"), 409, "RECHARGE_ORDER_STATUS_CONFLICT"),
        (("200 OK", "[]".to_owned()), 500, "INTERNAL"),
        (("200 OK", "<html>".to_owned()), 500, "INTERNAL"),
    ] {
        let bench = bench(vec![answer.clone(), answer]).await;
        let reply = notify_wechat(&bench, &json!({})).await;
        assert_eq!((reply.status.as_u16(), reply.body), (status, json!({"code": "FAIL", "message": code})));
        let reply = notify_alipay(&bench, &[]).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (status, "fail"));
        let log = bench.host.log.lock().expect("no panic holds it");
        assert!(log.iter().all(|line| line.contains(r#""level":"error""#) && line.contains(code)), "{log:?}");
    }
    // Asked again as often as its time allows, and then left to the provider.
    let down = ("503 Service Unavailable", String::new());
    let bench = bench(vec![down.clone(), down.clone(), down]).await;
    let reply = notify_wechat(&bench, &json!({})).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("FAIL")));
    assert_eq!(bench.received().len(), 3);
}

#[tokio::test]
async fn a_retry_within_one_notification_is_acknowledged_when_it_comes_through() {
    let bench = bench(vec![("502 Bad Gateway", "<html>".to_owned()), completed("credited", true)]).await;
    assert_eq!(notify_wechat(&bench, &json!({})).await.status, 204);
}

#[tokio::test]
async fn what_is_not_believed_reaches_no_database() {
    let bench = bench(vec![]).await;
    let body = wechat_notice("TRANSACTION.SUCCESS", &transaction(&json!({})));
    for (headers, status) in [
        (wechat_headers(&STRANGER, SERIAL, NOW, &body), 401),
        (wechat_headers(&OURS, SERIAL, NOW, &body), 401),
        (wechat_headers(&THEIRS, SERIAL, NOW - 300, &body), 401),
        (wechat_headers(&THEIRS, "PUB_KEY_ID_2", NOW, &body), 401),
        (HeaderMap::new(), 401),
    ] {
        let reply = send_wechat(&bench, &headers, body.clone()).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.body, json!({"code": "FAIL", "message": "NOT_AUTHENTICATED"}));
        assert!(!reply.headers.contains_key("www-authenticate"));
    }
    for (changes, status) in [
        (json!({"mchid": "1"}), 403),
        (json!({"appid": "wx1"}), 403),
        (json!({"amount": {"total": 0, "currency": "CNY"}}), 422),
        (json!({"transaction_id": null}), 400),
    ] {
        assert_eq!(notify_wechat(&bench, &changes).await.status, status, "{changes}");
    }
    for (changes, status) in [
        (&[("sign_type", "RSA")][..], 401),
        (&[("seller_id", "2088000000000002")], 403),
        (&[("total_amount", "0.00")], 422),
        (&[("trade_no", "")], 400),
    ] {
        let reply = notify_alipay(&bench, changes).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (status, "fail"), "{changes:?}");
    }
    assert!(bench.received().is_empty());
    let log = bench.host.log.lock().expect("no panic holds it");
    assert!(
        log[0].contains(r#""category":"security""#) && log[0].contains(r#""level":"warn""#),
        "{}",
        log[0]
    );
}

#[tokio::test]
async fn a_probe_is_refused_without_an_alarm() {
    let bench = bench(vec![]).await;
    let body = wechat_notice("TRANSACTION.SUCCESS", &transaction(&json!({})));
    let mut headers = wechat_headers(&THEIRS, SERIAL, NOW, &body);
    headers.insert("wechatpay-signature", "WECHATPAY/SIGNTEST/AAAA".parse().expect("visible"));
    assert_eq!(send_wechat(&bench, &headers, body).await.status, 401);
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert!(log.contains(r#""category":"security""#) && log.contains(r#""level":"info""#), "{log}");
    bench.finish().await;
    assert_eq!((count(&bench, "wechat", "probe"), count(&bench, "wechat", "refused")), (1, 0));
}

#[tokio::test]
async fn what_is_no_payment_is_acknowledged_and_credits_nothing() {
    let bench = bench(vec![]).await;
    assert_eq!(notify_wechat(&bench, &json!({"trade_state": "CLOSED"})).await.status, 204);
    let body = wechat_notice("REFUND.CLOSED", &wechat_refund(&json!({})));
    assert_eq!(send_wechat(&bench, &wechat_headers(&THEIRS, SERIAL, NOW, &body), body).await.status, 204);
    assert_eq!(notify_alipay(&bench, &[("trade_status", "WAIT_BUYER_PAY")]).await.text, "success");
    assert!(bench.received().is_empty());
}

fn reported(status: &str) -> (&'static str, String) {
    let row = json!({"order_no": "ORD0000000001", "status": status, "replayed": false});
    ("200 OK", json!([row]).to_string())
}

#[tokio::test]
async fn what_a_provider_says_against_a_payment_is_a_row_a_warning_with_its_order_and_a_count() {
    let answers = vec![
        reported("needs_review"),
        completed("credited", true),
        reported("needs_review"),
        reported("needs_review"),
        reported("ignored"),
    ];
    let bench = bench(answers).await;
    let part = [("refund_fee", "4.00"), ("gmt_refund", "2027-01-15 16:10:00.123")];
    assert_eq!(notify_alipay(&bench, &part).await.text, "success");
    let closed = [("trade_status", "TRADE_CLOSED"), ("refund_fee", "10.00")];
    assert_eq!(notify_alipay(&bench, &closed).await.text, "success");
    let body = wechat_notice("REFUND.SUCCESS", &wechat_refund(&json!({})));
    assert_eq!(send_wechat(&bench, &wechat_headers(&THEIRS, SERIAL, NOW, &body), body).await.status, 204);
    assert_eq!(notify_alipay(&bench, &[("trade_status", "TRADE_CLOSED")]).await.text, "success");
    let received = bench.received();
    let calls: Vec<bool> = received.iter().map(|call| call.contains("/rpc/report_recharge_event")).collect();
    assert_eq!(calls, [true, false, true, true, true]);
    for text in [
        r#""p_kind":"refunded""#,
        r#""p_amount":"4.00""#,
        r#""p_facts":{"#,
        r#""p_order_no":"ORD0000000001""#,
    ] {
        assert!(received[0].contains(text), "{text} in {}", received[0]);
    }
    assert!(received[1].contains(r#""p_amount":"295.05""#));
    assert!(received[4].contains(r#""p_kind":"closed""#) && !received[4].contains("p_amount"));
    bench.finish().await;
    assert_eq!((count(&bench, "alipay", "contradicted"), count(&bench, "wechat", "contradicted")), (2, 1));
    assert_eq!(count(&bench, "alipay", "ignored"), 1);
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    let warned =
        log.lines().filter(|line| line.contains(r#""level":"warn""#) && line.contains("ORD0000000001"));
    assert_eq!(warned.count(), 3, "{log}");
}

#[tokio::test]
async fn what_the_database_did_not_record_of_it_is_not_acknowledged() {
    let bench = bench(vec![refused("404 Not Found", "RECHARGE_ORDER_NOT_FOUND")]).await;
    let reply = notify_alipay(&bench, &[("trade_status", "TRADE_CLOSED"), ("refund_fee", "10.00")]).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (404, "fail"));
}

#[tokio::test]
async fn a_notification_has_a_limit_in_length_and_none_in_number() {
    let bench = bench(vec![]).await;
    let reply = bench.send(request("POST", "/api/webhooks/alipay", &[], vec![b'a'; 65537])).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (413, "fail"));
    for _ in 0..150 {
        let reply = bench.send(request("POST", "/api/webhooks/alipay", &[], "")).await;
        assert_eq!(reply.status, 401);
        assert!(!reply.headers.contains_key("ratelimit"));
    }
    assert_eq!(bench.send(request("GET", "/api/webhooks/alipay", &[], "")).await.status, 405);
}

#[tokio::test]
async fn no_secret_and_no_provider_s_text_is_in_the_log() {
    let bench = bench(vec![completed("credited", false)]).await;
    notify_wechat(&bench, &json!({"out_trade_no": "o-1 <script>"})).await;
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert!(!log.contains("script") && !log.contains("4200000000000001"), "{log}");
    assert!(!log.contains(crate::providers::tests::API_V3_KEY) && !log.contains("PRIVATE KEY"), "{log}");
}
