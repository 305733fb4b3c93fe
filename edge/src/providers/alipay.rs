//! Alipay: signed addresses and order strings, signed answers, signed notifications. RSA2 only.
//!
//! Source: Alipay's open platform, `alipay.trade.page.pay`, `alipay.trade.app.pay`, `alipay.trade.query`, `alipay.trade.close`, and its
//! page on asynchronous notifications.

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use base64ct::{Base64, Encoding};
use mps_client::argument::Price;
use mps_client::wire::Instant;
use mps_core::Money;
use percent_encoding::percent_decode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::charset::Charset;
use super::keys::{PublicKey, SigningKey};
use super::{
    AskError, Contradiction, Deadline, Distrust, Notice, Pay, PayableOrder, Payment, Provider, Standing, ask,
    beijing, facts,
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

    /// Verifies and reads a notification: the signature over its bytes, whatever charset they are in.
    pub(crate) async fn read_notice(&self, body: &[u8]) -> Result<Notice, Distrust> {
        let mut form = form(body)?;
        let (sign, sign_type) = (form.remove(&b"sign"[..]), form.remove(&b"sign_type"[..]));
        form.retain(|_, value| !value.is_empty());
        let sign = sign.filter(|_| sign_type.as_deref() == Some(SIGN_TYPE.as_bytes()));
        let sign = sign.ok_or(Distrust::Signature)?;
        if !self.is_signed(&joined_bytes(&form), &String::from_utf8_lossy(&sign)).await {
            return Err(Distrust::Signature);
        }
        let fields = decoded(&form)?;
        self.read_form(&|name| fields.get(name).map_or("", String::as_str))
    }

    fn read_form<'a>(&self, field: &dyn Fn(&str) -> &'a str) -> Result<Notice, Distrust> {
        if field("app_id") != self.account.app_id || field("seller_id") != self.account.seller_id {
            return Err(Distrust::Stranger);
        }
        let contradiction = contradiction(field)?;
        if !matches!(field("trade_status"), "TRADE_SUCCESS" | "TRADE_FINISHED") {
            return Ok(contradiction.map_or(Notice::Other, |what| Notice::Contradicted(what, None)));
        }
        // What went back is not credited. A payment that is known is not judged again, whatever its amount is now.
        let total = Money::parse_price(field("total_amount")).map_err(|_| Distrust::Amount)?;
        let rest = total.checked_sub(refunded(field)?).ok_or(Distrust::Amount)?;
        let payment = match Price::parse(&rest.to_string()) {
            Ok(amount) => Some(payment(field, amount)?),
            Err(_) => None,
        };
        Ok(match (contradiction, payment) {
            (Some(what), payment) => Notice::Contradicted(what, payment),
            (None, Some(payment)) => Notice::Paid(payment),
            (None, None) => Notice::Other,
        })
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
        self.read_answer(node, response.body()).await
    }

    /// The signature is over the node's own bytes, so that they are taken as they are written. We ask in UTF-8; a gateway that did not come
    /// to read that answers in GBK.
    async fn read_answer(&self, node: &str, body: &[u8]) -> Result<Answer, AskError> {
        let masked = Charset::Utf8.masked(body).or_else(|| Charset::Gbk.masked(body));
        let masked = masked.ok_or_else(|| AskError::lost("REPLY"))?;
        let nodes: HashMap<String, &RawValue> =
            serde_json::from_str(&masked).map_err(|_| AskError::lost("REPLY"))?;
        let sign: String = nodes
            .get("sign")
            .and_then(|sign| serde_json::from_str(sign.get()).ok())
            .ok_or_else(|| AskError::lost("SIGNATURE"))?;
        let text = nodes.get(node).ok_or_else(|| AskError::lost("REPLY"))?.get();
        // A raw value is a part of the text that it was read from, and masking moves nothing.
        let start = text.as_ptr().addr() - masked.as_ptr().addr();
        let signed = body.get(start..start + text.len()).unwrap_or_default();
        if !self.is_signed(signed, &sign).await {
            return Err(AskError::lost("SIGNATURE"));
        }
        read_contents(text)
    }

    async fn is_signed(&self, message: &[u8], sign: &str) -> bool {
        for key in &self.account.public_keys {
            if key.verifies(self.host.as_ref(), message, sign).await {
                return true;
            }
        }
        false
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

/// What went back, all of it until now.
fn refunded<'a>(field: &dyn Fn(&str) -> &'a str) -> Result<Money, Distrust> {
    let text = Some(field("refund_fee")).filter(|text| !text.is_empty()).unwrap_or("0");
    Money::parse(text).map_err(|_| Distrust::Amount)
}

fn payment<'a>(field: &dyn Fn(&str) -> &'a str, amount: Price) -> Result<Payment, Distrust> {
    let (order_no, trade_no) = (field("out_trade_no"), field("trade_no"));
    let paid_at = moment(field("gmt_payment")).ok_or(Distrust::Malformed)?;
    if order_no.is_empty() || trade_no.is_empty() {
        return Err(Distrust::Malformed);
    }
    Ok(Payment {
        provider: Provider::Alipay,
        order_no: order_no.to_owned(),
        provider_tx_id: trade_no.to_owned(),
        amount,
        currency: currency(field("trans_currency")),
        paid_at,
    })
}

/// What a notice says against a payment. Alipay tells of one refund by several notices: the sum of what went back tells them apart.
fn contradiction<'a>(field: &dyn Fn(&str) -> &'a str) -> Result<Option<Contradiction>, Distrust> {
    let (status, order_no, trade_no) = (field("trade_status"), field("out_trade_no"), field("trade_no"));
    let refunded = refunded(field)?;
    let amount = Price::parse(&refunded.to_string()).ok();
    let is_closed = status == "TRADE_CLOSED";
    if amount.is_none() && !is_closed {
        return Ok(None);
    }
    if order_no.is_empty() || trade_no.is_empty() {
        return Err(Distrust::Malformed);
    }
    let names =
        ["trade_status", "total_amount", "refund_fee", "out_biz_no", "gmt_refund", "gmt_close", "notify_id"];
    Ok(Some(Contradiction {
        provider: Provider::Alipay,
        order_no: order_no.to_owned(),
        event_id: format!("{trade_no}/{status}/{refunded}"),
        kind: if amount.is_some() { "refunded" } else { "closed" },
        provider_tx_id: Some(trade_no.to_owned()),
        amount,
        facts: facts(names.map(|name| (name, field(name)))),
    }))
}

/// A form's fields as bytes. No name comes twice: whoever reads the other one would read something else.
fn form(body: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Distrust> {
    let mut form = BTreeMap::new();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let mut half = || unescaped(halves.next().unwrap_or_default());
        if form.insert(half(), half()).is_some() {
            return Err(Distrust::Malformed);
        }
    }
    Ok(form)
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

/// What is signed of a form.
fn joined_bytes(form: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let pairs: Vec<Vec<u8>> = form.iter().map(|(name, value)| [name, &b"="[..], value].concat()).collect();
    pairs.join(&b'&')
}

/// The fields by the charset that the form names.
fn decoded(form: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<BTreeMap<String, String>, Distrust> {
    let label = form.get(&b"charset"[..]).map(|label| String::from_utf8_lossy(label)).unwrap_or_default();
    let charset = Charset::named(&label).ok_or(Distrust::Malformed)?;
    let text = |bytes: &[u8]| charset.masked(bytes).ok_or(Distrust::Malformed);
    form.iter().map(|(name, value)| Ok((text(name)?, text(value)?))).collect()
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
