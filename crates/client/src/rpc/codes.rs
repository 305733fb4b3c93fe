//! Payment codes: issue, revoke, look up.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{CardId, Changed, TransactionId, read_changed, read_row, read_scalar};
use crate::argument::Price;
use crate::connection::{Call, Repeat};
use crate::wire::{Amount, Instant};

/// `rotate_card_qr`: a fresh code of the caller for a card they may pay with; ends their earlier one.
#[derive(Debug, Serialize)]
pub struct RotateCardQr<'a> {
    /// Which card.
    #[serde(rename = "p_card_id")]
    pub card_id: &'a CardId,
    /// 60 to 86400; the database's default when `None`.
    #[serde(rename = "p_ttl_seconds", skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<i32>,
    /// Most raw amount that the code pays; no bound of its own when `None`.
    #[serde(rename = "p_amount_max", skip_serializing_if = "Option::is_none")]
    pub amount_max: Option<&'a Price>,
}

/// The answer of [`RotateCardQr`]. `Debug` does not show the code.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IssuedCode {
    /// 24 digits; returned once, stored nowhere.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub qr_plain: Zeroizing<String>,
    /// From then on it pays no more.
    pub qr_expires_at: Instant,
}

impl std::fmt::Debug for IssuedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedCode").field("qr_expires_at", &self.qr_expires_at).finish_non_exhaustive()
    }
}

impl Call for RotateCardQr<'_> {
    type Reply = IssuedCode;
    const RPC: &'static str = "rotate_card_qr";
    const REPEAT: Repeat = Repeat::Never;

    fn is_repeatable(&self) -> bool {
        false
    }

    fn read_reply(body: &[u8]) -> Option<IssuedCode> {
        read_row(body)
    }
}

rpc! {
    /// `revoke_card_qr`: ends the caller's live code of a card; unchanged when there was none.
    RevokeCardQr = "revoke_card_qr", never, read_changed -> Changed {
        /// Which card.
        card_id: CardId,
    }
}

rpc! {
    /// `get_code_state`: what became of the caller's newest online code of a card.
    GetCodeState = "get_code_state", always, read_row -> CodeState {
        /// The card.
        card_id: CardId,
    }
}

/// The answer of [`GetCodeState`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CodeState {
    /// `live`, `spent`, `expired` or `revoked`; `none` when there is none or it was purged.
    pub state: String,
    /// When it was made.
    pub issued_at: Option<Instant>,
    /// From then on it pays no more.
    pub expires_at: Option<Instant>,
    /// Most raw amount that it pays; no bound of its own when null.
    pub amount_max: Option<Amount>,
    /// The transaction that spent it.
    pub tx_id: Option<TransactionId>,
    /// The number of that transaction.
    pub tx_no: Option<String>,
    /// What that transaction took.
    pub final_amount: Option<Amount>,
}

/// `validate_qr_plain`: the card behind a live code, for a merchant's users; consumes nothing.
#[derive(Serialize)]
pub struct ValidateQrPlain<'a> {
    /// The code.
    #[serde(rename = "p_qr_plain")]
    pub qr_plain: &'a str,
    /// The terminal it was shown at.
    #[serde(rename = "p_terminal_code", skip_serializing_if = "Option::is_none")]
    pub terminal_code: Option<&'a str>,
}

impl Call for ValidateQrPlain<'_> {
    type Reply = CardId;
    const RPC: &'static str = "validate_qr_plain";
    const REPEAT: Repeat = Repeat::Always;

    fn is_repeatable(&self) -> bool {
        true
    }

    fn read_reply(body: &[u8]) -> Option<CardId> {
        read_scalar(body)
    }
}
