//! Payments: quote, charge, look up.

use mps_core::{CardType, Discount, Money};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{CardId, read_row};
use crate::connection::{Call, Repeat};
use crate::wire::{self, Instant};

/// Where a payment's multiplier came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DiscountSource {
    /// The level of the card's own points.
    Level,
    /// The card's own fixed discount.
    Card,
    /// A corporate card of the payer's.
    Corporate,
    /// Full price.
    None,
}

/// `quote_payment`: what a charge would cost now.
#[derive(Serialize)]
pub struct QuotePayment<'a> {
    /// The merchant that would charge.
    #[serde(rename = "p_merchant_code")]
    pub merchant_code: &'a str,
    /// The code.
    #[serde(rename = "p_qr_plain")]
    pub qr_plain: &'a str,
    /// Before the discount.
    #[serde(rename = "p_raw_amount")]
    pub raw_amount: Money,
    /// The terminal the code was shown at.
    #[serde(rename = "p_terminal_code", skip_serializing_if = "Option::is_none")]
    pub terminal_code: Option<&'a str>,
}

/// The answer of [`QuotePayment`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quote {
    /// The card behind the code.
    pub card_id: CardId,
    /// `standard`, `prepaid`, `corporate` or `voucher`.
    #[serde(with = "wire::text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub card_type: CardType,
    /// Before the discount.
    #[serde(deserialize_with = "wire::money")]
    #[cfg_attr(feature = "schema", schemars(with = "wire::Amount"))]
    pub raw_amount: Money,
    /// The multiplier.
    #[serde(deserialize_with = "wire::discount")]
    #[cfg_attr(feature = "schema", schemars(with = "wire::Multiplier"))]
    pub discount: Discount,
    /// Where it came from.
    pub discount_source: DiscountSource,
    /// What the card would pay.
    #[serde(deserialize_with = "wire::money")]
    #[cfg_attr(feature = "schema", schemars(with = "wire::Amount"))]
    pub final_amount: Money,
    /// What the card would earn.
    pub points_earned: i64,
}

impl Call for QuotePayment<'_> {
    type Reply = Quote;
    const RPC: &'static str = "quote_payment";
    const REPEAT: Repeat = Repeat::Always;

    fn is_repeatable(&self) -> bool {
        true
    }

    fn read_reply(body: &[u8]) -> Option<Quote> {
        read_row(body)
    }
}

/// `merchant_charge_by_qr`: charges the card behind a code, once.
#[derive(Serialize)]
pub struct MerchantChargeByQr<'a> {
    /// The merchant that charges.
    #[serde(rename = "p_merchant_code")]
    pub merchant_code: &'a str,
    /// The code.
    #[serde(rename = "p_qr_plain")]
    pub qr_plain: &'a str,
    /// Before the discount.
    #[serde(rename = "p_raw_amount")]
    pub raw_amount: Money,
    /// Without one there is no protection against a repeated request.
    #[serde(rename = "p_idempotency_key", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<&'a str>,
    /// A JSON object of the merchant's, as it was sent.
    #[serde(rename = "p_tag", skip_serializing_if = "Option::is_none")]
    pub tag: Option<&'a RawValue>,
    /// The merchant's own order; it is paid once.
    #[serde(rename = "p_external_order_id", skip_serializing_if = "Option::is_none")]
    pub external_order_id: Option<&'a str>,
    /// The terminal the code was shown at.
    #[serde(rename = "p_terminal_code", skip_serializing_if = "Option::is_none")]
    pub terminal_code: Option<&'a str>,
}

/// The answer of [`MerchantChargeByQr`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Charge {
    /// The payment's id.
    pub tx_id: String,
    /// The payment's number, `PAY` and ten digits.
    pub tx_no: String,
    /// The card that paid.
    pub card_id: CardId,
    /// What the card paid.
    #[serde(deserialize_with = "wire::money")]
    #[cfg_attr(feature = "schema", schemars(with = "wire::Amount"))]
    pub final_amount: Money,
    /// The multiplier.
    #[serde(deserialize_with = "wire::discount")]
    #[cfg_attr(feature = "schema", schemars(with = "wire::Multiplier"))]
    pub discount: Discount,
    /// What the card earned.
    pub points_earned: i64,
    /// Where the multiplier came from.
    pub discount_source: DiscountSource,
    /// Before the discount.
    #[serde(deserialize_with = "wire::money")]
    #[cfg_attr(feature = "schema", schemars(with = "wire::Amount"))]
    pub raw_amount: Money,
    /// When it was posted.
    pub created_at: Instant,
    /// Whether this answers an earlier request with the same key.
    pub replayed: bool,
}

impl Call for MerchantChargeByQr<'_> {
    type Reply = Charge;
    const RPC: &'static str = "merchant_charge_by_qr";
    const REPEAT: Repeat = Repeat::Keyed;

    fn is_repeatable(&self) -> bool {
        self.idempotency_key.is_some()
    }

    fn read_reply(body: &[u8]) -> Option<Charge> {
        read_row(body)
    }
}
