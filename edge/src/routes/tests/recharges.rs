//! Orders: what is made, what is asked of the provider, and what a repeated request is answered; the job that asks about them.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::bench::{Bench, CARD, Gateway, NOW, post, request};
use crate::providers::tests::{SERIAL, STRANGER, THEIRS, transaction, variables, wechat_headers};

const PATH: &str = "/api/recharge/orders";
const KEY: (&str, &str) = ("idempotency-key", "k-1");
const OPS: &str = "an-operator-s-token-of-32-letters-or-more";

async fn bench(answers: Vec<(&'static str, String)>) -> Bench {
    let mut all = variables();
    all.push(("OPS_TOKEN", OPS.to_owned()));
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Bench::with(answers, &all).await
}

fn body(provider: &str, more: &Value) -> String {
    let mut body = json!({"card_id": CARD, "amount": "299.05", "provider": provider});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn ordered(provider: &str, replayed: bool) -> (&'static str, String) {
    let row = json!({"order_no": "ORD0000000001", "card_id": CARD, "amount": 299.05, "currency": "CNY", "provider": provider,
        "status": "pending", "expires_at": "2027-01-15T08:15:00+00:00", "created_at": "2027-01-15T08:00:00+00:00",
        "replayed": replayed});
    ("200 OK", json!([row]).to_string())
}

fn seen(status: &str) -> (&'static str, String) {
    let row = json!({"order_no": "ORD0000000001", "card_id": CARD, "amount": 299.05, "currency": "CNY", "provider": "wechat",
        "status": status, "is_late": false, "tx_no": null, "expires_at": "2027-01-15T08:15:00+00:00",
        "created_at": "2027-01-15T08:00:00+00:00", "payments": null});
    ("200 OK", json!([row]).to_string())
}

/// WeChat answers these in turn, signed, and is silent after them.
fn wechat(bench: &Bench, answers: Vec<(u16, Value)>) {
    let mut answers = answers.into_iter();
    let gateway: Gateway = Box::new(move |_| {
        let (status, body) = answers.next()?;
        let body = body.to_string().into_bytes();
        let mut response = http::Response::new(body.clone());
        *response.status_mut() = status.try_into().expect("a status");
        *response.headers_mut() = wechat_headers(&THEIRS, SERIAL, NOW, &body);
        Some(response)
    });
    *bench.host.gateway.lock().expect("no panic holds it") = Some(gateway);
}

fn code_url() -> (u16, Value) {
    (200, json!({"code_url": "weixin://wxpay/bizpayurl?pr=1"}))
}

#[tokio::test]
async fn an_order_is_made_and_says_how_to_pay_it() {
    let bench = bench(vec![ordered("wechat", false), ordered("alipay", false)]).await;
    wechat(&bench, vec![code_url()]);
    let reply = bench.send(post(PATH, &[KEY], body("wechat", &json!({})))).await;
    let expected = json!({"order_no": "ORD0000000001", "card_id": CARD, "amount": "299.05", "currency": "CNY",
        "provider": "wechat", "status": "pending", "expires_at": "2027-01-15T08:15:00Z", "created_at": "2027-01-15T08:00:00Z",
        "replayed": false, "pay": {"method": "native", "code_url": "weixin://wxpay/bizpayurl?pr=1"}});
    assert_eq!((reply.status.as_u16(), &reply.body), (200, &expected));
    assert!(bench.received()[0].contains(r#""p_provider":"wechat""#));
    assert!(bench.received()[0].contains(r#""p_idempotency_key":"k-1""#));
    let reply = bench.send(post(PATH, &[KEY], body("alipay", &json!({"method": "app"})))).await;
    assert_eq!(reply.body["pay"]["method"], "app");
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert!(log.contains(r#""order_no":"ORD0000000001""#) && !log.contains("weixin://"), "{log}");
    bench.finish().await;
    for provider in ["wechat", "alipay"] {
        let series = format!(r#"recharge_orders_total{{provider="{provider}",status="created"}}"#);
        assert_eq!(bench.host.objects.count(&series), 1, "{series}");
    }
}

#[tokio::test]
async fn what_does_not_fit_together_reaches_nobody() {
    let bench = bench(vec![]).await;
    for (provider, more, code, field) in [
        ("wechat", json!({"method": "page"}), "MALFORMED_ARGUMENT", "method"),
        ("wechat", json!({"method": "app"}), "MALFORMED_ARGUMENT", "method"),
        ("alipay", json!({"method": "native"}), "MALFORMED_ARGUMENT", "method"),
        ("alipay", json!({"method": "jsapi", "openid": "o-1"}), "MALFORMED_ARGUMENT", "method"),
        ("wechat", json!({"method": "jsapi"}), "MALFORMED_ARGUMENT", "openid"),
        ("wechat", json!({"method": "jsapi", "openid": ""}), "MALFORMED_ARGUMENT", "openid"),
        ("wechat", json!({"method": "jsapi", "openid": "o\n1"}), "MALFORMED_ARGUMENT", "openid"),
        ("wechat", json!({"method": "jsapi", "openid": "o".repeat(129)}), "MALFORMED_ARGUMENT", "openid"),
        ("wechat", json!({"openid": "o-1"}), "MALFORMED_ARGUMENT", "openid"),
        ("alipay", json!({"openid": "o-1"}), "MALFORMED_ARGUMENT", "openid"),
        ("paypal", json!({}), "MALFORMED_BODY", "provider"),
        ("wechat", json!({"method": "NATIVE"}), "MALFORMED_BODY", "method"),
        ("wechat", json!({"surprise": 1}), "MALFORMED_BODY", "surprise"),
    ] {
        let reply = bench.send(post(PATH, &[KEY], body(provider, &more))).await;
        let (found, at) = (&reply.body["code"], &reply.body["params"]["field"]);
        assert_eq!((found, at), (&json!(code), &json!(field)), "{provider} {more}");
    }
    for amount in ["0", "-1", "1e3", "1.001", "NaN", ""] {
        let reply = bench.send(post(PATH, &[KEY], body("wechat", &json!({"amount": amount})))).await;
        assert_eq!(reply.body["code"], "INVALID_RECHARGE_AMOUNT", "{amount}");
    }
    let reply = bench.send(post(PATH, &[], body("wechat", &json!({})))).await;
    assert_eq!(reply.body["code"], "IDEMPOTENCY_KEY_REQUIRED");
    // Refusals are reported after the reply, and nothing else goes out.
    assert!(bench.received().is_empty());
}

#[tokio::test]
async fn a_provider_that_is_not_configured_is_named_before_an_order_is_made() {
    let bench = Bench::new(vec![]).await;
    for (provider, what) in [("wechat", "WECHAT_MCHID"), ("alipay", "ALIPAY_APP_ID")] {
        let reply = bench.send(post(PATH, &[KEY], body(provider, &json!({})))).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("NOT_CONFIGURED")));
        assert_eq!(reply.body["params"], json!({"what": what}));
        let reply = bench.send(request("POST", &format!("/api/webhooks/{provider}"), &[], "")).await;
        assert_eq!(reply.status, 503);
    }
    assert!(bench.received().is_empty());
}

#[tokio::test]
async fn when_the_provider_is_down_the_same_key_makes_the_same_order_payable() {
    let bench = bench(vec![ordered("wechat", false), ordered("wechat", true), seen("pending")]).await;
    wechat(&bench, vec![(500, json!({"code": "SYSTEM_ERROR"})), code_url()]);
    let reply = bench.send(post(PATH, &[KEY], body("wechat", &json!({})))).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("UNAVAILABLE")));
    assert_eq!(reply.body["retry"], "same_key");
    let reply = bench.send(post(PATH, &[KEY], body("wechat", &json!({})))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["idempotency-replayed"], "true");
    assert_eq!(reply.body["pay"]["code_url"], "weixin://wxpay/bizpayurl?pr=1");
}

#[tokio::test]
async fn a_repeated_request_for_an_order_that_nobody_can_pay_has_no_pay() {
    for status in ["completed", "expired", "needs_review", "refunded_outside"] {
        let bench = bench(vec![ordered("wechat", true), seen(status)]).await;
        let reply = bench.send(post(PATH, &[KEY], body("wechat", &json!({})))).await;
        assert_eq!((reply.status.as_u16(), &reply.body["pay"]), (200, &Value::Null), "{status}");
    }
    // In its last minute no provider opens it.
    let bench = bench(vec![ordered("alipay", true)]).await;
    bench.host.pass(std::time::Duration::from_secs(900 - 59));
    let reply = bench.send(request_soon()).await;
    assert_eq!((reply.status.as_u16(), &reply.body["pay"]), (200, &Value::Null));
}

/// Signed in for longer than the clock moved.
fn request_soon() -> axum::extract::Request {
    use jwt_compact::alg::{Hs256, Hs256Key};
    use jwt_compact::{AlgorithmExt, Claims, Header};
    let claims = Claims::new(json!({"sub": "u-1", "aud": "authenticated", "exp": NOW + 3600}));
    let token =
        Hs256.token(&Header::empty(), &claims, &Hs256Key::new(super::bench::SECRET)).expect("a token");
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json"), KEY];
    request("POST", PATH, &headers, body("alipay", &json!({})))
}

#[tokio::test]
async fn when_wechat_says_no_it_is_asked_what_became_of_the_order() {
    let refusal = || (400, json!({"code": "INVALID_REQUEST"}));
    let is_now = |state: &str| (200, transaction(&json!({"trade_state": state})));
    for (answer, status, code) in [
        (is_now("SUCCESS"), 200, Value::Null),
        (is_now("CLOSED"), 200, Value::Null),
        // Native and JSAPI are two requests there, and one key here.
        (is_now("NOTPAY"), 422, json!("IDEMPOTENCY_KEY_REUSED")),
        ((404, json!({"code": "ORDER_NOT_EXIST"})), 500, json!("INTERNAL")),
        ((500, json!({})), 503, json!("UNAVAILABLE")),
    ] {
        let bench = bench(vec![ordered("wechat", true), seen("pending")]).await;
        wechat(&bench, vec![refusal(), answer]);
        let reply = bench.send(post(PATH, &[KEY], body("wechat", &json!({})))).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (status, &code));
        assert_eq!(reply.body["pay"], Value::Null);
    }
    let bench = bench(vec![ordered("wechat", false)]).await;
    wechat(&bench, vec![(400, json!({"code": "PARAM_ERROR", "detail": {"field": "/payer/openid"}}))]);
    let jsapi = json!({"method": "jsapi", "openid": "o-1"});
    let reply = bench.send(post(PATH, &[KEY], body("wechat", &jsapi))).await;
    assert_eq!((reply.status.as_u16(), &reply.body["params"]), (400, &json!({"field": "openid"})));
}

#[tokio::test]
async fn a_provider_has_what_is_left_of_a_requests_ten_seconds() {
    // It says no after so many of them, and is then asked what became of the order, if there is time.
    for (taken, asked) in [(2, vec![5_000, 5_000]), (7, vec![5_000, 3_000]), (10, vec![5_000])] {
        let bench = bench(vec![ordered("wechat", false)]).await;
        let clock = bench.host.clone();
        let gateway: Gateway = Box::new(move |request| {
            let is_order = request.method() == "POST";
            let body = br#"{"code":"INVALID_REQUEST"}"#.to_vec();
            let headers = wechat_headers(&THEIRS, SERIAL, NOW, &body);
            let mut response = http::Response::new(body);
            (*response.status_mut(), *response.headers_mut()) = (http::StatusCode::BAD_REQUEST, headers);
            clock.pass(std::time::Duration::from_secs(taken));
            is_order.then_some(response)
        });
        *bench.host.gateway.lock().expect("no panic holds it") = Some(gateway);
        let reply = bench.send(post(PATH, &[KEY], body("wechat", &json!({})))).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("UNAVAILABLE")), "{taken}");
        assert_eq!(reply.body["retry"], "same_key");
        let waits = bench.host.waits.lock().expect("no panic holds it").clone();
        let long: Vec<_> =
            waits.iter().map(std::time::Duration::as_millis).filter(|wait| *wait >= 1000).collect();
        assert_eq!((long[0], &long[1..]), (4_000, asked.as_slice()), "the database's, and the provider's");
    }
}

#[tokio::test]
async fn an_order_in_other_money_is_for_no_provider() {
    let (status, row) = ordered("alipay", false);
    let bench = bench(vec![(status, row.replace("CNY", "TWD"))]).await;
    let reply = bench.send(post(PATH, &[KEY], body("alipay", &json!({})))).await;
    assert_eq!((reply.status.as_u16(), &reply.body["params"]), (503, &json!({"what": "recharge_currency"})));
}

fn to_query(orders: &[(&str, &str, &str)]) -> (&'static str, String) {
    let rows: Vec<Value> = orders
        .iter()
        .map(|(order_no, provider, status)| {
            json!({"order_no": order_no, "provider": provider, "amount": 299.05, "currency": "CNY", "status": status,
                "expires_at": if *status == "expired" { "2027-01-15T07:59:00+00:00" } else { "2027-01-15T08:03:00+00:00" },
                "created_at": "2027-01-15T07:45:00+00:00"})
        })
        .collect();
    ("200 OK", json!(rows).to_string())
}

pub(super) fn completed(status: &str, replayed: bool) -> (&'static str, String) {
    let is_credited = status == "credited";
    let row = json!({"order_no": "ORD0000000001", "order_status": if is_credited { "completed" } else { "needs_review" },
        "payment_status": status, "review_reason": if is_credited { Value::Null } else { json!("wrong_amount") },
        "is_late": false, "card_id": CARD, "amount": 299.05,
        "tx_no": if is_credited { json!("RCG0000000001") } else { Value::Null }, "replayed": replayed});
    ("200 OK", json!([row]).to_string())
}

async fn run_job(bench: &Bench) -> Value {
    let authorization = format!("Bearer {OPS}");
    let headers = [("authorization", authorization.as_str())];
    bench.send(request("POST", "/ops/cron/query_recharge_orders", &headers, "")).await.body
}

fn about(order_no: &str, state: &str) -> (u16, Value) {
    (200, transaction(&json!({"out_trade_no": order_no, "trade_state": state})))
}

#[tokio::test]
async fn the_job_completes_what_was_paid_closes_what_expired_and_one_that_fails_stops_no_other() {
    let orders = [
        ("ORD0000000001", "wechat", "pending"),
        ("ORD0000000002", "wechat", "pending"),
        ("ORD0000000003", "wechat", "expired"),
        ("ORD0000000004", "wechat", "expired"),
        ("ORD0000000005", "wechat", "expired"),
        ("ORD0000000006", "wechat", "expired"),
    ];
    let bench = bench(vec![to_query(&orders), completed("credited", false)]).await;
    let closed = (204, Value::Null);
    wechat(
        &bench,
        vec![
            about("ORD0000000001", "SUCCESS"),
            about("ORD0000000002", "NOTPAY"),
            (500, json!({})),
            about("ORD0000000004", "NOTPAY"),
            closed,
            about("ORD0000000005", "REFUND"),
            about("ORD0000000006", "CLOSED"),
        ],
    );
    let run = run_job(&bench).await;
    assert_eq!(run, json!({"name": "query_recharge_orders", "total": 6, "calls": 1, "is_done": true}));
    let received = bench.received();
    assert!(received[0].contains("/rpc/take_recharge_orders_to_query"));
    assert!(received[1].contains("/rpc/complete_recharge_order") && received.len() == 2, "{received:?}");
    assert!(received[1].contains(r#""p_amount":"299.05""#) && received[1].contains("sb_secret_y"));
    bench.finish().await;
    for (status, count) in [("completed", 1), ("unpaid", 2), ("failed", 1), ("closed", 1), ("refunded", 1)] {
        let series = format!(r#"recharge_orders_total{{provider="wechat",status="{status}"}}"#);
        assert_eq!(bench.host.objects.count(&series), count, "{series}");
    }
    let log = bench.host.log.lock().expect("no panic holds it");
    let line = |order_no: &str| log.iter().find(|line| line.contains(order_no)).expect("a line").clone();
    assert!(line("ORD0000000001").contains(r#""tx_no":"RCG0000000001""#));
    assert!(line("ORD0000000003").contains(r#""level":"error""#));
    let refunded = line("ORD0000000005");
    for part in [r#""level":"error""#, r#""status":"refunded""#, r#""provider_tx_id":"4200000000000001""#] {
        assert!(refunded.contains(part), "{refunded}");
    }
}

#[tokio::test]
async fn a_job_that_panics_is_counted_as_failed_and_the_others_of_its_minute_run() {
    let nothing = || ("200 OK", "0".to_owned());
    let bench = bench(vec![to_query(&[("ORD0000000001", "wechat", "pending")]), nothing(), nothing()]).await;
    *bench.host.gateway.lock().expect("no panic holds it") =
        Some(Box::new(|_| panic!("the test asked for it")));
    bench.front.run_schedule("* * * * *").await;
    let received = bench.received();
    assert!(
        received[1].contains("/rpc/cron_expire_recharge_orders") && received[2].contains("/rpc/cron_seal")
    );
    let count = |name, outcome| {
        bench.host.objects.count(&format!(r#"cron_runs_total{{name="{name}",outcome="{outcome}"}}"#))
    };
    assert_eq!((count("query_recharge_orders", "failed"), count("seal", "ok")), (1, 1));
}

#[tokio::test]
async fn an_order_is_closed_only_when_its_time_is_over() {
    let bench = bench(vec![to_query(&[("ORD0000000001", "wechat", "pending")])]).await;
    let paths = std::sync::Arc::new(Mutex::new(Vec::new()));
    let kept = paths.clone();
    let gateway: Gateway = Box::new(move |request| {
        kept.lock().expect("no panic holds it").push(request.uri().path().to_owned());
        let body = about("ORD0000000001", "NOTPAY").1.to_string().into_bytes();
        let mut response = http::Response::new(body.clone());
        *response.headers_mut() = wechat_headers(&THEIRS, SERIAL, NOW, &body);
        Some(response)
    });
    *bench.host.gateway.lock().expect("no panic holds it") = Some(gateway);
    run_job(&bench).await;
    assert_eq!(
        *paths.lock().expect("no panic holds it"),
        ["/v3/pay/transactions/out-trade-no/ORD0000000001"]
    );
}

#[tokio::test]
async fn a_provider_that_is_down_is_left_alone_after_three_failures_in_a_row() {
    let mut orders = vec![("ORD0000000001", "wechat", "expired"); 10];
    orders.push(("ORD0000000002", "alipay", "expired"));
    let bench = bench(vec![to_query(&orders)]).await;
    *bench.host.gateway.lock().expect("no panic holds it") = Some(Box::new(|_| None));
    assert_eq!(run_job(&bench).await["total"], 11);
    assert_eq!(bench.host.fetches.load(std::sync::atomic::Ordering::Relaxed), 3 + 1);
}

#[tokio::test]
async fn without_a_provider_the_job_has_nothing_to_do() {
    let bench = Bench::with(vec![], &[("OPS_TOKEN", OPS)]).await;
    assert_eq!(run_job(&bench).await["total"], 0);
    assert!(bench.received().is_empty());
}

#[tokio::test]
async fn an_answer_that_the_provider_did_not_sign_completes_nothing() {
    let bench = bench(vec![to_query(&[("ORD0000000001", "wechat", "expired")])]).await;
    let gateway: Gateway = Box::new(move |_| {
        let body = about("ORD0000000001", "SUCCESS").1.to_string().into_bytes();
        let mut response = http::Response::new(body.clone());
        *response.headers_mut() = wechat_headers(&STRANGER, SERIAL, NOW, &body);
        Some(response)
    });
    *bench.host.gateway.lock().expect("no panic holds it") = Some(gateway);
    assert_eq!(run_job(&bench).await["total"], 1);
    assert_eq!(bench.received().len(), 1);
}
