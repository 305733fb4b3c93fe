//! The master key and what is derived from it: the hash a code is looked up by, and a phone's own key.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Handle, PaymentCode};

const LABEL_CODE: &[u8] = b"mps/code/v1";
const LABEL_DEVICE: &[u8] = b"mps/device/v1";

/// 32 secret bytes of the house; `Debug` shows none.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Takes 32 bytes from a CSPRNG, never from a person.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What the database stores of a code: `HMAC-SHA256(master_key, "mps/code/v1" ‖ 00 ‖ code)`.
    pub fn code_hash(&self, code: &PaymentCode) -> [u8; 32] {
        hmac_sha256(&self.0, &[LABEL_CODE, &[0], code.reveal().as_bytes()])
    }

    /// A phone's key: `HMAC-SHA256(master_key, "mps/device/v1" ‖ 00 ‖ handle)`.
    pub fn device_key(&self, handle: &Handle) -> DeviceKey {
        DeviceKey(hmac_sha256(&self.0, &[LABEL_DEVICE, &[0], handle.as_str().as_bytes()]))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

/// A phone's own 32 secret bytes; `Debug` shows none.
#[derive(Clone)]
pub struct DeviceKey([u8; 32]);

impl DeviceKey {
    /// Takes the key as the enrolment returned it.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes: for the phone's own storage, never for a log.
    pub const fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey")
    }
}

/// HMAC-SHA256 (RFC 2104) of the parts one after the other.
pub(super) fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new((&key_block(key)).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The key padded with zeros to the hash's block, as RFC 2104 does with a shorter key.
fn key_block(key: &[u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn keys_show_no_byte_in_a_log() -> Result<(), ErrorCode> {
        let master = MasterKey::new([7; 32]);
        let device = master.device_key(&Handle::parse("0000000001")?);
        assert_eq!(format!("{master:?} {device:?}"), "MasterKey DeviceKey");
        assert_ne!(device.reveal(), &[7; 32]);
        Ok(())
    }
}
