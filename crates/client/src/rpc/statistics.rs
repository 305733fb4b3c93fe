//! Statistics: a day, a period, the whole house.

use serde::{Deserialize, Serialize};

use super::{MerchantId, read_row, read_rows};
use crate::wire::{Amount, Instant};

rpc! {
    /// `get_today_transaction_stats`: A merchant's day so far, in its time zone, for its users in any role and
    /// admins. One row; amounts in house currency. `gross_amount`: what cards paid; `net_amount`: less refunds;
    /// `recharge_amount`: cash taken for cards. `points_taken`: taken back by refunds. Reads the day's transactions
    /// of the merchant.
    GetTodayTransactionStats = "get_today_transaction_stats", always, read_row -> DayTotals {
        /// The merchant.
        merchant_id: MerchantId,
    }
}

/// A merchant's day so far.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DayTotals {
    /// The day, YYYY-MM-DD.
    pub day: String,
    /// A zone of the IANA list.
    pub time_zone: String,
    /// How many payments.
    pub payment_count: i64,
    /// What cards paid.
    pub gross_amount: Amount,
    /// How many refunds.
    pub refund_count: i64,
    /// What went back.
    pub refund_amount: Amount,
    /// Paid less refunded.
    pub net_amount: Amount,
    /// How many recharges.
    pub recharge_count: i64,
    /// What was put onto cards.
    pub recharge_amount: Amount,
    /// What the card earned.
    pub points_earned: i64,
    /// Points taken back by refunds.
    pub points_taken: i64,
}

rpc! {
    /// `get_transaction_trends`: Totals from `p_start_date` to before `p_end_date` by day, week (from Monday) or
    /// month: of a merchant, in its time zone, for its users in any role and admins; of all (NULL), in the time
    /// zone of the house, for admins. Every unit is a row, 0 where nothing was; the first and last count only
    /// what is in the period. At most 400 units. `recharge_amount`: of a merchant the cash it took, of all every
    /// recharge. Reads each transaction of the period.
    GetTransactionTrends = "get_transaction_trends", always, read_rows -> Vec<PeriodTotals> {
        /// From then on.
        start_date: Instant,
        /// Before then.
        end_date: Instant,
        /// The merchant.
        merchant_id: Option<MerchantId>,
        /// `day`, `week` or `month`.
        group_by: Option<String>,
    }
}

/// What happened in one day, week or month.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeriodTotals {
    /// The first day of the unit, YYYY-MM-DD.
    pub bucket_start: String,
    /// How many payments.
    pub payment_count: i64,
    /// What cards paid.
    pub gross_amount: Amount,
    /// How many refunds.
    pub refund_count: i64,
    /// What went back.
    pub refund_amount: Amount,
    /// Paid less refunded.
    pub net_amount: Amount,
    /// How many recharges.
    pub recharge_count: i64,
    /// What was put onto cards.
    pub recharge_amount: Amount,
    /// What the card earned.
    pub points_earned: i64,
    /// Points taken back by refunds.
    pub points_taken: i64,
}

rpc! {
    /// `get_system_statistics`: Admin: rows (topic, kind, status, count, amount), absent where there is nothing
    /// to count. members and merchants by status; cards by type and status with their balances; accounts: the
    /// sum of all entries of each, what the house owes positive (card: to members, `merchant_payable`: to
    /// merchants); today: transactions by type since the house's midnight. Exact, so it reads every card and
    /// entry: about a second for a million transactions, not for every minute.
    GetSystemStatistics = "get_system_statistics", always, read_rows -> Vec<Statistic> {
    }
}

/// A row of the statistics.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Statistic {
    /// `members`, `merchants`, `cards`, `accounts` or `today`.
    pub topic: String,
    /// `amount`, `integer`, `time_zone` or `choice`.
    pub kind: Option<String>,
    /// Which status.
    pub status: Option<String>,
    /// How many.
    pub count: Option<i64>,
    /// In the house currency.
    pub amount: Option<Amount>,
}
