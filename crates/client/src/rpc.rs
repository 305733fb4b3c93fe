//! Every RPC in `public`: its arguments, its reply, and whether it may be sent twice.

mod codes;
mod crons;
mod ids;
mod members;
mod ops;
mod payments;

pub use codes::{IssuedCode, RevokeCardQr, RotateCardQr, ValidateQrPlain};
pub use crons::{
    CronEnsurePartitions, CronExpireCards, CronExpireRechargeOrders, CronGenerateSettlements, CronPurge,
    CronRotateQrTokens, CronSeal, CronVerifyLedger, CronVerifySeals,
};
pub use ids::{CardId, MemberId};
pub use members::{
    GetMemberCards, GetUserProfile, MemberCard, MerchantOfUser, Profile, RegisterMember, RegisteredMember,
    Terminal,
};
pub use ops::{ServerStatus, TestConnection, VerifyLedger, Violation};
pub use payments::{
    Charge, DiscountSource, GetTransactionDetail, MerchantChargeByQr, Quote, QuotePayment, TransactionDetail,
};

use serde::de::DeserializeOwned;

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
