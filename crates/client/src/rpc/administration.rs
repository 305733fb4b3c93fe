//! The house: settings, admins, audit log, health, seals.

use serde::{Deserialize, Serialize};

use super::{Changed, RowId, UserId, read_changed, read_row, read_rows};
use crate::wire::{Instant, Json};

/// A setting, what it is and what it may be.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// `amount`, `integer`, `time_zone` or `choice`.
    pub kind: String,
    /// What it does.
    pub comment: Option<String>,
    /// The least it may be.
    pub min_value: Option<Json>,
    /// The most it may be.
    pub max_value: Option<Json>,
    /// What it may be.
    pub choices: Option<Vec<String>>,
}

rpc! {
    /// `get_settings`: Admin: every setting with its kind (amount, integer, `time_zone`, choice) and what it may
    /// be; bounds are included, NULL is none.
    GetSettings = "get_settings", always, read_rows -> Vec<Setting> {
    }
}

rpc! {
    /// `set_setting`: Admin: changes a setting from the next call on. Amounts are plain decimals with at most
    /// two decimals.
    SetSetting = "set_setting", always, read_row -> Setting {
        /// Its name.
        key: String,
        /// Its value.
        value: String,
    }
}

rpc! {
    /// `add_admin_user`: Admin: a signed-up user runs the house too. false: he does already.
    AddAdminUser = "add_admin_user", always, read_changed -> Changed {
        /// The user, as Supabase Auth knows him.
        user_id: UserId,
    }
}

rpc! {
    /// `remove_admin_user`: Admin: an admin runs the house no more; the last one stays. false: he did not.
    RemoveAdminUser = "remove_admin_user", always, read_changed -> Changed {
        /// The user, as Supabase Auth knows him.
        user_id: UserId,
    }
}

rpc! {
    /// `query_audit_log`: Admin: audit rows, newest first, that meet every filter given; an object id goes with
    /// its type. From `p_start_date` on and before `p_end_date`. The next page: `p_before_id` = the last row's id.
    /// Pages of 1 to 200, default 50.
    QueryAuditLog = "query_audit_log", always, read_rows -> Vec<AuditRow> {
        /// To what kind of thing.
        object_type: Option<String>,
        /// To which one.
        object_id: Option<String>,
        /// Who did it.
        actor_user_id: Option<UserId>,
        /// What was done.
        action: Option<String>,
        /// From then on.
        start_date: Option<Instant>,
        /// Before then.
        end_date: Option<Instant>,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// The last id of the page before.
        before_id: Option<RowId>,
    }
}

/// A row of the audit log.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditRow {
    /// The id of the row.
    pub id: RowId,
    /// When it was made.
    pub created_at: Instant,
    /// Who did it.
    pub actor_user_id: Option<UserId>,
    /// As what.
    pub actor_role: Option<String>,
    /// What was done.
    pub action: String,
    /// To what kind of thing.
    pub object_type: Option<String>,
    /// To which one.
    pub object_id: Option<String>,
    /// What goes with it.
    pub params: Option<Json>,
    /// The request that did it.
    pub request_id: Option<String>,
}

rpc! {
    /// `system_health_check`: Admin, service: one row for each check, cheap enough for every minute; detail is
    /// for an operator to read. The books are `verify_ledger`'s.
    SystemHealthCheck = "system_health_check", always, read_rows -> Vec<HealthCheck> {
    }
}

/// One thing that was looked at.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthCheck {
    /// What was looked at.
    pub check: String,
    /// Whether it is well.
    pub ok: bool,
    /// For an operator to read.
    pub detail: Option<String>,
}

rpc! {
    /// `get_latest_seal`: Admin, service: the last seal and its root (64 hex digits), to be kept outside of the
    /// database as an anchor for `verify_seals`; rows from before `covers_until` are sealed. No row before the
    /// first seal.
    GetLatestSeal = "get_latest_seal", always, read_rows -> Vec<Seal> {
    }
}

/// The newest seal.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Seal {
    /// The number of the seal.
    pub seal_no: i64,
    /// 64 hex digits.
    pub root: String,
    /// When it was sealed.
    pub sealed_at: Instant,
    /// Rows from before are sealed.
    pub covers_until: Instant,
}

rpc! {
    /// `verify_seals`: Admin, service: what was changed behind the triggers' back in these seals, at most 200
    /// rows, none when all is well. what, of a row: changed, removed, added, reordered (it stands under the id
    /// of another); of a seal, without row id: `seal_changed`, `seal_removed`, `items_changed`, `items_removed`,
    /// changed (rows that its items no longer name), `purged_too_early`; `anchor_differs` when the seal of that
    /// number has not the given root (64 hex digits, from `get_latest_seal`). Rows are named in the table's name;
    /// ledger entries by their transaction. Reads all rows of those seals; with `p_seals_max` it works in parts.
    VerifySeals = "verify_seals", always, read_rows -> Vec<SealViolation> {
        /// The first seal to look at; 1 when left out.
        seal_first: Option<i64>,
        /// How many seals; all when left out.
        seals_max: Option<i32>,
        /// A seal whose root was kept elsewhere.
        anchor_seal_no: Option<i64>,
        /// That root, 64 hex digits.
        anchor_root: Option<String>,
    }
}

rpc! {
    /// `acknowledge_seal_finding`: Admin: explains one finding of `verify_seals`, named as that names it, with a
    /// reason. It is not found again while the row stays as it is now. false: there is no such finding.
    AcknowledgeSealFinding = "acknowledge_seal_finding", always, read_changed -> Changed {
        /// The number of the seal.
        seal_no: Option<i64>,
        /// The table.
        table_name: String,
        /// The row; left out for a finding about a seal.
        row_id: Option<RowId>,
        /// What was found.
        what: String,
        /// Why that is as it should be; one line.
        reason: String,
    }
}

rpc! {
    /// `acknowledge_clock`: Admin: says that the database's clock is right now, after health doubted it, with a
    /// reason. What a wrong clock has reached ahead is set aside; settling, sealing and purging go on. false: it is
    /// not in doubt.
    AcknowledgeClock = "acknowledge_clock", always, read_changed -> Changed {
        /// What happened; one line.
        reason: String,
    }
}

/// What was changed behind the triggers' back.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SealViolation {
    /// The number of the seal.
    pub seal_no: i64,
    /// The table.
    pub table_name: Option<String>,
    /// The row.
    pub row_id: Option<RowId>,
    /// What happened to it.
    pub what: String,
}
