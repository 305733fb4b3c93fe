//! Devices that make offline codes.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{CardId, Changed, MemberId, read_changed, read_row, read_rows};
use crate::wire::Instant;

rpc! {
    /// `enroll_device`: Makes the caller's phone a device that can make offline codes for a card he may pay
    /// with; at most 5 live a card. label: 1 to 64 characters. handle: 10 digits; `device_key`: 64 hex digits,
    /// returned once and stored nowhere.
    EnrollDevice = "enroll_device", never, read_row -> EnrolledDevice {
        /// The card.
        card_id: CardId,
        /// 1 to 64 characters.
        label: String,
    }
}

rpc! {
    /// `list_devices`: The live devices of a card, at most 5, oldest first: all for the card's owner and admin
    /// and for admins of the house, one's own for others.
    ListDevices = "list_devices", always, read_rows -> Vec<Device> {
        /// The card.
        card_id: CardId,
    }
}

/// A live device.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device {
    /// Ten digits that name the device.
    pub handle: String,
    /// 1 to 64 characters.
    pub label: String,
    /// The member.
    pub member_id: MemberId,
    /// Since when.
    pub enrolled_at: Instant,
}

rpc! {
    /// `revoke_device`: Ends a device: its own member, the card's owner or admin, or an admin of the house. No
    /// charge of its codes commits after this returned. false: it was over.
    RevokeDevice = "revoke_device", always, read_changed -> Changed {
        /// Ten digits that name the device.
        handle: String,
    }
}

/// The answer of [`EnrollDevice`]. `Debug` does not show the key.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnrolledDevice {
    /// Ten digits that name the device.
    pub handle: String,
    /// 64 hex digits; returned once, stored nowhere.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub device_key: Zeroizing<String>,
}

impl std::fmt::Debug for EnrolledDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolledDevice").field("handle", &self.handle).finish_non_exhaustive()
    }
}
