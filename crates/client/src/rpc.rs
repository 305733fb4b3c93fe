//! Every RPC in `public` that the edge calls: its arguments, its reply, and when it may be sent again.

/// One RPC: `Name = "sql_name", repeat, reader -> Reply { arguments }`. A route reads the same struct from its request under the same
/// names; the database gets them with `p_` in front. `repeat` is `always`, `keyed` (by its `idempotency_key`), `never`, or
/// `nulls`: always, and null is a value of its own.
macro_rules! rpc {
    (
        $(#[$doc:meta])*
        $name:ident = $rpc:literal, $repeat:ident, $read:ident -> $reply:ty
        { $( $(#[$about:meta])* $field:ident : $type:ty ),* $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name { $( $(#[$about])* pub $field: $type, )* }

        impl $crate::connection::Call for $name {
            type Reply = $reply;
            const RPC: &'static str = $rpc;
            const REPEAT: $crate::connection::Repeat = rpc!(@repeat $repeat);

            fn arguments(&self) -> Option<String> {
                $crate::wire::arguments(self, rpc!(@nulls $repeat))
            }

            fn is_repeatable(&self) -> bool {
                rpc!(@repeatable $repeat self)
            }

            fn read_reply(body: &[u8]) -> Option<$reply> {
                $read(body)
            }
        }
    };
    (@repeat never) => { $crate::connection::Repeat::Never };
    (@repeat keyed) => { $crate::connection::Repeat::Keyed };
    (@repeat $other:ident) => { $crate::connection::Repeat::Always };
    (@nulls nulls) => { true };
    (@nulls $other:ident) => { false };
    (@repeatable never $self:ident) => { false };
    (@repeatable keyed $self:ident) => { $self.idempotency_key.is_some() };
    (@repeatable $other:ident $self:ident) => { true };
}

mod administration;
mod cancelling;
mod cards;
mod codes;
mod crons;
mod devices;
mod ids;
mod members;
mod merchants;
mod ops;
mod payments;
mod points;
mod recharges;
mod settlements;
mod statistics;
mod transactions;

pub use administration::{
    AcknowledgeClock, AcknowledgeSealFinding, AddAdminUser, AuditRow, GetLatestSeal, GetSettings,
    HealthCheck, QueryAuditLog, RemoveAdminUser, Seal, SealViolation, SetSetting, Setting, SystemHealthCheck,
    VerifySeals,
};
pub use cancelling::{CancelRequest, Cancellation, FindPayment};
pub use cards::{
    AcceptCardInvitation, AdjustCardBalance, Adjustment, BindMemberToCard, Binding, CardDetail,
    CardInvitation, CardRow, CloseCard, CreateCorporateCard, CreatePrepaidCard, CreateVoucherCard,
    DeclineCardInvitation, FreezeCard, GetAllCards, GetCardBindings, GetCardDetail, GetMemberCards,
    ListCardInvitations, MemberCard, ReportCardLost, SearchCards, SetCardBindingPassword, SetCardExpiry,
    UnbindMemberFromCard, UnfreezeCard,
};
pub use codes::{CodeState, GetCodeState, IssuedCode, RevokeCardQr, RotateCardQr, ValidateQrPlain};
pub use crons::{
    CronEnsurePartitions, CronExpireCards, CronExpireRechargeOrders, CronFollowLevels,
    CronGenerateSettlements, CronPurge, CronRotateQrTokens, CronSeal, CronVerifyLedger, CronVerifySeals,
};
pub use devices::{Device, EnrollDevice, EnrolledDevice, ListDevices, RevokeDevice};
pub use ids::{CardId, MemberId, MerchantId, RowId, SettlementId, TransactionId, UserId};
pub use members::{
    AdminActivateMember, AdminSuspendMember, CreateMemberProfile, DeleteMember, GetAllMembers,
    GetMemberDetail, GetUserProfile, LinkMemberAuthUser, MemberDetail, MemberNotice, MemberRow,
    MerchantOfUser, Profile, RegisterMember, RegisteredMember, SearchMembers, Terminal,
    UnbindExternalIdentity, UpdateMemberProfile, UpdatedMember,
};
pub use merchants::{
    AddMerchantUser, AdminActivateMerchant, AdminSuspendMerchant, CreateMerchant, GetMerchantDetail,
    GetMyMerchants, Merchant, MerchantDetail, MyMerchant, RegisterTerminal, RegisteredTerminal,
    RemoveMerchantUser, RetireTerminal, SearchMerchants, UpdateMerchant,
};
pub use ops::{ReportRefusal, ServerStatus, TestConnection, VerifyLedger, Violation};
pub use payments::{Charge, DiscountSource, MerchantChargeByQr, Quote, QuotePayment};
pub use points::{
    GetPointLedger, ListMembershipLevels, MembershipLevel, PointEntry, PointsChange, SetMembershipLevels,
    UpdatePointsAndLevel,
};
pub use recharges::{
    CashRecharge, CashReversal, CompleteRechargeOrder, CompletedPayment, CreateRechargeOrder,
    CreatedRechargeOrder, GetRechargeOrder, ListRechargeEvents, ListRechargeOrders, MerchantRefundTx,
    RechargeEvent, RechargeOrder, RechargeOrderToQuery, Refund, ReportRechargeEvent, ReportedRechargeEvent,
    ResolveRechargeEvent, ResolveRechargeOrder, ResolvedPayment, ReverseCashRecharge,
    TakeRechargeOrdersToQuery, UserRechargeCard,
};
pub use settlements::{
    GenerateSettlement, GetSettlementDetail, ListSettlements, SettleLateTransactions, Settlement,
    SettlementDetail, UpdateSettlementStatus,
};
pub use statistics::{
    DayTotals, GetSystemStatistics, GetTodayTransactionStats, GetTransactionTrends, PeriodTotals, Statistic,
};
pub use transactions::{
    GetMemberTransactions, GetMemberTransactionsPage, GetMerchantTransactions, GetMerchantTransactionsPage,
    GetTransactionDetail, TransactionDetail, TransactionRow,
};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Whether something changed; `false`: it was so already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Changed {
    /// `false`: it was so already.
    pub changed: bool,
}

/// How many it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Count {
    /// How many.
    pub count: i64,
}

/// A card that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedCard {
    /// Its id.
    pub card_id: CardId,
    /// Whether this answers an earlier request with the same key.
    pub replayed: bool,
}

/// A member who was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedMember {
    /// His id.
    pub member_id: MemberId,
}

/// A settlement that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedSettlement {
    /// Its id.
    pub settlement_id: SettlementId,
}

fn read_changed(body: &[u8]) -> Option<Changed> {
    read_scalar(body).map(|changed| Changed { changed })
}

fn read_count(body: &[u8]) -> Option<Count> {
    read_scalar(body).map(|count| Count { count })
}

fn read_member(body: &[u8]) -> Option<CreatedMember> {
    read_scalar(body).map(|member_id| CreatedMember { member_id })
}

fn read_settlement(body: &[u8]) -> Option<CreatedSettlement> {
    read_scalar(body).map(|settlement_id| CreatedSettlement { settlement_id })
}

/// `returns table` of one row: an array with exactly that.
fn read_row<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let mut rows = read_rows::<T>(body)?;
    if rows.len() == 1 { rows.pop() } else { None }
}

/// `returns table` of any number of rows.
fn read_rows<T: DeserializeOwned>(body: &[u8]) -> Option<Vec<T>> {
    serde_json::from_slice(body).ok()
}

/// A scalar: the bare JSON value.
fn read_scalar<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}
