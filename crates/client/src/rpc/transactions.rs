//! Transactions: one, or a page of them.

use serde::{Deserialize, Serialize};

use super::{CardId, DiscountSource, MemberId, MerchantId, TransactionId, read_row, read_rows};
use crate::wire::{Amount, Instant, Json, Multiplier};

rpc! {
    /// `get_transaction_detail`: One transaction, for its payer, those who see its card, its merchant's users
    /// and admins. refunded and remaining are of this moment, NULL unless it is a payment; tag and order are
    /// for the merchant and admins.
    GetTransactionDetail = "get_transaction_detail", always, read_row -> TransactionDetail {
        /// The number of the transaction.
        tx_no: String,
    }
}

/// The answer of [`GetTransactionDetail`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TransactionDetail {
    /// The id of the transaction.
    pub tx_id: TransactionId,
    /// The number of the transaction.
    pub tx_no: String,
    /// `payment`, `refund`, `recharge`, `adjustment` or `settlement`.
    pub tx_type: String,
    /// The code of the merchant.
    pub merchant_code: Option<String>,
    /// The name of the merchant.
    pub merchant_name: Option<String>,
    /// The card.
    pub card_id: Option<CardId>,
    /// Its number.
    pub card_no: Option<String>,
    /// Before the discount.
    pub raw_amount: Amount,
    /// The multiplier.
    pub discount: Option<Multiplier>,
    /// Where the multiplier comes from.
    pub discount_source: DiscountSource,
    /// What moved.
    pub final_amount: Amount,
    /// What the card earned.
    pub points_earned: i64,
    /// Of this moment; only of a payment.
    pub refunded_amount: Option<Amount>,
    /// Of this moment; only of a payment.
    pub remaining_amount: Option<Amount>,
    /// The merchant's own JSON object.
    pub tag: Option<Json>,
    /// The merchant's own order.
    pub external_order_id: Option<String>,
    /// Six characters.
    pub terminal_code: Option<String>,
    /// When it was made.
    pub created_at: Instant,
    /// The number of the member who paid, or whom a refund is for; only for those who see the card.
    pub payer_no: Option<String>,
    /// The name of that member.
    pub payer_name: Option<String>,
}

/// A transaction as lists have it.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TransactionRow {
    /// The id of the transaction.
    pub tx_id: TransactionId,
    /// The number of the transaction.
    pub tx_no: String,
    /// `payment`, `refund`, `recharge`, `adjustment` or `settlement`.
    pub tx_type: String,
    /// The code of the merchant.
    pub merchant_code: Option<String>,
    /// The name of the merchant.
    pub merchant_name: Option<String>,
    /// The card.
    pub card_id: Option<CardId>,
    /// Its number.
    pub card_no: Option<String>,
    /// Before the discount.
    pub raw_amount: Amount,
    /// The multiplier.
    pub discount: Option<Multiplier>,
    /// Where the multiplier comes from.
    pub discount_source: DiscountSource,
    /// What moved.
    pub final_amount: Amount,
    /// What the card earned.
    pub points_earned: i64,
    /// Of this moment; only of a payment.
    pub refunded_amount: Option<Amount>,
    /// Of this moment; only of a payment.
    pub remaining_amount: Option<Amount>,
    /// The merchant's own JSON object.
    pub tag: Option<Json>,
    /// The merchant's own order.
    pub external_order_id: Option<String>,
    /// Six characters.
    pub terminal_code: Option<String>,
    /// When it was made.
    pub created_at: Instant,
    /// What it did to the balance of its card.
    pub balance_change: Option<Amount>,
    /// The number of the member who paid, or whom a refund is for; only for those who see the card.
    pub payer_no: Option<String>,
    /// The name of that member.
    pub payer_name: Option<String>,
}

rpc! {
    /// `get_member_transactions`: A member's transactions, newest first by id: of every card he is bound to and
    /// his own; own (NULL), or any for an admin. `p_limit` 1 to 200, 50 by default; `p_start_date` to `p_end_date` is
    /// half-open, by `created_at`. Columns as `get_transaction_detail`, and `balance_change`: what it did to its
    /// card's balance. Deep pages: `get_member_transactions_page`.
    GetMemberTransactions = "get_member_transactions", always, read_rows -> Vec<TransactionRow> {
        /// The member.
        member_id: Option<MemberId>,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// Rows before the page.
        offset: Option<i32>,
        /// From then on.
        start_date: Option<Instant>,
        /// Before then.
        end_date: Option<Instant>,
    }
}

rpc! {
    /// `get_member_transactions_page`: As `get_member_transactions`, with pages that cost the same however deep:
    /// `p_before_tx_id` is the last `tx_id` of the page before, NULL for the first.
    GetMemberTransactionsPage = "get_member_transactions_page", always, read_rows -> Vec<TransactionRow> {
        /// The member.
        member_id: Option<MemberId>,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// The last `tx_id` of the page before; none for the first page.
        before_tx_id: Option<TransactionId>,
        /// From then on.
        start_date: Option<Instant>,
        /// Before then.
        end_date: Option<Instant>,
    }
}

rpc! {
    /// `get_merchant_transactions`: A merchant's transactions, newest first by id, for its users in any role
    /// and admins. `p_limit` 1 to 200, 50 by default; `p_start_date` to `p_end_date` is half-open, by `created_at`.
    /// Columns as `get_transaction_detail`; nothing says who paid, and `balance_change` is for admins. Deep pages:
    /// `get_merchant_transactions_page`.
    GetMerchantTransactions = "get_merchant_transactions", always, read_rows -> Vec<TransactionRow> {
        /// The merchant.
        merchant_id: MerchantId,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// Rows before the page.
        offset: Option<i32>,
        /// From then on.
        start_date: Option<Instant>,
        /// Before then.
        end_date: Option<Instant>,
    }
}

rpc! {
    /// `get_merchant_transactions_page`: As `get_merchant_transactions`, with pages that cost the same however
    /// deep: `p_before_tx_id` is the last `tx_id` of the page before, NULL for the first.
    GetMerchantTransactionsPage = "get_merchant_transactions_page", always, read_rows -> Vec<TransactionRow> {
        /// The merchant.
        merchant_id: MerchantId,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// The last `tx_id` of the page before; none for the first page.
        before_tx_id: Option<TransactionId>,
        /// From then on.
        start_date: Option<Instant>,
        /// Before then.
        end_date: Option<Instant>,
    }
}
