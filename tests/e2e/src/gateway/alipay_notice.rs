//! What Alipay tells the merchant's server by itself: a signed form.
//! Source: the open platform's page on asynchronous notices and on verifying them.

use base64ct::{Base64, Encoding as _};
use chrono::Utc;
use rsa::sha2::{Digest as _, Sha256};

use super::alipay::{Alipay, Fields, TIME, status};
use super::keys::Key;
use super::trades::{State, Trade, yuan};
use super::{Envelope, china, random_number};

/// A notice that is not sealed yet.
#[derive(Clone)]
pub struct AlipayNotice {
    fields: Fields,
    key: Key,
    /// Changed by somebody after it was signed.
    tampered: Vec<(String, String)>,
    is_signed: bool,
}

impl AlipayNotice {
    pub(super) fn of(provider: &Alipay, trade: &Trade) -> Self {
        let now = china(Utc::now()).format(TIME).to_string();
        let total = yuan(trade.total);
        let mut fields: Vec<(&str, String)> = vec![
            ("notify_time", now.clone()),
            ("notify_type", "trade_status_sync".to_owned()),
            ("notify_id", notify_id(&trade.number, status(trade.state))),
            ("charset", "utf-8".to_owned()),
            ("version", "1.0".to_owned()),
            ("sign_type", "RSA2".to_owned()),
            ("app_id", provider.app_id.clone()),
            ("auth_app_id", provider.app_id.clone()),
            ("seller_id", provider.seller_id.clone()),
            ("buyer_id", trade.payer.clone()),
            ("buyer_logon_id", "159****5620".to_owned()),
            ("out_trade_no", trade.out_trade_no.clone()),
            ("trade_no", trade.number.clone()),
            ("trade_status", status(trade.state).to_owned()),
            ("subject", "储值 100% + 赠品".to_owned()),
            ("body", String::new()),
            ("gmt_create", now),
            ("total_amount", total.clone()),
        ];
        if let Some(paid_at) = trade.paid_at {
            fields.extend([
                ("gmt_payment", china(paid_at).format(TIME).to_string()),
                ("receipt_amount", total.clone()),
                ("buyer_pay_amount", total.clone()),
                ("invoice_amount", total.clone()),
                ("point_amount", "0.00".to_owned()),
                ("fund_bill_list", format!(r#"[{{"amount":"{total}","fundChannel":"ALIPAYACCOUNT"}}]"#)),
            ]);
        }
        if trade.state == State::Finished {
            fields.push(("gmt_close", china(Utc::now()).format(TIME).to_string()));
        }
        Self {
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            key: provider.platform.clone(),
            tampered: vec![],
            is_signed: true,
        }
    }

    /// The provider's number of the trade.
    pub fn trade_no(&self) -> String {
        self.fields["trade_no"].clone()
    }

    /// The same, telling something else.
    #[must_use]
    pub fn claiming(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same without this field.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.remove(name).expect("a field of the notice");
        self
    }

    /// The same with what a refund adds. Of all of it: the trade is closed.
    #[must_use]
    pub fn refunding(self, amount: &str) -> Self {
        let now = format!("{}.123", china(Utc::now()).format(TIME));
        let is_all = self.fields["total_amount"] == amount;
        let status = if is_all { "TRADE_CLOSED" } else { "TRADE_SUCCESS" };
        self.claiming("refund_fee", amount)
            .claiming("gmt_refund", &now)
            .claiming("out_biz_no", &random_number("9", 16))
            .claiming("trade_status", status)
    }

    /// The same, signed by this key.
    #[must_use]
    pub fn signed_by(mut self, key: &Key) -> Self {
        self.key = key.clone();
        self
    }

    /// The same, with a field changed after it was signed.
    #[must_use]
    pub fn tampered(mut self, name: &str, value: &str) -> Self {
        self.tampered.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same without a signature.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.is_signed = false;
        self
    }

    /// As it goes over the line.
    pub fn seal(&self) -> Envelope {
        let signed: Vec<String> = self
            .fields
            .iter()
            .filter(|(name, value)| *name != "sign_type" && !value.is_empty())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let message = signed.join("&");
        let is_old = self.fields.get("sign_type").is_some_and(|kind| kind == "RSA");
        let sign = if is_old {
            self.key.sign_with_sha1(message.as_bytes())
        } else {
            self.key.sign(message.as_bytes())
        };
        let mut fields = self.fields.clone();
        fields.extend(self.is_signed.then_some(("sign".to_owned(), sign)));
        fields.extend(self.tampered.iter().cloned());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let kind = "application/x-www-form-urlencoded;charset=utf-8".to_owned();
        Envelope { headers: vec![("Content-Type".to_owned(), kind)], body }
    }
}

/// One notice's id stays the same however often it is sent.
fn notify_id(number: &str, status: &str) -> String {
    Base64::encode_string(&Sha256::digest(format!("{number} {status}")))[..34].to_owned()
}
