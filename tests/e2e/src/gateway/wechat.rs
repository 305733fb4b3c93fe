//! WeChat Pay API v3 as a merchant's server meets it: native and JSAPI orders, query, close.
//! Source: the manual's pages on signing requests, verifying answers, `/v3/pay/transactions/…`.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::keys::{Key, bare};
use super::trades::{State, Trade};
use super::wechat_notice::WeChatNotice;
use super::wire::{Reply, Request, Trouble};
use super::{Book, china, lock, random_number, random_text};

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048 ";
const ORDERS: &str = "/v3/pay/transactions/";
const CLOCK_OFFSET_SECONDS: i64 = 300;

/// The provider, and the one merchant it has.
#[derive(Clone)]
pub struct WeChat {
    /// The merchant's number.
    pub mchid: String,
    /// The merchant's application.
    pub appid: String,
    /// The serial number of the merchant's certificate.
    pub merchant_serial: String,
    /// The merchant's key.
    pub merchant: Key,
    /// What notices are encrypted with.
    pub api_v3_key: String,
    /// The serial number of the platform's certificate, and its key: the older way.
    pub certificate: (String, Key),
    /// The id of the platform's public key, and that key: the newer way.
    pub public_key: (String, Key),
    book: Arc<Mutex<Book>>,
}

/// Why a request is refused: status, code, message.
struct Refusal(u16, &'static str, String);

impl WeChat {
    pub(super) fn open(book: Arc<Mutex<Book>>) -> Self {
        Self {
            mchid: random_number("19", 10),
            appid: format!("wx{}", random_number("8", 16)),
            merchant_serial: random_number("5157", 40),
            merchant: Key::of_this_run("wechat-merchant"),
            api_v3_key: random_text(32),
            certificate: (random_number("7132", 40), Key::of_this_run("wechat-certificate")),
            public_key: (
                format!("PUB_KEY_ID_0{}", random_number("1", 30)),
                Key::of_this_run("wechat-public-key"),
            ),
            book,
        }
    }

    /// What the edge is told about us: both platform keys, as in the months of a rotation.
    pub fn variables(&self, url: &str) -> Vec<(String, String)> {
        let keys = json!({
            &self.public_key.0: self.public_key.1.public_pem(),
            &self.certificate.0: bare(&self.certificate.1.public_pem()),
        });
        [
            ("WECHAT_MCHID", self.mchid.clone()),
            ("WECHAT_APPID", self.appid.clone()),
            ("WECHAT_SERIAL_NO", self.merchant_serial.clone()),
            ("WECHAT_PRIVATE_KEY", self.merchant.private_pem()),
            ("WECHAT_API_V3_KEY", self.api_v3_key.clone()),
            ("WECHAT_PUBLIC_KEYS", keys.to_string()),
            ("WECHAT_BASE_URL", url.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Somebody pays the order on his phone. What comes back is the notice that we then send.
    pub fn pay(&self, order_no: &str) -> WeChatNotice {
        let mut book = lock(&self.book);
        let trade = book.wechat.get_mut(order_no).expect("WeChat knows the order");
        trade.state = State::Paid;
        trade.paid_at = Some(Utc::now());
        WeChatNotice::of_payment(self, self.transaction(trade))
    }

    /// The merchant gave it back by hand, at the provider. The notice of that.
    pub fn refund(&self, order_no: &str) -> WeChatNotice {
        let mut book = lock(&self.book);
        let trade = book.wechat.get_mut(order_no).expect("WeChat knows the order");
        trade.state = State::Refunded;
        WeChatNotice::of_refund(self, &trade.number, order_no, trade.total)
    }

    /// Its own number of the order's payment.
    pub fn number(&self, order_no: &str) -> String {
        lock(&self.book).wechat.get(order_no).expect("WeChat knows the order").number.clone()
    }

    /// Whether somebody could pay that order now.
    pub fn is_waiting(&self, order_no: &str) -> bool {
        lock(&self.book).wechat.get(order_no).is_some_and(|trade| trade.state == State::Waiting)
    }

    /// What `WeixinJSBridge` does with the edge's answer before it asks for the password: the number of the order, or what is wrong.
    ///
    /// # Errors
    /// What a payer would read instead.
    pub fn open_bridge(&self, bridge: &Value) -> Result<String, String> {
        let part = |name: &str| bridge[name].as_str().ok_or(format!("{name} is no text"));
        let (app_id, time, nonce) = (part("appId")?, part("timeStamp")?, part("nonceStr")?);
        let (package, signature) = (part("package")?, part("paySign")?);
        if app_id != self.appid || part("signType")? != "RSA" || nonce.is_empty() || nonce.len() > 32 {
            return Err(format!("appId, signType or nonceStr: {bridge}"));
        }
        if time.len() != 10 || !time.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("timeStamp is {time}"));
        }
        if !self.merchant.has_signed(format!("{app_id}\n{time}\n{nonce}\n{package}\n").as_bytes(), signature)
        {
            return Err("paySign".to_owned());
        }
        let book = lock(&self.book);
        let trade = book.wechat.values().find(|trade| package == format!("prepay_id={}", trade.token));
        trade.map(|trade| trade.out_trade_no.clone()).ok_or(format!("no such {package}"))
    }

    /// Answers one request, whatever is in it.
    pub(super) fn answer(&self, request: &Request, trouble: Option<Trouble>, now: DateTime<Utc>) -> Reply {
        let mut book = lock(&self.book);
        let done = if trouble.is_none_or(Trouble::is_done) {
            self.check(request, &mut book, now).and_then(|()| self.act(request, &mut book, now))
        } else {
            Err(Refusal(500, "SYSTEM_ERROR", "系统异常，请稍后重试".to_owned()))
        };
        let reply = done.unwrap_or_else(|Refusal(status, code, message)| {
            let is_state = matches!(code, "ORDERPAID" | "ORDER_CLOSED" | "ORDER_NOT_EXIST" | "SYSTEM_ERROR");
            if !is_state && !message.contains("openid") {
                book.complaints.push(format!("{code}: {message}"));
            }
            refusal(status, code, &message)
        });
        self.sign(reply, request, trouble, now)
    }

    /// Who is there, and whether he may.
    fn check(&self, request: &Request, book: &mut Book, now: DateTime<Utc>) -> Result<(), Refusal> {
        let wrong = |what: &str| Err(Refusal(401, "SIGN_ERROR", what.to_owned()));
        let Some(list) = request.header("authorization").strip_prefix(SCHEME) else {
            return wrong("Authorization is not WECHATPAY2-SHA256-RSA2048");
        };
        let mut parts: Vec<(&str, &str)> = list
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
            .map(|(name, value)| (name, value.trim_matches('"')))
            .collect();
        parts.sort_unstable();
        let [
            ("mchid", mchid),
            ("nonce_str", nonce),
            ("serial_no", serial),
            ("signature", signature),
            ("timestamp", time),
        ] = parts[..]
        else {
            return wrong("Authorization has not its five parts");
        };
        if mchid != self.mchid || serial != self.merchant_serial {
            return wrong("mchid or serial_no is not the merchant's");
        }
        if time.parse::<i64>().is_ok_and(|time| (now.timestamp() - time).abs() > CLOCK_OFFSET_SECONDS) {
            return wrong("the timestamp is too old or too new");
        }
        if nonce.is_empty() || nonce.len() > 32 || book.nonces.iter().any(|used| used == nonce) {
            return wrong("nonce_str is empty, too long or used");
        }
        let message =
            format!("{}\n{}\n{time}\n{nonce}\n{}\n", request.method, request.target, request.text());
        if !self.merchant.has_signed(message.as_bytes(), signature) {
            return wrong("the signature is not of this request");
        }
        book.nonces.push(nonce.to_owned());
        let is_json = |name: &str| request.header(name).starts_with("application/json");
        if !is_json("accept") || request.header("user-agent").is_empty() {
            return Err(Refusal(400, "PARAM_ERROR", "Accept or User-Agent is missing".to_owned()));
        }
        if request.method == "POST" && !is_json("content-type") {
            return Err(Refusal(400, "PARAM_ERROR", "Content-Type is not application/json".to_owned()));
        }
        let named = request.header("wechatpay-serial");
        if !named.is_empty() && named != self.public_key.0 && named != self.certificate.0 {
            return Err(Refusal(
                400,
                "PARAM_ERROR",
                "Wechatpay-Serial names no key of the platform".to_owned(),
            ));
        }
        Ok(())
    }

    fn act(&self, request: &Request, book: &mut Book, now: DateTime<Utc>) -> Result<Reply, Refusal> {
        let path = request.path().strip_prefix(ORDERS).unwrap_or_default();
        let unknown = || Refusal(404, "ORDER_NOT_EXIST", "订单不存在".to_owned());
        match (request.method.as_str(), path) {
            ("POST", "native" | "jsapi") => self.create(request, path == "jsapi", book, now),
            ("GET", _) if path.starts_with("out-trade-no/") => {
                if request.query() != format!("mchid={}", self.mchid) {
                    return Err(Refusal(400, "PARAM_ERROR", "mchid is not in the query".to_owned()));
                }
                let trade = book.wechat.get(&path["out-trade-no/".len()..]).ok_or_else(unknown)?;
                Ok(Reply::json(200, book.told(self.transaction(trade)).to_string()))
            }
            ("POST", _) if path.starts_with("out-trade-no/") && path.ends_with("/close") => {
                if serde_json::from_slice::<Value>(&request.body).ok() != Some(json!({"mchid": self.mchid})) {
                    return Err(Refusal(400, "PARAM_ERROR", "the body of close is mchid".to_owned()));
                }
                let number = &path["out-trade-no/".len()..path.len() - "/close".len()];
                let trade = book.wechat.get_mut(number).ok_or_else(unknown)?;
                match trade.state {
                    State::Waiting => trade.state = State::Closed,
                    State::Closed => {}
                    _ => return Err(Refusal(400, "ORDERPAID", "该订单已支付".to_owned())),
                }
                Ok(Reply { status: 204, headers: vec![], body: String::new() })
            }
            _ => Err(Refusal(404, "RESOURCE_NOT_EXISTS", format!("no such API: {}", request.path()))),
        }
    }

    fn create(
        &self,
        request: &Request,
        is_jsapi: bool,
        book: &mut Book,
        now: DateTime<Utc>,
    ) -> Result<Reply, Refusal> {
        let wrong = |what: &str| Refusal(400, "PARAM_ERROR", what.to_owned());
        let body: Value = serde_json::from_slice(&request.body).map_err(|_| wrong("the body is no JSON"))?;
        let number = self.check_order(&body, is_jsapi, now).map_err(|what| wrong(&what))?;
        let terms = body.to_string();
        if let Some(known) = book.wechat.get(&number) {
            match known.state {
                State::Waiting if known.terms == terms => {}
                State::Waiting => {
                    let what = "请求重入时，参数与首次请求时不一致，请核实后再试";
                    return Err(Refusal(400, "INVALID_REQUEST", what.to_owned()));
                }
                State::Closed => return Err(Refusal(400, "ORDER_CLOSED", "订单已关闭".to_owned())),
                _ => return Err(Refusal(400, "ORDERPAID", "该订单已支付".to_owned())),
            }
        }
        let trade = book.wechat.entry(number.clone()).or_insert_with(|| Trade {
            total: body["amount"]["total"].as_u64().unwrap_or_default(),
            method: if is_jsapi { "JSAPI" } else { "NATIVE" }.to_owned(),
            token: if is_jsapi { format!("wx{}", random_number("2", 34)) } else { random_text(9) },
            payer: body["payer"]["openid"].as_str().map_or_else(openid, str::to_owned),
            number: random_number("4200", 28),
            state: State::Waiting,
            paid_at: None,
            out_trade_no: number,
            terms,
        });
        let shown = if is_jsapi {
            json!({"prepay_id": trade.token})
        } else {
            json!({"code_url": format!("weixin://wxpay/bizpayurl?pr={}", trade.token)})
        };
        Ok(Reply::json(200, shown.to_string()))
    }

    /// The number of an order whose fields are as the manual wants them.
    fn check_order(&self, body: &Value, is_jsapi: bool, now: DateTime<Utc>) -> Result<String, String> {
        let text = |name: &str| body[name].as_str().ok_or(format!("{name} is no text"));
        if text("appid")? != self.appid || text("mchid")? != self.mchid {
            return Err("appid or mchid is not the merchant's".to_owned());
        }
        let number = text("out_trade_no")?;
        let is_plain = number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-|*".contains(&byte));
        if !is_plain || !(6..=32).contains(&number.len()) {
            return Err(format!("out_trade_no is {number}"));
        }
        if !(1..=127).contains(&text("description")?.chars().count()) {
            return Err("description is empty or too long".to_owned());
        }
        let notify_url = text("notify_url")?;
        if !notify_url.starts_with("https://") || notify_url.contains('?') || notify_url.len() > 255 {
            return Err(format!("notify_url is {notify_url}"));
        }
        if body["amount"]["total"].as_u64().is_none_or(|total| total == 0) {
            return Err(format!("amount.total is {}", body["amount"]["total"]));
        }
        if !matches!(body["amount"]["currency"].as_str(), None | Some("CNY")) {
            return Err("amount.currency is not CNY".to_owned());
        }
        let end = DateTime::parse_from_rfc3339(text("time_expire")?).map_err(|error| error.to_string())?;
        if end <= now || end.offset().local_minus_utc() != 8 * 3600 {
            return Err(format!("time_expire is {end}"));
        }
        let payer = body["payer"]["openid"].as_str().unwrap_or_default();
        if is_jsapi && !is_openid(payer) {
            return Err("payer.openid is nobody of this appid".to_owned());
        }
        let known = ["appid", "mchid", "description", "out_trade_no", "time_expire", "notify_url", "amount"];
        let fields = body.as_object().ok_or("the body is no object")?;
        match fields.keys().find(|name| !known.contains(&name.as_str()) && (*name != "payer" || !is_jsapi)) {
            Some(name) => Err(format!("{name} is unknown")),
            None => Ok(number.to_owned()),
        }
    }

    /// The trade as a query and a notice tell it.
    fn transaction(&self, trade: &Trade) -> Value {
        let (state, description) = match trade.state {
            State::Waiting => ("NOTPAY", "订单未支付"),
            State::Paid | State::Finished => ("SUCCESS", "支付成功"),
            State::Refunded => ("REFUND", "订单发生过退款，退款详情请查询退款单"),
            State::Closed => ("CLOSED", "订单已关闭"),
        };
        let mut transaction = json!({
            "appid": self.appid, "mchid": self.mchid, "out_trade_no": trade.out_trade_no, "trade_state": state,
            "trade_state_desc": description, "amount": {"total": trade.total, "currency": "CNY"}, "promotion_detail": [],
        });
        if let Some(paid_at) = trade.paid_at {
            transaction["transaction_id"] = json!(trade.number);
            transaction["trade_type"] = json!(trade.method);
            transaction["bank_type"] = json!("OTHERS");
            transaction["attach"] = json!("");
            transaction["success_time"] =
                json!(china(paid_at).to_rfc3339_opts(chrono::SecondsFormat::Secs, false));
            transaction["payer"] = json!({"openid": trade.payer});
            transaction["amount"]["payer_total"] = json!(trade.total);
            transaction["amount"]["payer_currency"] = json!("CNY");
        }
        transaction
    }

    /// Every answer is signed, refusals and empty ones too.
    fn sign(&self, reply: Reply, request: &Request, trouble: Option<Trouble>, now: DateTime<Utc>) -> Reply {
        let (serial, key) = if request.header("wechatpay-serial") == self.public_key.0 {
            &self.public_key
        } else {
            &self.certificate
        };
        let age = if trouble == Some(Trouble::Stale) { CLOCK_OFFSET_SECONDS + 1 } else { 0 };
        let (time, nonce) = (now.timestamp() - age, random_text(32));
        let message = format!("{time}\n{nonce}\n{}\n", reply.body);
        let signature = match trouble {
            Some(Trouble::Unsigned) => return reply,
            Some(Trouble::WronglySigned) => Key::stranger().sign(message.as_bytes()),
            _ => key.sign(message.as_bytes()),
        };
        let mut reply = reply
            .with("Wechatpay-Timestamp", time.to_string())
            .with("Wechatpay-Nonce", nonce)
            .with("Wechatpay-Signature", signature)
            .with("Wechatpay-Signature-Type", SCHEME.trim())
            .with("Wechatpay-Serial", serial.clone())
            .with("Request-ID", random_text(36));
        if trouble == Some(Trouble::Tampered) {
            reply.body.push(' ');
        }
        reply
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let mut body = json!({"code": code, "message": message});
    if message.contains("openid") {
        body["detail"] = json!({"location": "body", "field": "/payer/openid", "issue": message});
    }
    Reply::json(status, body.to_string())
}

/// A payer's id under an appid: 28 characters, the first an `o`.
pub(super) fn openid() -> String {
    format!("o{}", random_text(27))
}

fn is_openid(text: &str) -> bool {
    text.len() == 28 && text.starts_with('o')
}
