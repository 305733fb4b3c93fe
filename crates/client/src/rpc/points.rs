//! Points and levels.

use serde::{Deserialize, Serialize};

use super::{CardId, Count, RowId, read_count, read_row, read_rows};
use crate::argument::JsonArray;
use crate::wire::{Instant, Multiplier};

rpc! {
    /// `update_points_and_level`: Admin: gives (positive) or takes (negative) up to 1 000 000 points; the level
    /// follows. The same key and request: the same change.
    UpdatePointsAndLevel = "update_points_and_level", keyed, read_row -> PointsChange {
        /// The card.
        card_id: CardId,
        /// Points given, or taken when negative.
        delta_points: i64,
        /// Why, for the audit log.
        reason: String,
        /// Names this request for ever.
        idempotency_key: Option<String>,
    }
}

/// The answer of [`UpdatePointsAndLevel`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PointsChange {
    /// The id of the entry.
    pub point_ledger_id: RowId,
    /// The card.
    pub card_id: CardId,
    /// Points given, or taken when negative.
    pub delta_points: i64,
    /// The level before.
    pub level_before: i32,
    /// The level after.
    pub level_after: i32,
    /// Why, for the audit log.
    pub reason: String,
    /// When it was made.
    pub created_at: Instant,
    /// Whether this answers an earlier request with the same key.
    pub replayed: bool,
}

rpc! {
    /// `get_point_ledger`: Every change of a card's points, newest first, for whoever is bound to it and
    /// admins; `tx_no` NULL: by no transaction. Pages of 1 to 200, default 50.
    GetPointLedger = "get_point_ledger", always, read_rows -> Vec<PointEntry> {
        /// The card.
        card_id: CardId,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// Rows before the page.
        offset: Option<i32>,
    }
}

/// A change of a card's points.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PointEntry {
    /// The id of the entry.
    pub point_ledger_id: RowId,
    /// Points given, or taken when negative.
    pub delta_points: i64,
    /// The level before.
    pub level_before: i32,
    /// The level after.
    pub level_after: i32,
    /// Why, for the audit log.
    pub reason: Option<String>,
    /// The number of the transaction.
    pub tx_no: Option<String>,
    /// When it was made.
    pub created_at: Instant,
}

rpc! {
    /// `list_membership_levels`: The levels, lowest first: from `points_min` to `points_max`, both included, NULL
    /// for no end; discount is a multiplier.
    ListMembershipLevels = "list_membership_levels", always, read_rows -> Vec<MembershipLevel> {
    }
}

/// A level, lowest first.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MembershipLevel {
    /// The number of the level.
    pub level: i32,
    /// The name.
    pub name: String,
    /// From so many points.
    pub points_min: i64,
    /// To so many points; no end when null.
    pub points_max: Option<i64>,
    /// The multiplier.
    pub discount: Multiplier,
}

rpc! {
    /// `set_membership_levels`: Admin: replaces the whole table of levels by rows {level, name, `points_min`,
    /// `points_max`?, discount}, numbered from 0 by points; answers on how many cards the level changed. Charges
    /// go on meanwhile; those of cards whose level changes wait for the end, which at a million of them takes a
    /// minute: choose a quiet hour.
    SetMembershipLevels = "set_membership_levels", always, read_count -> Count {
        /// Every level, from 0: level, name, `points_min`, `points_max`, discount.
        levels: JsonArray,
    }
}
