//! Alipay's gateway as a merchant's server and a payer's browser meet it: page and app orders, query, close.
//! Source: the open platform's pages on common parameters, on signing, and of each method.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Value, json};

use super::alipay_notice::AlipayNotice;
use super::keys::{Key, bare};
use super::trades::{State, Trade, fen, yuan};
use super::wire::{Reply, Request, Trouble};
use super::{Book, china, lock, random_number};

pub(super) const TIME: &str = "%Y-%m-%d %H:%M:%S";
const CLOCK_OFFSET_SECONDS: i64 = 900;

/// Parameters by name.
pub(super) type Fields = BTreeMap<String, String>;

/// The provider, and the one merchant it has.
#[derive(Clone)]
pub struct Alipay {
    /// The merchant's application.
    pub app_id: String,
    /// Whom buyers pay.
    pub seller_id: String,
    /// The application's key.
    pub merchant: Key,
    /// The provider's key.
    pub platform: Key,
    /// The provider's next key.
    pub next_platform: Key,
    gateway_url: String,
    book: Arc<Mutex<Book>>,
}

/// Why a call is refused: `sub_code`, `sub_msg`.
type Refusal = (&'static str, String);

impl Alipay {
    pub(super) fn open(book: Arc<Mutex<Book>>, url: &str) -> Self {
        Self {
            app_id: random_number("2021", 16),
            seller_id: random_number("2088", 16),
            merchant: Key::of_this_run("alipay-merchant"),
            platform: Key::of_this_run("alipay"),
            next_platform: Key::of_this_run("alipay-next"),
            gateway_url: format!("{url}/gateway.do"),
            book,
        }
    }

    /// What the edge is told about us: both keys, as in the days of a rotation.
    pub fn variables(&self) -> Vec<(String, String)> {
        let keys = json!([bare(&self.platform.public_pem()), self.next_platform.public_pem()]);
        [
            ("ALIPAY_APP_ID", self.app_id.clone()),
            ("ALIPAY_SELLER_ID", self.seller_id.clone()),
            ("ALIPAY_PRIVATE_KEY", bare(&self.merchant.private_pem())),
            ("ALIPAY_PUBLIC_KEYS", keys.to_string()),
            ("ALIPAY_GATEWAY_URL", self.gateway_url.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// A buyer's browser goes to that address: the number of the order that is then shown, or what is wrong.
    ///
    /// # Errors
    /// What a buyer would read instead.
    pub fn open_page(&self, url: &str) -> Result<String, String> {
        let query = url.strip_prefix(&self.gateway_url).and_then(|rest| rest.strip_prefix('?'));
        self.open_order(query.ok_or("it is not the gateway's address")?, "page")
    }

    /// A buyer's app is given that string: the same.
    ///
    /// # Errors
    /// What a buyer would read instead.
    pub fn open_app(&self, order_string: &str) -> Result<String, String> {
        self.open_order(order_string, "app")
    }

    fn open_order(&self, text: &str, method: &str) -> Result<String, String> {
        let fields = parse(text);
        let biz = self.check(&fields, Utc::now()).map_err(|(code, what)| format!("{code}: {what}"))?;
        let (name, product) = match method {
            "page" => ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
            _ => ("alipay.trade.app.pay", "QUICK_MSECURITY_PAY"),
        };
        let part = |name: &str| biz[name].as_str().ok_or(format!("{name} is no text"));
        if fields["method"] != name || part("product_code")? != product {
            return Err(format!("method or product_code is not of {method}"));
        }
        let notify_url = fields.get("notify_url").map_or("", String::as_str);
        if !notify_url.starts_with("https://") || notify_url.contains('?') {
            return Err(format!("notify_url is {notify_url}"));
        }
        let subject = part("subject")?;
        if !(1..=256).contains(&subject.chars().count()) || subject.contains(['/', '=', '&']) {
            return Err(format!("subject is {subject}"));
        }
        let total = fen(part("total_amount")?).filter(|total| (1..=10_000_000_000).contains(total));
        let end =
            NaiveDateTime::parse_from_str(part("time_expire")?, TIME).map_err(|error| error.to_string())?;
        if end <= china(Utc::now()).naive_local() {
            return Err(format!("time_expire is {end}"));
        }
        let terms = biz.to_string();
        let trade = Trade {
            out_trade_no: part("out_trade_no")?.to_owned(),
            total: total.ok_or("total_amount is no amount")?,
            method: method.to_owned(),
            terms: terms.clone(),
            token: String::new(),
            payer: random_number("2088", 16),
            number: random_number(&china(Utc::now()).format("%Y%m%d22001").to_string(), 28),
            state: State::Waiting,
            paid_at: None,
        };
        let number = trade.out_trade_no.clone();
        let mut book = lock(&self.book);
        let known = book.alipay.entry(number.clone()).or_insert(trade);
        match known.state {
            State::Waiting if known.terms == terms => Ok(number),
            State::Waiting => Err("ACQ.CONTEXT_INCONSISTENT".to_owned()),
            State::Closed => Err("ACQ.TRADE_HAS_CLOSE".to_owned()),
            _ => Err("ACQ.TRADE_HAS_SUCCESS".to_owned()),
        }
    }

    /// The buyer pays. What comes back is the notice that we then send.
    pub fn pay(&self, order_no: &str) -> AlipayNotice {
        let mut book = lock(&self.book);
        let trade = book.alipay.get_mut(order_no).expect("Alipay knows the order");
        trade.state = State::Paid;
        trade.paid_at = Some(Utc::now());
        AlipayNotice::of(self, trade)
    }

    /// Three months have gone by: nothing can be refunded any more. The notice of that.
    pub fn finish(&self, order_no: &str) -> AlipayNotice {
        let mut book = lock(&self.book);
        let trade = book.alipay.get_mut(order_no).expect("Alipay knows the order");
        trade.state = State::Finished;
        AlipayNotice::of(self, trade)
    }

    /// The notice of an order as it stands.
    pub fn notice(&self, order_no: &str) -> AlipayNotice {
        AlipayNotice::of(self, lock(&self.book).alipay.get(order_no).expect("Alipay knows the order"))
    }

    /// Whether somebody could pay that order now.
    pub fn is_waiting(&self, order_no: &str) -> bool {
        lock(&self.book).alipay.get(order_no).is_some_and(|trade| trade.state == State::Waiting)
    }

    /// The common parameters and the signature; what the call is about.
    fn check(&self, fields: &Fields, now: DateTime<Utc>) -> Result<Value, Refusal> {
        let invalid = |what: &str| ("isv.invalid-parameter", what.to_owned());
        let part = |name: &str| fields.get(name).map_or("", String::as_str);
        if part("app_id") != self.app_id {
            return Err(("isv.invalid-app-id", "无效的AppID参数".to_owned()));
        }
        let fixed = [("charset", "utf-8"), ("sign_type", "RSA2"), ("version", "1.0")];
        if let Some((name, _)) = fixed.iter().find(|(name, value)| !part(name).eq_ignore_ascii_case(value)) {
            return Err(invalid(name));
        }
        if !matches!(part("format"), "" | "JSON") {
            return Err(invalid("format"));
        }
        let time =
            NaiveDateTime::parse_from_str(part("timestamp"), TIME).map_err(|_| invalid("timestamp"))?;
        if (china(now).naive_local() - time).num_seconds().abs() > CLOCK_OFFSET_SECONDS {
            return Err(invalid("timestamp"));
        }
        let signed: Vec<String> = fields
            .iter()
            .filter(|(name, value)| *name != "sign" && !value.is_empty())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !self.merchant.has_signed(signed.join("&").as_bytes(), part("sign")) {
            return Err((
                "isv.invalid-signature",
                "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配".to_owned(),
            ));
        }
        serde_json::from_str(part("biz_content")).map_err(|_| invalid("biz_content"))
    }

    /// Answers one call of the gateway, whatever is in it.
    pub(super) fn answer(&self, request: &Request, trouble: Option<Trouble>, now: DateTime<Utc>) -> Reply {
        let mut fields = parse(request.query());
        fields.extend(parse(request.text()));
        let method = fields.get("method").cloned().unwrap_or_default();
        let mut book = lock(&self.book);
        let done = match trouble {
            Some(trouble) if !trouble.is_done() => Err(("isp.unknow-error", "系统繁忙".to_owned())),
            _ if request.path() != "/gateway.do" || request.method != "POST" => {
                Err(("isv.invalid-method", format!("{} {}", request.method, request.path())))
            }
            _ => self.check(&fields, now).and_then(|biz| Self::act(&method, &biz, &mut book)),
        };
        let node = done.unwrap_or_else(|(sub_code, sub_msg)| {
            if sub_code.starts_with("isv.") {
                book.complaints.push(format!("{sub_code}: {sub_msg}"));
            }
            let (code, msg) = match sub_code {
                "isp.unknow-error" => ("20000", "Service Currently Unavailable"),
                _ if sub_code.starts_with("ACQ.") => ("40004", "Business Failed"),
                _ => ("40002", "Invalid Arguments"),
            };
            json!({"code": code, "msg": msg, "sub_code": sub_code, "sub_msg": sub_msg})
        });
        self.sign(&method, &node, trouble)
    }

    fn act(method: &str, biz: &Value, book: &mut Book) -> Result<Value, Refusal> {
        let unknown = || ("ACQ.TRADE_NOT_EXIST", "交易不存在".to_owned());
        let number = biz["out_trade_no"].as_str().unwrap_or_default();
        if method == "alipay.trade.query" {
            let trade = book.alipay.get(number).ok_or_else(unknown)?;
            return Ok(book.told(told(trade)));
        }
        let trade = book.alipay.get_mut(number).ok_or_else(unknown)?;
        match method {
            "alipay.trade.close" if trade.state == State::Waiting => {
                trade.state = State::Closed;
                let (number, trade_no) = (&trade.out_trade_no, &trade.number);
                Ok(json!({"code": "10000", "msg": "Success", "out_trade_no": number, "trade_no": trade_no}))
            }
            "alipay.trade.close" => Err(("ACQ.REASON_TRADE_STATUS_INVALID", "交易状态不合法".to_owned())),
            _ => Err(("isv.invalid-method", method.to_owned())),
        }
    }

    /// The text of the node is signed as it stands in the answer; its slashes are escaped.
    fn sign(&self, method: &str, node: &Value, trouble: Option<Trouble>) -> Reply {
        let text = node.to_string().replace('/', "\\/");
        let name = format!("{}_response", method.replace('.', "_"));
        let body = match trouble {
            Some(Trouble::Unsigned) => format!(r#"{{"{name}":{text}}}"#),
            Some(Trouble::WronglySigned) => {
                format!(r#"{{"{name}":{text},"sign":"{}"}}"#, Key::stranger().sign(text.as_bytes()))
            }
            Some(Trouble::Tampered) => {
                format!(
                    r#"{{"{name}": {},"sign":"{}"}}"#,
                    text.replacen('{', "{ ", 1),
                    self.platform.sign(text.as_bytes())
                )
            }
            _ => format!(r#"{{"{name}":{text},"sign":"{}"}}"#, self.platform.sign(text.as_bytes())),
        };
        // Alipay calls its JSON so.
        Reply {
            status: 200,
            headers: vec![("content-type".to_owned(), "text/html;charset=utf-8".to_owned())],
            body,
        }
    }
}

/// The trade as a query tells it.
fn told(trade: &Trade) -> Value {
    let mut told = json!({
        "code": "10000", "msg": "Success", "out_trade_no": trade.out_trade_no, "trade_no": trade.number,
        "trade_status": status(trade.state), "total_amount": yuan(trade.total), "buyer_logon_id": "159****5620",
        "buyer_user_id": trade.payer, "buyer_user_type": "PRIVATE", "invoice_amount": "0.00", "point_amount": "0.00",
        "store_name": "一号店 / 二楼",
    });
    if let Some(paid_at) = trade.paid_at {
        told["send_pay_date"] = json!(china(paid_at).format(TIME).to_string());
        told["receipt_amount"] = json!(yuan(trade.total));
        told["buyer_pay_amount"] = json!(yuan(trade.total));
        told["fund_bill_list"] = json!([{"amount": yuan(trade.total), "fund_channel": "ALIPAYACCOUNT"}]);
    }
    told
}

pub(super) fn status(state: State) -> &'static str {
    match state {
        State::Waiting => "WAIT_BUYER_PAY",
        State::Paid => "TRADE_SUCCESS",
        State::Finished => "TRADE_FINISHED",
        State::Refunded | State::Closed => "TRADE_CLOSED",
    }
}

fn parse(text: &str) -> Fields {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}
