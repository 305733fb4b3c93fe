//! Devices that make codes offline.

use mps_client::rpc::{EnrollDevice, ListDevices, RevokeDevice};

use crate::api::{Routes, Way};

pub(super) fn routes() -> Routes {
    Routes::new()
        .rpc::<EnrollDevice>(Way::Post, "/api/devices", "enrollDevice")
        .rpc::<ListDevices>(Way::Get, "/api/devices", "listDevices")
        .rpc::<RevokeDevice>(Way::Delete, "/api/devices/{handle}", "revokeDevice")
}
