//! The simulator refuses what the providers refuse, and says what they say. The requests here are written from the manuals once more.

use chrono::{Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{Answer, Gateway, Key, Tamper, Trouble, bare, china};
use crate::http::{send, try_send};

/// What a merchant's server may get wrong in one request to WeChat.
struct Call<'a> {
    gateway: &'a Gateway,
    target: String,
    body: String,
    nonce: String,
    seconds_ago: i64,
    signed_body: Option<&'a str>,
    mchid: Option<&'a str>,
    agent: &'a str,
}

impl<'a> Call<'a> {
    fn new(gateway: &'a Gateway, target: &str, body: &Value) -> Self {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let nonce = super::random_text(32);
        let target = target.to_owned();
        Self { gateway, target, body, nonce, seconds_ago: 0, signed_body: None, mchid: None, agent: "till/1" }
    }

    fn send(&self) -> Answer {
        let (wechat, time) = (&self.gateway.wechat, Utc::now().timestamp() - self.seconds_ago);
        let method = if self.body.is_empty() { "GET" } else { "POST" };
        let signed = self.signed_body.unwrap_or(&self.body);
        let message = format!("{method}\n{}\n{time}\n{}\n{signed}\n", self.target, self.nonce);
        let authorization = format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{}\",nonce_str=\"{}\",timestamp=\"{time}\",serial_no=\"{}\",signature=\"{}\"",
            self.mchid.unwrap_or(&wechat.mchid),
            self.nonce,
            wechat.merchant_serial,
            wechat.merchant.sign(message.as_bytes()),
        );
        let headers = [
            ("authorization", authorization.as_str()),
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("user-agent", self.agent),
        ];
        send(method, &format!("{}{}", self.gateway.url, self.target), &headers, &self.body)
    }

    fn refused(&self) -> (u16, String, usize) {
        let answer = self.send();
        let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
        (answer.status, code, self.gateway.complaints().len())
    }
}

const NATIVE: &str = "/v3/pay/transactions/native";

fn order(gateway: &Gateway) -> Value {
    json!({
        "appid": gateway.wechat.appid, "mchid": gateway.wechat.mchid, "description": "储值", "out_trade_no": "ORD0000000001",
        "time_expire": china(Utc::now() + Duration::minutes(15)).to_rfc3339_opts(SecondsFormat::Secs, false),
        "notify_url": "https://pay.example/api/webhooks/wechat", "amount": {"total": 10_000, "currency": "CNY"},
    })
}

fn refusal(status: u16, code: &str) -> (u16, String, usize) {
    (status, code.to_owned(), 1)
}

#[test]
fn a_right_order_is_made_and_its_answer_is_signed() {
    let gateway = Gateway::start();
    let right = order(&gateway);
    let answer = Call::new(&gateway, NATIVE, &right).send();
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.body["code_url"].as_str().is_some_and(|url| url.starts_with("weixin://")));
    let [time, nonce, signature] =
        ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature"].map(|name| answer.header(name));
    let (serial, key) = &gateway.wechat.certificate;
    assert_eq!(answer.header("wechatpay-serial"), serial);
    assert!(key.has_signed(format!("{time}\n{nonce}\n{}\n", answer.text).as_bytes(), signature));
    assert!(!key.has_signed(format!("{time}\n{nonce}\n{} \n", answer.text).as_bytes(), signature));
    assert_eq!(Call::new(&gateway, NATIVE, &right).send().body, answer.body, "the same order again");
    assert_eq!(gateway.complaints(), Vec::<String>::new());
}

#[test]
fn who_is_not_the_merchant_gets_nothing() {
    let gateway = Gateway::start();
    let right = order(&gateway);
    let call = || Call::new(&gateway, NATIVE, &right);
    let sign_error = || refusal(401, "SIGN_ERROR");
    assert_eq!(Call { signed_body: Some("{}"), ..call() }.refused(), sign_error());
    assert_eq!(Call { seconds_ago: 301, ..call() }.refused(), sign_error());
    assert_eq!(Call { seconds_ago: -301, ..call() }.refused(), sign_error());
    assert_eq!(Call { mchid: Some("1900000000"), ..call() }.refused(), sign_error());
    assert_eq!(Call { nonce: String::new(), ..call() }.refused(), sign_error());
    assert_eq!(Call { nonce: "n".repeat(33), ..call() }.refused(), sign_error());
    let once = call();
    assert_eq!(once.send().status, 200);
    assert_eq!(once.refused(), sign_error(), "the same nonce");
    assert_eq!(Call { agent: "", ..call() }.refused(), refusal(400, "PARAM_ERROR"));
    let bare = send("POST", &format!("{}{NATIVE}", gateway.url), &[], &right.to_string());
    assert_eq!((bare.status, &bare.body["code"]), (401, &json!("SIGN_ERROR")));
}

#[test]
fn an_order_that_is_wrong_is_refused() {
    let gateway = Gateway::start();
    let soon = china(Utc::now() - Duration::seconds(1)).to_rfc3339_opts(SecondsFormat::Secs, false);
    for (pointer, value) in [
        ("/appid", json!("wx0000000000000000")),
        ("/mchid", json!("1900000000")),
        ("/description", json!("")),
        ("/out_trade_no", json!("ORD 1")),
        ("/out_trade_no", json!("ORD1")),
        ("/time_expire", json!(soon)),
        ("/time_expire", json!("tomorrow")),
        ("/notify_url", json!("http://pay.example/")),
        ("/notify_url", json!("https://pay.example/?order=1")),
        ("/amount/total", json!("10000")),
        ("/amount/total", json!(100.5)),
        ("/amount/total", json!(0)),
        ("/amount/currency", json!("USD")),
    ] {
        let mut body = order(&gateway);
        *body.pointer_mut(pointer).expect("a field") = value;
        assert_eq!(Call::new(&gateway, NATIVE, &body).refused(), refusal(400, "PARAM_ERROR"), "{pointer}");
    }
    let mut other = order(&gateway);
    assert_eq!(Call::new(&gateway, NATIVE, &other).send().status, 200);
    other["amount"]["total"] = json!(9_999);
    assert_eq!(Call::new(&gateway, NATIVE, &other).refused(), refusal(400, "INVALID_REQUEST"));
}

#[test]
fn an_order_is_asked_for_paid_and_closed() {
    let gateway = Gateway::start();
    let mchid = &gateway.wechat.mchid;
    let target = format!("/v3/pay/transactions/out-trade-no/ORD0000000001?mchid={mchid}");
    let ask = || Call::new(&gateway, &target, &Value::Null).send();
    let unknown = ask();
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("ORDER_NOT_EXIST")));
    Call::new(&gateway, NATIVE, &order(&gateway)).send();
    assert_eq!(ask().body["trade_state"], "NOTPAY");
    assert!(gateway.wechat.is_waiting("ORD0000000001"));
    let notice = gateway.wechat.pay("ORD0000000001");
    let paid = ask().body;
    assert_eq!((&paid["trade_state"], &paid["amount"]["total"]), (&json!("SUCCESS"), &json!(10_000)));
    assert_eq!(paid["transaction_id"], notice.transaction_id());
    let close = Call::new(
        &gateway,
        "/v3/pay/transactions/out-trade-no/ORD0000000001/close",
        &json!({"mchid": mchid}),
    );
    let closed = close.send();
    assert_eq!((closed.status, &closed.body["code"]), (400, &json!("ORDERPAID")));
    assert_eq!(gateway.complaints(), Vec::<String>::new());
}

#[test]
fn a_notice_opens_with_the_key_and_not_when_it_was_changed() {
    use aes_gcm::aead::{Aead as _, Payload};
    use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
    use base64ct::{Base64, Encoding as _};

    let gateway = Gateway::start();
    Call::new(&gateway, NATIVE, &order(&gateway)).send();
    let notice = gateway.wechat.pay("ORD0000000001");
    let open = |body: &str| {
        let body: Value = serde_json::from_str(body).expect("JSON");
        let part = |name: &str| body["resource"][name].as_str().expect("text").to_owned();
        let sealed = Base64::decode_vec(&part("ciphertext")).expect("base64");
        let (nonce, aad) = (part("nonce"), part("associated_data"));
        let cipher = Aes256Gcm::new_from_slice(gateway.wechat.api_v3_key.as_bytes()).expect("32 bytes");
        let payload = Payload { msg: &sealed, aad: aad.as_bytes() };
        let opened = cipher.decrypt(Nonce::from_slice(nonce.as_bytes()), payload).ok()?;
        serde_json::from_slice::<Value>(&opened).ok()
    };
    let told = open(&notice.seal().body).expect("a transaction");
    assert_eq!((&told["trade_state"], &told["mchid"]), (&json!("SUCCESS"), &json!(gateway.wechat.mchid)));
    for tamper in [Tamper::Tag, Tamper::Ciphertext, Tamper::Nonce, Tamper::AssociatedData] {
        assert_eq!(open(&notice.clone().tampered(tamper).seal().body), None, "{tamper:?}");
    }
    let envelope = notice.clone().tampered(Tamper::Body).seal();
    let header = |name: &str| {
        envelope
            .headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .expect("a header")
    };
    let message =
        format!("{}\n{}\n{}\n", header("Wechatpay-Timestamp"), header("Wechatpay-Nonce"), envelope.body);
    assert!(!gateway.wechat.public_key.1.has_signed(message.as_bytes(), &header("Wechatpay-Signature")));
}

type Fields = Vec<(&'static str, String)>;

/// The parameters of a page order, signed.
fn page(gateway: &Gateway, change: impl Fn(&mut Fields), key: &Key) -> String {
    let now = china(Utc::now());
    let end = (now + Duration::minutes(15)).format(super::alipay::TIME);
    let biz = json!({
        "out_trade_no": "ORD0000000001", "total_amount": "100.00", "subject": "储值 + 1", "time_expire": end.to_string(),
        "product_code": "FAST_INSTANT_TRADE_PAY",
    });
    let mut fields: Fields = vec![
        ("app_id", gateway.alipay.app_id.clone()),
        ("biz_content", biz.to_string()),
        ("charset", "utf-8".to_owned()),
        ("method", "alipay.trade.page.pay".to_owned()),
        ("notify_url", "https://pay.example/api/webhooks/alipay".to_owned()),
        ("sign_type", "RSA2".to_owned()),
        ("timestamp", now.format(super::alipay::TIME).to_string()),
        ("version", "1.0".to_owned()),
    ];
    change(&mut fields);
    let signed: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    fields.push(("sign", key.sign(signed.join("&").as_bytes())));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    format!("{}/gateway.do?{query}", gateway.url)
}

#[test]
fn a_page_opens_when_the_merchant_signed_all_of_it() {
    let gateway = Gateway::start();
    let key = &gateway.alipay.merchant;
    let open =
        |change: &dyn Fn(&mut Fields), key: &Key| gateway.alipay.open_page(&page(&gateway, change, key));
    assert_eq!(open(&|_| {}, key), Ok("ORD0000000001".to_owned()));
    assert!(gateway.alipay.is_waiting("ORD0000000001"));
    assert!(open(&|_| {}, Key::stranger()).is_err_and(|why| why.contains("isv.invalid-signature")));
    for (place, value) in
        [(0, "2021000000000000"), (2, "gbk"), (5, "RSA"), (6, "2020-01-01 00:00:00"), (4, "")]
    {
        assert!(open(&|fields| fields[place].1 = value.to_owned(), key).is_err(), "{place} {value}");
    }
    let url = page(&gateway, |_| {}, key).replace("ORD0000000001", "ORD0000000002");
    assert!(gateway.alipay.open_page(&url).is_err_and(|why| why.contains("isv.invalid-signature")));
    assert!(gateway.alipay.open_app(url.split_once('?').expect("a query").1).is_err());
}

#[test]
fn a_bad_day_is_what_it_says() {
    let gateway = Gateway::start();
    let call = || Call::new(&gateway, NATIVE, &order(&gateway));
    let ask = |trouble| {
        gateway.suffer(trouble);
        let headers = [("accept", "application/json")];
        try_send("POST", &format!("{}{NATIVE}", gateway.url), &headers, "{}")
    };
    assert!(
        ask(Trouble::Refused).is_none()
            && ask(Trouble::Swallowed).is_none()
            && ask(Trouble::CutOff).is_none()
    );
    assert_eq!(ask(Trouble::Page(502)).map(|answer| (answer.status, answer.body)), Some((502, Value::Null)));
    assert_eq!(ask(Trouble::Disguised).map(|answer| (answer.status, answer.body)), Some((200, Value::Null)));
    gateway.suffer(Trouble::SystemError);
    assert_eq!(call().send().body["code"], "SYSTEM_ERROR");
    gateway.suffer(Trouble::Unsigned);
    assert_eq!(call().send().header("wechatpay-signature"), "");
    gateway.suffer(Trouble::Stale);
    let time: i64 = call().send().header("wechatpay-timestamp").parse().expect("a time");
    assert!(Utc::now().timestamp() - time > 300);
    gateway.suffer(Trouble::WronglySigned);
    let answer = call().send();
    let message = format!(
        "{}\n{}\n{}\n",
        answer.header("wechatpay-timestamp"),
        answer.header("wechatpay-nonce"),
        answer.text
    );
    let (_, key) = &gateway.wechat.certificate;
    assert!(!key.has_signed(message.as_bytes(), answer.header("wechatpay-signature")));
}

#[test]
fn a_bare_key_is_its_pem_without_the_frame() {
    let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\nBB==\n-----END PUBLIC KEY-----\n";
    assert_eq!(bare(pem), "AAAABB==");
}
