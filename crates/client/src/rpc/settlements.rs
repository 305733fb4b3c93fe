//! Settlements: what a merchant is owed.

use serde::{Deserialize, Serialize};

use super::{
    Changed, CreatedSettlement, MerchantId, SettlementId, read_changed, read_row, read_rows, read_settlement,
};
use crate::wire::{Amount, Instant, Json};

rpc! {
    /// `list_settlements`: A merchant's settlements, the latest period first, for its owner, its managers and
    /// admins. Amounts in house currency; net = gross - refunds - cash - fee + `carried_in`; payout = net, or 0
    /// when that is negative.
    ListSettlements = "list_settlements", always, read_rows -> Vec<Settlement> {
        /// The merchant.
        merchant_id: MerchantId,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// Rows before the page.
        offset: Option<i32>,
    }
}

/// A settlement as lists have it.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settlement {
    /// The settlement.
    pub settlement_id: SettlementId,
    /// `STL` and ten digits.
    pub settlement_no: String,
    /// `realtime`, `t_plus_1` or `monthly`.
    pub mode: String,
    /// From then on.
    pub period_start: Instant,
    /// Before then.
    pub period_end: Instant,
    /// Payments.
    pub gross: Amount,
    /// Refunds.
    pub refunds: Amount,
    /// Cash taken for cards.
    pub cash: Amount,
    /// How many payments.
    pub payment_count: i32,
    /// How many refunds.
    pub refund_count: i32,
    /// How many cash recharges.
    pub cash_count: i32,
    /// The fee in hundredths of a per cent.
    pub fee_bps: i32,
    /// What the house keeps.
    pub fee: Amount,
    /// Debt of the one before, negative.
    pub carried_in: Amount,
    /// gross - refunds - cash - fee + `carried_in`.
    pub net: Amount,
    /// What is paid out: net, or 0.
    pub payout: Amount,
    /// Which status.
    pub status: String,
    /// When it was made.
    pub created_at: Instant,
}

rpc! {
    /// `get_settlement_detail`: One settlement and a page of its transactions: items is an array of {`tx_no`,
    /// `tx_type`, `final_amount` (decimal text), `created_at`}. For the merchant's owner, its managers and admins.
    /// `carried_from_no`: the settlement whose debt is its `carried_in`; `carried_to_no`: the one that carried its
    /// own.
    GetSettlementDetail = "get_settlement_detail", always, read_row -> SettlementDetail {
        /// The settlement.
        settlement_id: SettlementId,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// Rows before the page.
        offset: Option<i32>,
    }
}

/// The answer of [`GetSettlementDetail`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SettlementDetail {
    /// The settlement.
    pub settlement_id: SettlementId,
    /// `STL` and ten digits.
    pub settlement_no: String,
    /// The merchant.
    pub merchant_id: MerchantId,
    /// The code of the merchant.
    pub merchant_code: String,
    /// `realtime`, `t_plus_1` or `monthly`.
    pub mode: String,
    /// From then on.
    pub period_start: Instant,
    /// Before then.
    pub period_end: Instant,
    /// Payments.
    pub gross: Amount,
    /// Refunds.
    pub refunds: Amount,
    /// Cash taken for cards.
    pub cash: Amount,
    /// How many payments.
    pub payment_count: i32,
    /// How many refunds.
    pub refund_count: i32,
    /// How many cash recharges.
    pub cash_count: i32,
    /// The fee in hundredths of a per cent.
    pub fee_bps: i32,
    /// What the house keeps.
    pub fee: Amount,
    /// Debt of the one before, negative.
    pub carried_in: Amount,
    /// gross - refunds - cash - fee + `carried_in`.
    pub net: Amount,
    /// What is paid out: net, or 0.
    pub payout: Amount,
    /// Which status.
    pub status: String,
    /// The settlement whose debt it carries.
    pub carried_from_no: Option<String>,
    /// The settlement that carries its debt.
    pub carried_to_no: Option<String>,
    /// The transaction that paid it.
    pub payout_tx_no: Option<String>,
    /// When it was made.
    pub created_at: Instant,
    /// When it was changed last.
    pub updated_at: Instant,
    /// Its transactions: `tx_no`, `tx_type`, `final_amount`, `created_at`.
    pub items: Json,
}

rpc! {
    /// `generate_settlement`: Admin, service: settles a merchant up to the end of a half-open period that is
    /// over: every payment, refund and cash recharge not settled yet, late ones of earlier periods included.
    /// Answers the settlement's id. mode: realtime, `t_plus_1`, monthly.
    GenerateSettlement = "generate_settlement", never, read_settlement -> CreatedSettlement {
        /// The merchant.
        merchant_id: MerchantId,
        /// `realtime`, `t_plus_1` or `monthly`.
        mode: String,
        /// From then on.
        period_start: Instant,
        /// Before then.
        period_end: Instant,
    }
}

rpc! {
    /// `settle_late_transactions`: Admin: settles named transactions of a merchant that no settlement takes by
    /// itself, as `verify_ledger` names them: 1 to 200, all or none, with a reason. Answers the settlement's id.
    SettleLateTransactions = "settle_late_transactions", never, read_settlement -> CreatedSettlement {
        /// The merchant.
        merchant_id: MerchantId,
        /// Their numbers.
        tx_nos: Vec<String>,
        /// Why they are late; one line.
        reason: String,
    }
}

rpc! {
    /// `update_settlement_status`: Admin: pending -> settled -> paid, pending or settled -> failed, failed ->
    /// pending; paid is for ever. Paying writes the STX transaction, once. false: it had that status already.
    UpdateSettlementStatus = "update_settlement_status", always, read_changed -> Changed {
        /// The settlement.
        settlement_id: SettlementId,
        /// Which status.
        status: String,
    }
}
