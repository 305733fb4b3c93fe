//! Ordering a recharge through the running edge: what the member is given, and what happens when the provider has a bad day.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use mps_e2e::gateway::Trouble;
use mps_e2e::{Answer, Case, Fault, Order, Providers, answer_of};
use serde_json::{Value, json};

const PAID: &str = "100.00 1 completed credited";

/// How many orders the member has.
fn orders(bench: &Providers, order: &Order) -> String {
    bench
        .stack
        .value(&format!("select count(*) from app.recharge_orders where card_id = '{}'", order.shop.card_id))
}

/// What WeChat was told of the order when it was made.
fn told(bench: &Providers, order: &Order) -> Value {
    let all = bench.gateway.asked("/v3/pay/transactions/");
    let mut bodies = all.iter().filter_map(|request| serde_json::from_slice::<Value>(&request.body).ok());
    bodies.rfind(|body| body["out_trade_no"] == order.order_no.as_str()).expect("a request")
}

fn is_order(order: &Order, provider: &str) {
    let body = &order.answer.body;
    for (name, value) in [
        ("card_id", json!(order.shop.card_id)),
        ("amount", json!("100.00")),
        ("currency", json!("CNY")),
        ("provider", json!(provider)),
        ("status", json!("pending")),
        ("replayed", json!(false)),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
    assert_eq!(order.answer.header("idempotency-replayed"), "");
}

/// The same key again: the same order, said to be one that was made before.
fn replay(bench: &Providers, order: &Order) -> Answer {
    let again = bench.ask_again(order);
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"), "{}", again.text);
    assert_eq!(orders(bench, order), "1");
    again
}

/// The provider's trouble costs an answer and nothing else: the same key makes the order payable, and it is credited once.
fn survives(bench: &Providers, trouble: Trouble) {
    bench.gateway.suffer(trouble);
    let order = bench.try_order("native", "100.00");
    assert_eq!(order.answer.refusal(), answer_of(503, &json!("UNAVAILABLE")), "{trouble:?}");
    assert_eq!(order.answer.body["retry"], "same_key");
    assert_eq!(orders(bench, &order), "1");
    bench.gateway.suffer(None);
    let again = replay(bench, &order);
    assert!(again.body["pay"]["code_url"].is_string(), "{}", again.text);
    let order = Order { order_no: again.body["order_no"].as_str().expect("a number").to_owned(), ..order };
    let notice = bench.gateway.wechat.pay(&order.order_no);
    assert_eq!(notice.seal().send(&bench.wechat_url()).status, 204);
    assert_eq!(bench.books(&order), PAID);
}

/// How long the edge took for an answer, by its own log: what the machine is busy with beside it does not count.
fn slowest_order(bench: &Providers) -> Duration {
    let line = bench.edge.line_with(&[r#""route":"/api/recharge/orders""#, r#""status":503"#]);
    let line: Value = serde_json::from_str(&line).expect("JSON");
    Duration::from_millis(line["duration_ms"].as_u64().expect("a number"))
}

const SLOW: &[Case] =
    &[("a database and a provider that are both slow have ten seconds together", |bench| {
        // Two attempts of four seconds each are lost, and a provider alone may take five.
        bench.line.suffer_for(2, Fault::Silent);
        survives(bench, Trouble::Silent);
        assert_eq!(
            bench.gateway.asked("/v3/pay/transactions/native").len(),
            2,
            "it was asked, and asked again"
        );
        // Each by itself they would have thirteen.
        let took = slowest_order(bench);
        assert!(took > Duration::from_secs(9) && took < Duration::from_secs(12), "{took:?}");
    })];

const MADE: &[Case] = &[
    ("a native order is a code to scan", |bench| {
        let order = bench.order("native", "100.00");
        is_order(&order, "wechat");
        let url = order.answer.body["pay"]["code_url"].as_str().expect("an address");
        assert!(url.starts_with("weixin://wxpay/bizpayurl?pr="), "{url}");
        let told = told(bench, &order);
        assert_eq!(told["amount"], json!({"total": 10_000, "currency": "CNY"}));
        assert_eq!(told["notify_url"], "https://pay.example/mps/api/webhooks/wechat");
        let end = |text: &Value| {
            chrono::DateTime::parse_from_rfc3339(text.as_str().expect("text")).expect("a time").timestamp()
        };
        assert_eq!(end(&told["time_expire"]), end(&order.answer.body["expires_at"]));
    }),
    ("an order of JSAPI opens in WeChat", |bench| {
        let order = bench.order("jsapi", "100.00");
        is_order(&order, "wechat");
        let bridge = &order.answer.body["pay"]["bridge"];
        assert_eq!(bench.gateway.wechat.open_bridge(bridge), Ok(order.order_no.clone()));
        assert_eq!(told(bench, &order)["payer"]["openid"], order.request["openid"]);
    }),
    ("an order of the page opens at Alipay", |bench| is_order(&bench.alipay_order(), "alipay")),
    ("an order of the app opens in Alipay", |bench| {
        let order = bench.order("app", "100.00");
        is_order(&order, "alipay");
        let text = order.answer.body["pay"]["order_string"].as_str().expect("text");
        assert_eq!(bench.gateway.alipay.open_app(text), Ok(order.order_no.clone()));
    }),
    ("without a method it is native, and the page", |bench| {
        for (provider, method) in [("wechat", "native"), ("alipay", "page")] {
            let shop = bench.stack.open_shop("0");
            let request = json!({"card_id": shop.card_id, "amount": 100, "provider": provider});
            let answer = bench.ask(&shop.member, &bench.stack.fresh_key(), &request);
            assert_eq!(
                (answer.status, &answer.body["pay"]["method"]),
                (200, &json!(method)),
                "{}",
                answer.text
            );
        }
    }),
    ("the same key again is the same order and the same code", |bench| {
        let order = bench.order("native", "100.00");
        let again = replay(bench, &order);
        for name in ["order_no", "pay", "expires_at", "amount"] {
            assert_eq!(again.body[name], order.answer.body[name], "{name}");
        }
    }),
    ("an order that was paid can be paid no more", |bench| {
        let order = bench.order("native", "100.00");
        // The provider knows, we do not yet.
        let notice = bench.gateway.wechat.pay(&order.order_no);
        assert_eq!(replay(bench, &order).body["pay"], Value::Null);
        notice.seal().send(&bench.wechat_url());
        assert_eq!(replay(bench, &order).body["pay"], Value::Null);
        assert_eq!(bench.books(&order), PAID);
    }),
    ("an order that expired can be paid no more", |bench| {
        for method in ["native", "page"] {
            let order = bench.order(method, "100.00");
            bench.age(&order, 20);
            assert_eq!(replay(bench, &order).body["pay"], Value::Null, "{method}");
        }
    }),
    ("Alipay's orders need no answer of Alipay's", |bench| {
        bench.gateway.suffer(Trouble::Refused);
        bench.order("page", "100.00");
        bench.order("app", "100.00");
    }),
];

const REFUSED: &[Case] = &[
    ("what is malformed is refused before anybody is asked", |bench| {
        let shop = bench.stack.open_shop("0");
        let right =
            json!({"card_id": shop.card_id, "amount": "100.00", "provider": "wechat", "method": "native"});
        let (asked, before) = (bench.gateway.asked("/").len(), bench.stack.state());
        for (change, status, code) in [
            (json!({"method": "page"}), 400, "MALFORMED_ARGUMENT"),
            (json!({"method": "jsapi"}), 400, "MALFORMED_ARGUMENT"),
            (json!({"openid": "o0123456789012345678901234567"}), 400, "MALFORMED_ARGUMENT"),
            (json!({"provider": "alipay", "method": "native"}), 400, "MALFORMED_ARGUMENT"),
            (json!({"method": "jsapi", "openid": "not an openid"}), 400, "MALFORMED_ARGUMENT"),
            (json!({"method": "h5"}), 400, "MALFORMED_BODY"),
            (json!({"provider": "paypal"}), 400, "MALFORMED_BODY"),
            (json!({"amount": "0.99"}), 422, "INVALID_RECHARGE_AMOUNT"),
            (json!({"amount": "50000.01"}), 422, "INVALID_RECHARGE_AMOUNT"),
            (json!({"amount": "NaN"}), 422, "INVALID_RECHARGE_AMOUNT"),
            (json!({"amount": "1.005"}), 422, "INVALID_RECHARGE_AMOUNT"),
            (json!({"total": 1}), 400, "MALFORMED_BODY"),
        ] {
            let mut request = right.clone();
            let fields = request.as_object_mut().expect("an object");
            fields.extend(change.as_object().expect("an object").clone());
            let answer = bench.ask(&shop.member, &bench.stack.fresh_key(), &request);
            assert_eq!(answer.refusal(), answer_of(status, &json!(code)), "{change}: {}", answer.text);
        }
        assert_eq!(bench.ask("", &bench.stack.fresh_key(), &right).status, 401);
        assert_eq!(bench.stack.state(), before);
        assert_eq!(bench.gateway.asked("/").len(), asked);
    }),
    ("somebody else's card is nobody's", |bench| {
        let (shop, other) = (bench.stack.open_shop("0"), bench.stack.open_shop("0"));
        let request = json!({"card_id": shop.card_id, "amount": "100.00", "provider": "wechat"});
        let (asked, before) = (bench.gateway.asked("/").len(), bench.stack.state());
        let answer = bench.ask(&other.member, &bench.stack.fresh_key(), &request);
        assert_eq!(answer.refusal(), answer_of(404, &json!("CARD_NOT_FOUND")));
        assert_eq!(bench.stack.state(), before);
        assert_eq!(bench.gateway.asked("/").len(), asked);
    }),
    ("an openid that WeChat does not know is the caller's mistake", |bench| {
        let shop = bench.stack.open_shop("0");
        let request = json!({"card_id": shop.card_id, "amount": "1.00", "provider": "wechat", "method": "jsapi", "openid": "stranger"});
        let answer = bench.ask(&shop.member, &bench.stack.fresh_key(), &request);
        assert_eq!(answer.refusal(), answer_of(400, &json!("MALFORMED_ARGUMENT")), "{}", answer.text);
        assert_eq!(answer.body["params"]["field"], "openid");
    }),
    ("a key is of one request", |bench| {
        let order = bench.order("native", "100.00");
        let mut other = order.request.clone();
        other["amount"] = json!("100.01");
        let answer = bench.ask(&order.shop.member, &order.key, &other);
        assert_eq!(answer.refusal(), answer_of(422, &json!("IDEMPOTENCY_KEY_REUSED")));
        assert_eq!(orders(bench, &order), "1");
    }),
];

const TROUBLE: &[Case] = &[
    ("the provider is not there", |bench| survives(bench, Trouble::Refused)),
    ("the provider does not answer", |bench| survives(bench, Trouble::Silent)),
    ("a gateway answers 500", |bench| survives(bench, Trouble::Page(500))),
    ("a gateway answers 502", |bench| survives(bench, Trouble::Page(502))),
    ("a gateway answers 503", |bench| survives(bench, Trouble::Page(503))),
    ("a page comes with status 200", |bench| survives(bench, Trouble::Disguised)),
    ("the provider is out of order", |bench| survives(bench, Trouble::SystemError)),
    ("the answer is lost", |bench| survives(bench, Trouble::Swallowed)),
    ("the answer is cut off", |bench| survives(bench, Trouble::CutOff)),
    ("nobody signed the answer", |bench| survives(bench, Trouble::Unsigned)),
    ("somebody else signed the answer", |bench| survives(bench, Trouble::WronglySigned)),
    ("the answer is five minutes old", |bench| survives(bench, Trouble::Stale)),
    ("the answer was changed", |bench| survives(bench, Trouble::Tampered)),
];

#[test]
fn a_member_orders_a_recharge_and_is_given_what_his_provider_takes() {
    Providers::start("orders").run(&[MADE, REFUSED].concat());
}

#[test]
fn a_bad_day_of_the_provider_costs_an_answer_and_no_order() {
    Providers::start("orders-trouble").run(TROUBLE);
}

#[test]
fn an_order_is_answered_in_ten_seconds_whoever_is_slow() {
    Providers::start("orders-slow").run(SLOW);
}

#[test]
fn a_provider_that_is_not_configured_is_said_to_be() {
    let without_alipay =
        |variables: &mut Vec<(String, String)>| variables.retain(|(name, _)| !name.starts_with("ALIPAY_"));
    Providers::start_with("orders-unconfigured", without_alipay).run(&[(
        "one provider works without the other",
        |bench| {
            let before = bench.stack.value("select count(*) from app.recharge_orders");
            let order = bench.try_order("page", "100.00");
            assert_eq!(order.answer.refusal(), answer_of(503, &json!("NOT_CONFIGURED")));
            assert_eq!(bench.stack.value("select count(*) from app.recharge_orders"), before);
            let headers = [("content-type", "application/x-www-form-urlencoded")];
            let notice = mps_e2e::send("POST", &bench.alipay_url(), &headers, "trade_no=1");
            assert_eq!((notice.status, notice.text.as_str()), (503, "fail"));
            bench.order("native", "100.00");
        },
    )]);
}
