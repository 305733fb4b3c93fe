//! The trades that one provider knows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// Where a trade stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Paid,
    /// Alipay: nothing can be refunded any more.
    Finished,
    Refunded,
    Closed,
}

/// A trade.
#[derive(Clone, Debug)]
pub(super) struct Trade {
    pub(super) out_trade_no: String,
    /// In fen.
    pub(super) total: u64,
    /// How it is paid: `NATIVE`, `JSAPI`, `page`, `app`.
    pub(super) method: String,
    /// What it was made with; the same number with other terms is another order.
    pub(super) terms: String,
    /// What the payer is shown: a `code_url`'s end, a `prepay_id`.
    pub(super) token: String,
    /// Who pays.
    pub(super) payer: String,
    /// The provider's own number.
    pub(super) number: String,
    pub(super) state: State,
    pub(super) paid_at: Option<DateTime<Utc>>,
}

/// Trades by the merchant's number.
pub(super) type Trades = BTreeMap<String, Trade>;

/// Fen as yuan with two decimals.
pub(super) fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// Yuan with at most two decimals, as fen.
pub(super) fn fen(yuan: &str) -> Option<u64> {
    let (whole, part) = yuan.split_once('.').unwrap_or((yuan, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 2 || !is_number(whole) || !is_number(part) {
        return None;
    }
    format!("{whole}{part:0<2}").parse().ok()
}
