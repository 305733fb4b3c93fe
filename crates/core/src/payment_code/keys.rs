//! The master key and what is derived from it: the hash a code is looked up by, and a phone's own key.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Handle, PaymentCode};
use crate::error::ErrorCode;

const LABEL_CODE: &[u8] = b"mps/code/v1";
const LABEL_DEVICE: &[u8] = b"mps/device/v1";

/// On the heap, so that a key that is moved leaves nothing behind: a moved value's former place is zeroed by nobody.
type KeyBytes = Box<Zeroizing<[u8; 32]>>;

/// 32 secret bytes of the house; `Debug` shows none, and they are zeroed when it is dropped.
#[derive(Clone)]
pub struct MasterKey(KeyBytes);

impl MasterKey {
    /// Takes 32 bytes from a CSPRNG, never from a person.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Box::new(Zeroizing::new(bytes)))
    }

    /// What the database stores of a code: `HMAC-SHA256(master_key, "mps/code/v1" ‖ 00 ‖ code)`.
    pub fn code_hash(&self, code: &PaymentCode) -> [u8; 32] {
        hmac_sha256(&self.0, &[LABEL_CODE, &[0], code.reveal().as_bytes()])
    }

    /// A phone's key: `HMAC-SHA256(master_key, "mps/device/v1" ‖ 00 ‖ handle)`.
    pub fn device_key(&self, handle: &Handle) -> DeviceKey {
        DeviceKey::new(hmac_sha256(&self.0, &[LABEL_DEVICE, &[0], handle.as_str().as_bytes()]))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

/// A phone's own 32 secret bytes; `Debug` shows none, and they are zeroed when it is dropped.
#[derive(Clone)]
pub struct DeviceKey(KeyBytes);

impl DeviceKey {
    /// Takes the key's bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Box::new(Zeroizing::new(bytes)))
    }

    /// Reads the key as the enrolment returned it: 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`ErrorCode::MalformedArgument`].
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(ErrorCode::MalformedArgument) };
        let mut key = Self::new([0; 32]);
        if pairs.len() != key.0.len() {
            return Err(ErrorCode::MalformedArgument);
        }
        for (byte, [high, low]) in key.0.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Ok(key)
    }

    /// The bytes: for the phone's own storage, never for a log.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey")
    }
}

fn nibble(digit: u8) -> Result<u8, ErrorCode> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(ErrorCode::MalformedArgument),
    }
}

/// HMAC-SHA256 (RFC 2104) of the parts one after the other.
pub(super) fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let hash = hmac_sha256_on_the_stack(key, parts);
    zero_the_stack();
    hash
}

#[inline(never)]
fn hmac_sha256_on_the_stack(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // Padded with zeros to the hash's block, as RFC 2104 does with a shorter key.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Writes zeros where the function that was called before had its variables: `hmac` pads the key in one that it hands on by value, and
/// leaves that one behind.
#[inline(never)]
fn zero_the_stack() {
    std::hint::black_box(Zeroizing::new([0_u8; 1024]).as_mut_slice());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_show_no_byte_in_a_log() -> Result<(), ErrorCode> {
        let master = MasterKey::new([7; 32]);
        let device = master.device_key(&Handle::parse("0000000001")?);
        assert_eq!(format!("{master:?} {device:?}"), "MasterKey DeviceKey");
        assert_ne!(device.reveal(), &[7; 32]);
        Ok(())
    }

    #[test]
    fn a_devices_key_is_sixty_four_hexadecimal_digits() {
        let digits = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        let bytes: [u8; 32] = std::array::from_fn(|position| u8::try_from(position).unwrap_or_default());
        assert_eq!(DeviceKey::parse(digits).map(|key| *key.reveal()), Ok(bytes));
        for position in 0..digits.len() {
            for wrong in ["/", ":", "@", "G", "`", "g", " ", "é"] {
                let text = format!("{}{wrong}{}", &digits[..position], &digits[position + 1..]);
                assert_eq!(
                    DeviceKey::parse(&text).map(|_| ()),
                    Err(ErrorCode::MalformedArgument),
                    "{text:?}"
                );
            }
        }
        for text in ["", "00", &digits[1..], &digits[2..], &format!("{digits}0"), &format!("{digits}00")] {
            assert_eq!(DeviceKey::parse(text).map(|_| ()), Err(ErrorCode::MalformedArgument), "{text:?}");
        }
    }
}
