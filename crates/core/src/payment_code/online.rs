//! Online codes from random bytes. The server draws its own in SQL; this twin serves tests and tools.

use std::error::Error;
use std::fmt;

use zeroize::Zeroizing;

use super::{CodeKind, PaymentCode};
use crate::limits::code::BODY_DIGITS;

/// A byte below this gives an unbiased digit (250 = 25 × 10); the other six values are thrown away.
const UNBIASED_BELOW: u8 = 250;

/// With this many random bytes the odds of running out are below 10⁻⁵⁵; 21 or more are always needed.
pub const RANDOM_BYTES_ENOUGH: usize = 64;

/// Too many of the bytes had to be thrown away: draw fresh ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotEnoughRandomBytes;

impl fmt::Display for NotEnoughRandomBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NOT_ENOUGH_RANDOM_BYTES")
    }
}

impl Error for NotEnoughRandomBytes {}

/// An online code whose 21 digits are uniform when the bytes are. Give [`RANDOM_BYTES_ENOUGH`] bytes of a CSPRNG.
///
/// # Errors
/// [`NotEnoughRandomBytes`] when fewer than 21 bytes are below 250.
pub fn online_code(random: &[u8]) -> Result<PaymentCode, NotEnoughRandomBytes> {
    let unbiased = random.iter().filter(|byte| **byte < UNBIASED_BELOW);
    let mut body = Zeroizing::new(String::with_capacity(BODY_DIGITS as usize));
    body.extend(unbiased.take(BODY_DIGITS as usize).map(|byte| char::from(b'0' + byte % 10)));
    if body.len() < BODY_DIGITS as usize {
        return Err(NotEnoughRandomBytes);
    }
    Ok(PaymentCode::assemble(CodeKind::Online, [&body, ""]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_is_equally_likely() {
        let mut seen = [0_u32; 10];
        for byte in 0..=u8::MAX {
            let mut random = [0; 21];
            random[0] = byte;
            match online_code(&random) {
                Ok(code) => seen[usize::from(code.reveal().as_bytes()[2] - b'0')] += 1,
                Err(NotEnoughRandomBytes) => assert!(byte >= UNBIASED_BELOW),
            }
        }
        assert_eq!(seen, [25; 10]);
    }

    #[test]
    fn a_biased_byte_is_skipped_not_used() {
        let mut random = [255; 22];
        assert_eq!(online_code(&random), Err(NotEnoughRandomBytes));
        random[..21].copy_from_slice(&[7; 21]);
        let plain = online_code(&random);
        random.rotate_right(1);
        assert_eq!(online_code(&random), plain);
        assert_eq!(online_code(&random[..21]), Err(NotEnoughRandomBytes));
    }

    #[test]
    fn a_drawn_code_parses() {
        let random: Vec<u8> = (0..64).collect();
        let code = online_code(&random);
        assert_eq!(code.as_ref().ok().map(|code| PaymentCode::parse(code.reveal())), code.ok().map(Ok));
    }
}
