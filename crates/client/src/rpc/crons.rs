//! The jobs that the service runs by the clock. Each may be sent twice: a job that finds its work done does nothing.

use serde::Serialize;

use super::read_scalar;
use crate::connection::{Call, Repeat};

macro_rules! crons {
    ($($(#[$doc:meta])* $name:ident $({$(#[$field_doc:meta])* $field:ident: $type:ty = $argument:literal})? = $rpc:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Serialize)]
        pub struct $name {$(
            $(#[$field_doc])*
            #[serde(rename = $argument)]
            pub $field: $type,
        )?}

        impl Call for $name {
            type Reply = u32;
            const RPC: &'static str = $rpc;
            const REPEAT: Repeat = Repeat::Always;

            fn is_repeatable(&self) -> bool {
                true
            }

            fn read_reply(body: &[u8]) -> Option<u32> {
                read_scalar(body)
            }
        }
    )*};
}

crons! {
    /// Makes one of the partitions of this month and the next three, or moves rows to theirs; answers 0 when all are done.
    CronEnsurePartitions = "cron_ensure_partitions";
    /// Marks cards whose expiry has passed; answers how many, 0 when all are done.
    CronExpireCards = "cron_expire_cards";
    /// Expires pending recharge orders whose time is over; answers how many.
    CronExpireRechargeOrders = "cron_expire_recharge_orders";
    /// Moves cards to the levels of a new table; answers how many, 0 when all are done.
    CronFollowLevels = "cron_follow_levels";
    /// Settles finished periods; answers how many, 0 when all are done.
    CronGenerateSettlements = "cron_generate_settlements";
    /// Deletes what need not be kept any longer; answers how many rows, 0 when all are done.
    CronPurge {
        /// How long the audit log is kept, 2555 or more.
        audit_days: u32 = "p_audit_days"
    } = "cron_purge";
    /// Revokes live codes of shared cards that are 15 minutes old; answers how many, 0 when all are done.
    CronRotateQrTokens = "cron_rotate_qr_tokens";
    /// Seals the next rows of the books; answers how many items, 0 when there is nothing to do.
    CronSeal = "cron_seal";
    /// Holds the books against their rules; answers how many violations it found.
    CronVerifyLedger = "cron_verify_ledger";
    /// Verifies the next seals; answers how many violations it found.
    CronVerifySeals = "cron_verify_seals";
}
