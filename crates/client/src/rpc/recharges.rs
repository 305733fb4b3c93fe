//! Money onto cards and back: recharge orders, cash, refunds.

use serde::{Deserialize, Serialize};

use super::{CardId, Changed, RowId, TransactionId, read_changed, read_row, read_rows};
use crate::argument::{Price, RechargeAmount, RefundAmount, Tag};
use crate::wire::{Amount, Instant, Json};

rpc! {
    /// `create_recharge_order`: A member who owns a card or is its admin orders a recharge of 1.00 to 50000.00 through
    /// wechat or alipay, to be paid within 15 minutes. Nothing is credited until the provider's payment is verified.
    /// The same key and request: the same order.
    CreateRechargeOrder = "create_recharge_order", keyed, read_row -> CreatedRechargeOrder {
        /// The card.
        card_id: CardId,
        /// In the house currency.
        amount: RechargeAmount,
        /// `wechat` or `alipay`.
        provider: String,
        /// Names this request for ever.
        idempotency_key: Option<String>,
    }
}

/// The answer of [`CreateRechargeOrder`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedRechargeOrder {
    /// The number of the order.
    pub order_no: String,
    /// The card.
    pub card_id: CardId,
    /// In the house currency.
    pub amount: Amount,
    /// ISO 4217.
    pub currency: String,
    /// `wechat` or `alipay`.
    pub provider: String,
    /// `pending`: what it was when it was made.
    pub status: String,
    /// When it ends.
    pub expires_at: Instant,
    /// When it was made.
    pub created_at: Instant,
    /// Whether this answers an earlier request with the same key.
    pub replayed: bool,
}

rpc! {
    /// `complete_recharge_order`: Service: a payment that the provider's verified notification or query reported.
    /// Credits once per provider transaction and once per order; what does not fit is recorded and waits for an admin.
    CompleteRechargeOrder = "complete_recharge_order", always, read_row -> CompletedPayment {
        /// The number of the order.
        order_no: String,
        /// `wechat` or `alipay`.
        provider: String,
        /// The number that the provider gave the payment.
        provider_tx_id: String,
        /// What was paid.
        amount: Price,
        /// ISO 4217.
        currency: String,
        /// When it was paid, by the provider's clock.
        paid_at: Instant,
    }
}

/// The answer of [`CompleteRechargeOrder`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CompletedPayment {
    /// The number of the order.
    pub order_no: String,
    /// The status of the order.
    pub order_status: String,
    /// `credited`, `needs_review` or `refunded_outside`.
    pub payment_status: String,
    /// Why it waits for an admin.
    pub review_reason: Option<String>,
    /// Whether it was paid after the order had expired.
    pub is_late: bool,
    /// The card.
    pub card_id: CardId,
    /// What was paid.
    pub amount: Amount,
    /// The number of the transaction that credited it.
    pub tx_no: Option<String>,
    /// Whether it was recorded before.
    pub replayed: bool,
}

rpc! {
    /// `take_recharge_orders_to_query`: Service: the orders that are to be asked about at their provider now, the most urgent first.
    /// Each is handed out once at each of its times.
    TakeRechargeOrdersToQuery = "take_recharge_orders_to_query", never, read_rows -> Vec<RechargeOrderToQuery> {
        /// 1 to 100.
        limit: Option<i32>,
    }
}

/// An order that nothing is known to be paid of.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RechargeOrderToQuery {
    /// The number of the order.
    pub order_no: String,
    /// `wechat` or `alipay`.
    pub provider: String,
    /// What is to be paid.
    pub amount: Amount,
    /// ISO 4217.
    pub currency: String,
    /// `pending` or `expired`.
    pub status: String,
    /// When it ends.
    pub expires_at: Instant,
    /// When it was made.
    pub created_at: Instant,
}

rpc! {
    /// `get_recharge_order`: A recharge order: one's own or of a card one owns or administers; any for admins
    /// and the service, who also see the payments reported.
    GetRechargeOrder = "get_recharge_order", always, read_row -> RechargeOrder {
        /// The number of the order.
        order_no: String,
    }
}

rpc! {
    /// `list_recharge_orders`: Recharge orders, newest first, 50 a page and at most 200: one's own, those of a
    /// card one owns or administers, all for admins. For an admin, `needs_review` names every order with a
    /// payment that waits, one completed before too.
    ListRechargeOrders = "list_recharge_orders", always, read_rows -> Vec<RechargeOrder> {
        /// The card.
        card_id: Option<CardId>,
        /// Which status.
        status: Option<String>,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// Rows before the page.
        offset: Option<i32>,
    }
}

/// A recharge order.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RechargeOrder {
    /// The number of the order.
    pub order_no: String,
    /// The card.
    pub card_id: CardId,
    /// In the house currency.
    pub amount: Amount,
    /// ISO 4217.
    pub currency: String,
    /// `wechat` or `alipay`.
    pub provider: String,
    /// Which status.
    pub status: String,
    /// Whether it was paid after it expired.
    pub is_late: bool,
    /// The number of the transaction.
    pub tx_no: Option<String>,
    /// When it ends; never when null.
    pub expires_at: Instant,
    /// When it was made.
    pub created_at: Instant,
    /// What the provider reported; for admins.
    pub payments: Option<Json>,
}

rpc! {
    /// `resolve_recharge_order`: Admin: ends the review of one payment of an order: credit puts what was paid
    /// onto the card, `refunded_outside` says that the provider gave it back; `p_note`, at most 500 characters, is
    /// kept with it.
    ResolveRechargeOrder = "resolve_recharge_order", never, read_row -> ResolvedPayment {
        /// The number of the order.
        order_no: String,
        /// The number that the provider gave the payment.
        provider_tx_id: String,
        /// `credit` or `refunded_outside`.
        resolution: String,
        /// Kept with it.
        note: Option<String>,
    }
}

/// The answer of [`ResolveRechargeOrder`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResolvedPayment {
    /// The number of the order.
    pub order_no: String,
    /// The status of the order.
    pub order_status: String,
    /// The status of the payment.
    pub payment_status: String,
    /// In the house currency.
    pub amount: Amount,
    /// The number of the transaction.
    pub tx_no: Option<String>,
}

rpc! {
    /// `report_recharge_event`: Service: what the provider's verified notice says against a payment of an order:
    /// given back there, or closed. It waits for an admin; the card keeps its money until then.
    ReportRechargeEvent = "report_recharge_event", always, read_row -> ReportedRechargeEvent {
        /// The number of the order.
        order_no: String,
        /// `wechat` or `alipay`.
        provider: String,
        /// Names what was reported at that provider for ever.
        provider_event_id: String,
        /// `refunded` or `closed`.
        kind: String,
        /// A JSON object in the provider's own words.
        facts: Tag,
        /// The number that the provider gave the payment.
        provider_tx_id: Option<String>,
        /// What went back.
        amount: Option<Price>,
    }
}

/// The answer of [`ReportRechargeEvent`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportedRechargeEvent {
    /// The number of the order.
    pub order_no: String,
    /// `needs_review`, or `ignored` where it contradicts nothing.
    pub status: String,
    /// Whether it was reported before.
    pub replayed: bool,
}

rpc! {
    /// `list_recharge_events`: Admin: what providers reported against payments of recharge orders, newest first: those
    /// that wait, with `with_resolved` all. The next page: `before_id` = the last row's id.
    ListRechargeEvents = "list_recharge_events", always, read_rows -> Vec<RechargeEvent> {
        /// Those whose review has ended too.
        with_resolved: Option<bool>,
        /// Rows a page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// Rows older than this one.
        before_id: Option<RowId>,
    }
}

/// A row of [`ListRechargeEvents`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RechargeEvent {
    /// Its id.
    pub recharge_event_id: RowId,
    /// The number of the order.
    pub order_no: String,
    /// The card.
    pub card_id: CardId,
    /// `wechat` or `alipay`.
    pub provider: String,
    /// The number that the provider gave the payment.
    pub provider_tx_id: Option<String>,
    /// `refunded` or `closed`.
    pub kind: String,
    /// What went back there.
    pub amount: Option<Amount>,
    /// A JSON object in the provider's own words.
    pub facts: Json,
    /// When it was reported.
    pub recorded_at: Instant,
    /// When its review ended.
    pub resolved_at: Option<Instant>,
    /// What was done.
    pub resolution_note: Option<String>,
}

rpc! {
    /// `resolve_recharge_event`: Admin: ends the review of what a provider reported against a payment; `p_note`
    /// says what was done.
    ResolveRechargeEvent = "resolve_recharge_event", always, read_changed -> Changed {
        /// The id of the event.
        recharge_event_id: RowId,
        /// What was done, 1 to 500 characters.
        note: String,
    }
}

rpc! {
    /// `user_recharge_card`: Cash that was taken for a card, 1.00 to 50000.00: with `p_merchant_code` by a
    /// merchant's user, and the merchant then owes it (settlement deducts it), a cashier up to a cap a day;
    /// without it by an admin. A member can credit no card. The same key and request: the first answer.
    UserRechargeCard = "user_recharge_card", keyed, read_row -> CashRecharge {
        /// The card.
        card_id: CardId,
        /// In the house currency.
        amount: RechargeAmount,
        /// `cash`.
        payment_method: Option<String>,
        /// A JSON object of the merchant's, at most 4096 bytes, 32 levels deep.
        tag: Option<Tag>,
        /// Names this request for ever.
        idempotency_key: Option<String>,
        /// The merchant's own order.
        external_order_id: Option<String>,
        /// The code of the merchant.
        merchant_code: Option<String>,
    }
}

/// The answer of [`UserRechargeCard`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CashRecharge {
    /// The id of the transaction.
    pub tx_id: TransactionId,
    /// The number of the transaction.
    pub tx_no: String,
    /// The card.
    pub card_id: CardId,
    /// In the house currency.
    pub amount: Amount,
    /// The code of the merchant.
    pub merchant_code: Option<String>,
    /// The merchant's own order.
    pub external_order_id: Option<String>,
    /// When it was made.
    pub created_at: Instant,
    /// Whether this answers an earlier request with the same key.
    pub replayed: bool,
}

rpc! {
    /// `reverse_cash_recharge`: Takes cash that was recharged wrongly off the card again, the whole amount, once: the
    /// cashier who took it within 30 minutes, a manager or owner until it is settled.
    ReverseCashRecharge = "reverse_cash_recharge", keyed, read_row -> CashReversal {
        /// The code of the merchant.
        merchant_code: String,
        /// The recharge to reverse.
        original_tx_no: String,
        /// Why; 1 to 200 characters.
        reason: String,
        /// Names this request for ever.
        idempotency_key: Option<String>,
    }
}

/// The answer of [`ReverseCashRecharge`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CashReversal {
    /// The id of the reversal.
    pub tx_id: TransactionId,
    /// The number of the reversal.
    pub tx_no: String,
    /// The number of the recharge.
    pub original_tx_no: String,
    /// The card.
    pub card_id: CardId,
    /// In the house currency.
    pub amount: Amount,
    /// The code of the merchant.
    pub merchant_code: String,
    /// When it was made.
    pub created_at: Instant,
    /// Whether this answers an earlier request with the same key.
    pub replayed: bool,
}

rpc! {
    /// `merchant_refund_tx`: Refunds a payment, wholly or in parts, onto its card; a voucher is refunded whole, as a
    /// new voucher. Allowed while merchant or member is suspended. Amounts in house currency, at most two decimals.
    MerchantRefundTx = "merchant_refund_tx", keyed, read_row -> Refund {
        /// The code of the merchant.
        merchant_code: String,
        /// The payment to refund.
        original_tx_no: String,
        /// How much goes back.
        refund_amount: RefundAmount,
        /// A JSON object of the merchant's, at most 4096 bytes, 32 levels deep.
        tag: Option<Tag>,
        /// Names this request for ever.
        idempotency_key: Option<String>,
    }
}

/// The answer of [`MerchantRefundTx`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refund {
    /// The id of the refund.
    pub refund_tx_id: TransactionId,
    /// The number of the refund.
    pub refund_tx_no: String,
    /// Of this moment; only of a payment.
    pub refunded_amount: Amount,
    /// What can still be refunded.
    pub remaining: Amount,
    /// Points taken back by refunds.
    pub points_taken: i64,
    /// Whether this answers an earlier request with the same key.
    pub replayed: bool,
}
