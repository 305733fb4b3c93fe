//! What WeChat Pay tells the merchant's server by itself: encrypted for the merchant, signed by the platform.
//! Source: the manual's pages on payment and refund notices, on verifying signatures and on `AEAD_AES_256_GCM`.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use base64ct::{Base64, Encoding as _};
use chrono::Utc;
use serde_json::{Value, json};

use super::keys::Key;
use super::wechat::WeChat;
use super::{Envelope, china, random_number, random_text};

/// What somebody on the way changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    /// The body, after it was signed.
    Body,
    /// A bit of the tag, before it was signed: the platform itself made a mistake, or its key is stolen.
    Tag,
    /// A bit of the ciphertext, before it was signed.
    Ciphertext,
    /// The nonce of the encryption, before the body was signed.
    Nonce,
    /// The associated data, before the body was signed.
    AssociatedData,
}

/// A notice that is not sealed yet. Each sealing has a time, nonces and a signature of its own, as each repetition has.
#[derive(Clone)]
pub struct WeChatNotice {
    id: String,
    event_type: String,
    original_type: &'static str,
    summary: &'static str,
    /// What is encrypted.
    resource: Value,
    api_v3_key: String,
    serial: String,
    key: Key,
    seconds_from_now: i64,
    tamper: Option<Tamper>,
    is_probe: bool,
}

impl WeChatNotice {
    pub(super) fn of_payment(provider: &WeChat, transaction: Value) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            event_type: "TRANSACTION.SUCCESS".to_owned(),
            original_type: "transaction",
            summary: "支付成功",
            resource: transaction,
            api_v3_key: provider.api_v3_key.clone(),
            serial: provider.public_key.0.clone(),
            key: provider.public_key.1.clone(),
            seconds_from_now: 0,
            tamper: None,
            is_probe: false,
        }
    }

    pub(super) fn of_refund(provider: &WeChat, number: &str, order_no: &str, total: u64) -> Self {
        let resource = json!({
            "mchid": provider.mchid, "transaction_id": number, "out_trade_no": order_no,
            "refund_id": random_number("5030", 29), "out_refund_no": random_text(20), "refund_status": "SUCCESS",
            "success_time": china(Utc::now()).to_rfc3339_opts(chrono::SecondsFormat::Secs, false),
            "user_received_account": "支付用户零钱",
            "amount": {"total": total, "refund": total, "payer_total": total, "payer_refund": total},
        });
        let mut notice = Self::of_payment(provider, resource);
        "REFUND.SUCCESS".clone_into(&mut notice.event_type);
        (notice.original_type, notice.summary) = ("refund", "退款成功");
        notice
    }

    /// The provider's number of the payment.
    pub fn transaction_id(&self) -> String {
        self.resource["transaction_id"].as_str().unwrap_or_default().to_owned()
    }

    /// The same, telling something else at this JSON pointer.
    #[must_use]
    pub fn claiming(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        *self.resource.pointer_mut(pointer).expect("a field of the notice") = value.into();
        self
    }

    /// The same without this field.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.resource.as_object_mut().expect("an object").remove(name).expect("a field of the notice");
        self
    }

    /// The same under the name of another event.
    #[must_use]
    pub fn named(mut self, event_type: &str) -> Self {
        event_type.clone_into(&mut self.event_type);
        self
    }

    /// The same, signed so many seconds from now.
    #[must_use]
    pub fn signed_at(mut self, seconds_from_now: i64) -> Self {
        self.seconds_from_now = seconds_from_now;
        self
    }

    /// The same, signed by this key, which it calls so.
    #[must_use]
    pub fn signed_by(mut self, serial: &str, key: &Key) -> Self {
        serial.clone_into(&mut self.serial);
        self.key = key.clone();
        self
    }

    /// The same, encrypted with another key of 32 bytes.
    #[must_use]
    pub fn encrypted_with(mut self, api_v3_key: &str) -> Self {
        api_v3_key.clone_into(&mut self.api_v3_key);
        self
    }

    /// The same, changed by somebody.
    #[must_use]
    pub fn tampered(mut self, tamper: Tamper) -> Self {
        self.tamper = Some(tamper);
        self
    }

    /// The same, with the signature of a probe: WeChat finds out whether anybody looks at it.
    #[must_use]
    pub fn as_probe(mut self) -> Self {
        self.is_probe = true;
        self
    }

    /// As it goes over the line now.
    pub fn seal(&self) -> Envelope {
        let (nonce, associated_data) = (random_text(12), self.original_type);
        let told_inside = self.resource.to_string();
        let message = Payload { msg: told_inside.as_bytes(), aad: associated_data.as_bytes() };
        let cipher = Aes256Gcm::new_from_slice(self.api_v3_key.as_bytes()).expect("32 bytes");
        let mut sealed = cipher.encrypt(Nonce::from_slice(nonce.as_bytes()), message).expect("a ciphertext");
        let last = sealed.len() - 1;
        match self.tamper {
            Some(Tamper::Tag) => sealed[last] ^= 1,
            Some(Tamper::Ciphertext) => sealed[0] ^= 1,
            _ => {}
        }
        let told =
            |text: &str, is_changed| if is_changed { text.replace(|_| true, "x") } else { text.to_owned() };
        let body = json!({
            "id": self.id, "create_time": china(Utc::now()).to_rfc3339_opts(chrono::SecondsFormat::Secs, false),
            "resource_type": "encrypt-resource", "event_type": self.event_type, "summary": self.summary,
            "resource": {
                "original_type": self.original_type, "algorithm": "AEAD_AES_256_GCM", "ciphertext": Base64::encode_string(&sealed),
                "associated_data": told(associated_data, self.tamper == Some(Tamper::AssociatedData)),
                "nonce": told(&nonce, self.tamper == Some(Tamper::Nonce)),
            },
        });
        self.sign(body.to_string())
    }

    /// Any body, signed as a notice is.
    pub fn seal_as(&self, body: &str) -> Envelope {
        self.sign(body.to_owned())
    }

    fn sign(&self, body: String) -> Envelope {
        let (time, nonce) = (Utc::now().timestamp() + self.seconds_from_now, random_text(32));
        let signature = self.key.sign(format!("{time}\n{nonce}\n{body}\n").as_bytes());
        let signature = if self.is_probe { format!("WECHATPAY/SIGNTEST/{signature}") } else { signature };
        let is_changed = self.tamper == Some(Tamper::Body);
        let headers = [
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", "Mozilla/4.0".to_owned()),
            ("Request-ID", random_text(36)),
            ("Wechatpay-Timestamp", time.to_string()),
            ("Wechatpay-Nonce", nonce),
            ("Wechatpay-Signature", signature),
            ("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048".to_owned()),
            ("Wechatpay-Serial", self.serial.clone()),
        ];
        Envelope {
            headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            body: if is_changed { body.replacen("支付成功", "支付完成", 1) } else { body },
        }
    }
}
