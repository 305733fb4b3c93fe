//! Alipay: signed addresses and order strings, signed answers, signed notifications. RSA2 only.
//!
//! Source: Alipay's open platform, `alipay.trade.page.pay`, `alipay.trade.app.pay`, `alipay.trade.query`, `alipay.trade.close`, and its
//! page on asynchronous notifications.

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use base64ct::{Base64, Encoding};
use mps_client::argument::Price;
use mps_client::wire::Instant;
use mps_core::Money;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::keys::{PublicKey, SigningKey};
use super::{
    AskError, Deadline, Distrust, Notice, Pay, PayableOrder, Payment, Provider, Standing, ask, beijing,
};
use crate::platform::Host;

/// How Alipay writes a moment; its clock is eight hours east of UTC.
const MOMENT: &str = "%Y-%m-%d %H:%M:%S";

/// `SHA256withRSA`. The older `RSA` is SHA-1.
const SIGN_TYPE: &str = "RSA2";

/// Our account there.
pub(crate) struct AlipayAccount {
    /// `ALIPAY_APP_ID`.
    pub(crate) app_id: String,
    /// `ALIPAY_SELLER_ID`: our user number, 2088…
    pub(crate) seller_id: String,
    /// `ALIPAY_PRIVATE_KEY`.
    pub(crate) key: SigningKey,
    /// `ALIPAY_PUBLIC_KEYS`: Alipay's, any of which may have signed.
    pub(crate) public_keys: Vec<PublicKey>,
    /// `ALIPAY_GATEWAY_URL`.
    pub(crate) gateway_url: String,
    /// Where it notifies us.
    pub(crate) notify_url: String,
}

pub(crate) struct Alipay {
    account: AlipayAccount,
    host: Arc<dyn Host>,
}

/// The contents of an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    code: String,
    sub_code: String,
    out_trade_no: String,
    trade_no: String,
    trade_status: String,
    total_amount: String,
    trans_currency: String,
    send_pay_date: String,
}

impl Alipay {
    pub(crate) fn new(account: AlipayAccount, host: Arc<dyn Host>) -> Self {
        Self { account, host }
    }

    /// `alipay.trade.page.pay`: an address to open; nobody is asked for it.
    pub(crate) async fn page(&self, order: &PayableOrder) -> Result<Pay, AskError> {
        let content = content(order, "FAST_INSTANT_TRADE_PAY").ok_or_else(|| AskError::lost("TIME"))?;
        let query = self.signed("alipay.trade.page.pay", &content, true).await?;
        Ok(Pay::Page { url: format!("{}?{query}", self.account.gateway_url) })
    }

    /// `alipay.trade.app.pay`: an order string; nobody is asked for it.
    pub(crate) async fn app(&self, order: &PayableOrder) -> Result<Pay, AskError> {
        let content = content(order, "QUICK_MSECURITY_PAY").ok_or_else(|| AskError::lost("TIME"))?;
        Ok(Pay::App { order_string: self.signed("alipay.trade.app.pay", &content, true).await? })
    }

    pub(crate) async fn query(&self, order_no: &str) -> Result<Standing, AskError> {
        let answer = match self.send("alipay.trade.query", "alipay_trade_query_response", order_no).await {
            Err(AskError::Refused { code, .. }) if code == "TRADE_NOT_EXIST" => return Ok(Standing::Over),
            answer => answer?,
        };
        answer.standing_of(order_no)
    }

    pub(crate) async fn close(&self, order_no: &str) -> Result<(), AskError> {
        match self.send("alipay.trade.close", "alipay_trade_close_response", order_no).await {
            Err(AskError::Refused { code, .. }) if code == "TRADE_NOT_EXIST" => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Verifies and reads a notification.
    pub(crate) fn read_notice(&self, body: &[u8]) -> Result<Notice, Distrust> {
        let mut form = form(body)?;
        let (sign, sign_type) = (form.remove("sign"), form.remove("sign_type"));
        form.retain(|_, value| !value.is_empty());
        let message = joined(form.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        let is_right = sign_type.as_deref() == Some(SIGN_TYPE)
            && sign.is_some_and(|sign| self.is_signed(message.as_bytes(), &sign));
        if !is_right {
            return Err(Distrust::Signature);
        }
        self.read_form(&|name| form.get(name).map_or("", AsRef::as_ref))
    }

    fn read_form<'a>(&self, field: &dyn Fn(&str) -> &'a str) -> Result<Notice, Distrust> {
        if field("app_id") != self.account.app_id || field("seller_id") != self.account.seller_id {
            return Err(Distrust::Stranger);
        }
        if !matches!(field("trade_status"), "TRADE_SUCCESS" | "TRADE_FINISHED") {
            return Ok(Notice::Other);
        }
        // What went back is not credited. A payment that is known is not judged again, whatever its amount is now.
        let total = Money::parse_price(field("total_amount")).map_err(|_| Distrust::Amount)?;
        let refunded = Some(field("refund_fee")).filter(|text| !text.is_empty()).unwrap_or("0");
        let refunded = Money::parse(refunded).map_err(|_| Distrust::Amount)?;
        let rest = total.checked_sub(refunded).ok_or(Distrust::Amount)?;
        let Ok(amount) = Price::parse(&rest.to_string()) else { return Ok(Notice::Other) };
        let (order_no, trade_no) = (field("out_trade_no"), field("trade_no"));
        let paid_at = moment(field("gmt_payment")).ok_or(Distrust::Malformed)?;
        if order_no.is_empty() || trade_no.is_empty() {
            return Err(Distrust::Malformed);
        }
        Ok(Notice::Paid(Payment {
            provider: Provider::Alipay,
            order_no: order_no.to_owned(),
            provider_tx_id: trade_no.to_owned(),
            amount,
            currency: currency(field("trans_currency")),
            paid_at,
        }))
    }

    /// Asks the gateway about an order; the contents of an answer that Alipay signed and that says yes.
    async fn send(&self, method: &str, node: &str, order_no: &str) -> Result<Answer, AskError> {
        let content = json!({"out_trade_no": order_no}).to_string();
        let query = self.signed(method, &content, false).await?;
        let body =
            form_urlencoded::Serializer::new(String::new()).append_pair("biz_content", &content).finish();
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(format!("{}?{query}", self.account.gateway_url))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded;charset=utf-8")
            .body(body.into_bytes())
            .map_err(|_| AskError::lost("REQUEST"))?;
        let response = ask(&self.host, Deadline::NONE, request).await?;
        if !response.status().is_success() {
            return Err(AskError::lost(response.status().as_str()));
        }
        self.read_answer(node, response.body())
    }

    /// The signature is over the node's own text, so that it is taken as it is written.
    fn read_answer(&self, node: &str, body: &[u8]) -> Result<Answer, AskError> {
        let nodes: HashMap<String, Box<RawValue>> =
            serde_json::from_slice(body).map_err(|_| AskError::lost("REPLY"))?;
        let sign: String = nodes
            .get("sign")
            .and_then(|sign| serde_json::from_str(sign.get()).ok())
            .ok_or_else(|| AskError::lost("SIGNATURE"))?;
        let text = nodes.get(node).ok_or_else(|| AskError::lost("REPLY"))?.get();
        if !self.is_signed(text.as_bytes(), &sign) {
            return Err(AskError::lost("SIGNATURE"));
        }
        read_contents(text)
    }

    fn is_signed(&self, message: &[u8], sign: &str) -> bool {
        self.account.public_keys.iter().any(|key| key.verifies(message, sign))
    }

    /// The parameters that every request has, signed together with its contents, as a query; the contents too if they are to be in it.
    async fn signed(&self, method: &str, content: &str, with_content: bool) -> Result<String, AskError> {
        let now = i64::try_from(self.host.unix_time().as_secs()).ok().and_then(beijing);
        let timestamp = now.ok_or_else(|| AskError::lost("TIME"))?.format(MOMENT).to_string();
        let mut parameters = BTreeMap::from([
            ("app_id", self.account.app_id.as_str()),
            ("biz_content", content),
            ("charset", "utf-8"),
            ("format", "JSON"),
            ("method", method),
            ("sign_type", SIGN_TYPE),
            ("timestamp", &timestamp),
            ("version", "1.0"),
        ]);
        if with_content {
            parameters.insert("notify_url", &self.account.notify_url);
        }
        let message = joined(parameters.iter().map(|(name, value)| (*name, *value)));
        let signed = self.host.sign(self.account.key.pkcs8(), message.as_bytes()).await;
        let sign = signed.map(|bytes| Base64::encode_string(&bytes)).map_err(|_| AskError::lost("SIGN"))?;
        if !with_content {
            parameters.remove("biz_content");
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        Ok(query.extend_pairs(&parameters).append_pair("sign", &sign).finish())
    }
}

/// No name comes twice: whoever reads the other one would read something else.
fn form(body: &[u8]) -> Result<BTreeMap<Cow<'_, str>, Cow<'_, str>>, Distrust> {
    let mut form = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if form.insert(name, value).is_some() {
            return Err(Distrust::Malformed);
        }
    }
    Ok(form)
}

/// The contents of a signed node that says yes.
fn read_contents(text: &str) -> Result<Answer, AskError> {
    let answer: Answer = serde_json::from_str(text).map_err(|_| AskError::lost("REPLY"))?;
    let reason = answer.sub_code.rsplit('.').next().unwrap_or_default();
    match answer.code.as_str() {
        "10000" => Ok(answer),
        "20000" => Err(AskError::lost("20000")),
        _ if reason == "SYSTEM_ERROR" => Err(AskError::lost(reason)),
        _ => Err(AskError::Refused { code: reason.to_owned(), field: String::new() }),
    }
}

impl Answer {
    fn standing_of(&self, order_no: &str) -> Result<Standing, AskError> {
        if self.out_trade_no != order_no {
            return Err(AskError::lost("OTHERORDER"));
        }
        self.standing().ok_or_else(|| AskError::lost("REPLY"))
    }

    /// `None`: a state that the manual does not have, or a payment without its numbers.
    fn standing(&self) -> Option<Standing> {
        match self.trade_status.as_str() {
            "WAIT_BUYER_PAY" => Some(Standing::Open),
            "TRADE_CLOSED" => Some(Standing::Over),
            "TRADE_SUCCESS" | "TRADE_FINISHED" => self.payment().map(Standing::Paid),
            _ => None,
        }
    }

    fn payment(&self) -> Option<Payment> {
        Some(Payment {
            provider: Provider::Alipay,
            order_no: self.out_trade_no.clone(),
            provider_tx_id: Some(self.trade_no.clone()).filter(|number| !number.is_empty())?,
            amount: Price::parse(&self.total_amount).ok()?,
            currency: currency(&self.trans_currency),
            paid_at: moment(&self.send_pay_date)?,
        })
    }
}

fn content(order: &PayableOrder, product_code: &str) -> Option<String> {
    let content: Value = json!({
        "out_trade_no": order.order_no,
        "total_amount": order.amount.to_string(),
        "subject": order.description(),
        "product_code": product_code,
        "time_expire": beijing(order.expires_at)?.format(MOMENT).to_string(),
    });
    Some(content.to_string())
}

/// What is signed: `k=v` by name, unencoded.
fn joined<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let fields: Vec<String> = fields.map(|(name, value)| format!("{name}={value}")).collect();
    fields.join("&")
}

/// The currency that the amount is in is named only where it is not the house's.
fn currency(trans_currency: &str) -> String {
    if trans_currency.is_empty() { "CNY".to_owned() } else { trans_currency.to_owned() }
}

fn moment(text: &str) -> Option<Instant> {
    Instant::parse(&format!("{text}+08"))
}
