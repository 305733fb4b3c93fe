//! What became of a keyed request: asking for it, and making sure that it never happens.

use serde::{Deserialize, Serialize};

use super::{TransactionDetail, TransactionId, read_row};
use crate::wire::{Amount, Instant};

rpc! {
    /// `cancel_request`: Makes sure that a keyed request never happens, or tells what it did. Waits for one that is running. After
    /// `cancelled`, whatever is still on its way with the key is refused with `REQUEST_CANCELLED`. May be sent again.
    CancelRequest = "cancel_request", always, read_row -> Cancellation {
        /// The merchant whose key it is; the caller's own key as admin or member when left out.
        merchant_code: Option<String>,
        /// The key of the request.
        idempotency_key: String,
    }
}

/// The answer of [`CancelRequest`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cancellation {
    /// Whether nothing was done and nothing ever will be; `false`: the request was done, and stays so.
    pub cancelled: bool,
    /// The id of the transaction that it made; nothing when it was cancelled, or made none.
    pub tx_id: Option<TransactionId>,
    /// Its number.
    pub tx_no: Option<String>,
    /// `payment`, `refund`, `recharge` or `adjustment`.
    pub tx_type: Option<String>,
    /// What moved.
    pub final_amount: Option<Amount>,
    /// When it was made.
    pub created_at: Option<Instant>,
}

rpc! {
    /// `find_payment`: The transaction that a keyed request made, or that holds a merchant's order; one of the two is given. It does
    /// not wait: what is not found may still come, until it is cancelled.
    FindPayment = "find_payment", always, read_row -> TransactionDetail {
        /// The merchant whose key or order it is; the caller's own key as admin or member when left out.
        merchant_code: Option<String>,
        /// The key of the request.
        idempotency_key: Option<String>,
        /// The merchant's own order.
        external_order_id: Option<String>,
    }
}
