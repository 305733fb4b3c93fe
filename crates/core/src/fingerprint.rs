//! What "the same request" means to idempotency: a SHA-256 over the RPC's name and its fields.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::error::ErrorCode;

const LABEL: &[u8] = b"mps/req/v1";

/// The fingerprint of a request; only ever compared. `Debug` shows none of it: it depends on a payment code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// `SHA-256("mps/req/v1" ‖ 00 ‖ rpc ‖ 00 ‖ fields)`, each field in UTF-8 and ended by 00; `None` counts as empty.
    ///
    /// The fields, in this order (amounts as [`crate::Money`] shows them; `p_tag` never takes part):
    /// charge: `merchant_code`, code text, amount, `external_order_id`, `terminal_code`; refund: `merchant_code`,
    /// `original_tx_no`, amount.
    ///
    /// # Errors
    /// [`ErrorCode::MalformedArgument`] when a field holds U+0000: two requests must not run into each other.
    pub fn of(rpc: &str, fields: &[Option<&str>]) -> Result<Self, ErrorCode> {
        let mut hash = Sha256::new();
        hash.update(LABEL);
        hash.update([0]);
        for field in [Some(rpc)].iter().chain(fields) {
            let text = field.unwrap_or_default();
            if text.contains('\0') {
                return Err(ErrorCode::MalformedArgument);
            }
            hash.update(text);
            hash.update([0]);
        }
        Ok(Self(hash.finalize().into()))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_between_two_fields_counts() {
        assert_ne!(
            Fingerprint::of("rpc", &[Some("ab"), Some("c")]),
            Fingerprint::of("rpc", &[Some("a"), Some("bc")])
        );
        assert_ne!(Fingerprint::of("rpc", &[Some("a")]), Fingerprint::of("rpc", &[Some("a"), None]));
        assert_ne!(Fingerprint::of("rpc", &[None]), Fingerprint::of("cpr", &[None]));
        assert_eq!(Fingerprint::of("rpc", &[None]), Fingerprint::of("rpc", &[Some("")]));
    }

    #[test]
    fn a_field_cannot_forge_a_border() {
        assert_eq!(Fingerprint::of("rpc", &[Some("a\0b")]), Err(ErrorCode::MalformedArgument));
    }

    #[test]
    fn a_fingerprint_shows_no_byte_in_a_log() {
        assert_eq!(format!("{:?}", Fingerprint::of("rpc", &[])), "Ok(Fingerprint)");
    }
}
