//! What WeChat Pay says of a payment: in a notification, encrypted, and in the answer to a query.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64ct::{Base64, Encoding};
use mps_client::wire::Instant;
use serde::Deserialize;
use serde_json::Value;

use super::WechatAccount;
use crate::providers::{Contradiction, Distrust, Notice, Payment, Provider, Standing, facts, price_of_fen};

const NONCE_BYTES: usize = 12;

#[derive(Deserialize)]
struct Notification {
    event_type: String,
    resource: Resource,
}

#[derive(Deserialize)]
struct Resource {
    algorithm: String,
    ciphertext: String,
    #[serde(default)]
    associated_data: Option<String>,
    nonce: String,
}

/// The parts that count.
#[derive(Deserialize)]
pub(super) struct Transaction {
    mchid: String,
    appid: String,
    pub(super) out_trade_no: String,
    trade_state: String,
    #[serde(rename = "transaction_id")]
    id: Option<String>,
    amount: Option<TransactionAmount>,
    success_time: Option<String>,
}

#[derive(Deserialize)]
struct TransactionAmount {
    /// In hundredths. Any JSON, so that what is no amount is told apart from what is no transaction.
    total: Value,
    currency: Option<String>,
}

/// Reads a notification whose signature was right.
pub(super) fn read(account: &WechatAccount, body: &[u8]) -> Result<Notice, Distrust> {
    let notification: Notification = serde_json::from_slice(body).map_err(|_| Distrust::Malformed)?;
    let decrypted = account.api_v3_keys.iter().find_map(|key| decrypt(key, &notification.resource));
    let plain = decrypted.ok_or(Distrust::Malformed)?;
    match notification.event_type.as_str() {
        "TRANSACTION.SUCCESS" => {}
        "REFUND.SUCCESS" => return refund(account, &plain),
        _ => return Ok(Notice::Other),
    }
    let transaction: Transaction = serde_json::from_slice(&plain).map_err(|_| Distrust::Malformed)?;
    if !transaction.is_of(account) {
        return Err(Distrust::Stranger);
    }
    if transaction.trade_state == "SUCCESS" {
        transaction.payment().map(Notice::Paid)
    } else {
        Ok(Notice::Other)
    }
}

/// The contents of a notification of a refund.
#[derive(Deserialize)]
struct Refund {
    mchid: String,
    out_trade_no: String,
    transaction_id: String,
    out_refund_no: String,
    #[serde(rename = "refund_id")]
    id: String,
    #[serde(rename = "refund_status")]
    status: String,
    #[serde(default)]
    success_time: String,
    amount: RefundAmount,
}

#[derive(Deserialize)]
struct RefundAmount {
    /// In hundredths.
    refund: u64,
}

fn refund(account: &WechatAccount, plain: &[u8]) -> Result<Notice, Distrust> {
    let refund: Refund = serde_json::from_slice(plain).map_err(|_| Distrust::Malformed)?;
    if refund.mchid != account.mchid {
        return Err(Distrust::Stranger);
    }
    let has_numbers =
        ![&refund.out_trade_no, &refund.transaction_id, &refund.id].iter().any(|text| text.is_empty());
    if refund.status != "SUCCESS" || !has_numbers {
        return if has_numbers { Ok(Notice::Other) } else { Err(Distrust::Malformed) };
    }
    let amount = price_of_fen(refund.amount.refund)?;
    let facts = facts([
        ("refund_status", refund.status.as_str()),
        ("refund_id", refund.id.as_str()),
        ("out_refund_no", refund.out_refund_no.as_str()),
        ("success_time", refund.success_time.as_str()),
    ]);
    let contradiction = Contradiction {
        provider: Provider::Wechat,
        order_no: refund.out_trade_no,
        event_id: refund.id,
        kind: "refunded",
        provider_tx_id: Some(refund.transaction_id),
        amount: Some(amount),
        facts,
    };
    Ok(Notice::Contradicted(contradiction, None))
}

/// `AEAD_AES_256_GCM`: base64 of the ciphertext with its tag.
fn decrypt(key: &[u8; 32], resource: &Resource) -> Option<Vec<u8>> {
    if resource.algorithm != "AEAD_AES_256_GCM" || resource.nonce.len() != NONCE_BYTES {
        return None;
    }
    let sealed = Base64::decode_vec(&resource.ciphertext).ok()?;
    let aad = resource.associated_data.as_deref().unwrap_or_default().as_bytes();
    let nonce = Nonce::from_slice(resource.nonce.as_bytes());
    Aes256Gcm::new(key.into()).decrypt(nonce, Payload { msg: &sealed, aad }).ok()
}

impl Transaction {
    pub(super) fn is_of(&self, account: &WechatAccount) -> bool {
        self.mchid == account.mchid && self.appid == account.appid
    }

    /// `None`: a state that the manual does not have, or a payment without its numbers.
    pub(super) fn standing(&self) -> Option<Standing> {
        match self.trade_state.as_str() {
            "SUCCESS" => self.payment().ok().map(Standing::Paid),
            "NOTPAY" | "USERPAYING" | "PAYERROR" | "ACCEPT" => Some(Standing::Open),
            "CLOSED" | "REVOKED" => Some(Standing::Over),
            "REFUND" => Some(Standing::Refunded { provider_tx_id: self.number()? }),
            _ => None,
        }
    }

    fn number(&self) -> Option<String> {
        self.id.clone().filter(|id| !id.is_empty())
    }

    fn payment(&self) -> Result<Payment, Distrust> {
        let amount = self.amount.as_ref().ok_or(Distrust::Amount)?;
        let fen = amount.total.as_u64().ok_or(Distrust::Amount)?;
        let paid_at = self.success_time.as_deref().and_then(Instant::parse);
        Ok(Payment {
            provider: Provider::Wechat,
            order_no: self.out_trade_no.clone(),
            provider_tx_id: self.number().ok_or(Distrust::Malformed)?,
            amount: price_of_fen(fen)?,
            // The manual: CNY when it is left out.
            currency: amount.currency.clone().unwrap_or_else(|| "CNY".to_owned()),
            paid_at: paid_at.ok_or(Distrust::Malformed)?,
        })
    }
}
