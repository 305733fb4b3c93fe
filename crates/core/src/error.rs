//! What a code of the catalogue means: its status, whether a retry helps, its texts.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

pub use crate::generated::error_code::ErrorCode;
use crate::generated::error_code::{CATALOGUE, Entry};

/// Whether asking again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same request can never succeed.
    Never,
    /// Change something, then ask anew.
    AfterFix,
    /// Send the same request again with the same idempotency key.
    SameKey,
}

impl Retry {
    /// As in spec/errors.toml and in problem documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::AfterFix => "after_fix",
            Self::SameKey => "same_key",
        }
    }
}

impl ErrorCode {
    fn entry(self) -> &'static Entry {
        &CATALOGUE[self as usize]
    }

    /// `"INSUFFICIENT_BALANCE"`.
    pub fn as_str(self) -> &'static str {
        self.entry().code
    }

    /// The one HTTP status of this code.
    pub fn status(self) -> u16 {
        self.entry().status
    }

    /// Whether asking again can help.
    pub fn retry(self) -> Retry {
        self.entry().retry
    }

    /// Names of the values an answer with this code may carry; any other is dropped before it leaves the house.
    pub fn params(self) -> &'static [&'static str] {
        self.entry().params
    }

    /// A short English title, for logs and problem documents.
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// One English sentence that says why.
    pub fn why(self) -> &'static str {
        self.entry().why
    }
}

/// The code alone: it is a metrics label.
impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error for ErrorCode {}

/// Text that is no code of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownErrorCode;

impl fmt::Display for UnknownErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UNKNOWN_ERROR_CODE")
    }
}

impl Error for UnknownErrorCode {}

impl FromStr for ErrorCode {
    type Err = UnknownErrorCode;

    fn from_str(text: &str) -> Result<Self, UnknownErrorCode> {
        Self::ALL.into_iter().find(|code| code.as_str() == text).ok_or(UnknownErrorCode)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back_from_its_own_text() {
        for code in ErrorCode::ALL {
            assert_eq!(code.to_string().parse(), Ok(code));
        }
        assert_eq!("INSUFFICIENT_FUNDS".parse::<ErrorCode>(), Err(UnknownErrorCode));
        assert_eq!("invalid_qr".parse::<ErrorCode>(), Err(UnknownErrorCode));
    }

    #[test]
    fn a_code_has_the_status_and_the_params_of_the_catalogue() {
        assert_eq!(ErrorCode::InsufficientBalance.status(), 402);
        assert_eq!(ErrorCode::IdempotencyKeyReused.status(), 422);
        assert_eq!(ErrorCode::ExternalOrderAlreadyPaid.params(), ["tx_no"]);
        assert_eq!(ErrorCode::InvalidQr.title(), "This is no payment code");
    }

    #[test]
    fn only_an_unknown_outcome_is_retried_with_the_same_key() {
        for code in ErrorCode::ALL.into_iter().filter(|code| code.retry() == Retry::SameKey) {
            assert!(code.status() >= 500, "{code}");
        }
        assert_eq!(ErrorCode::Unavailable.retry().as_str(), "same_key");
    }

    #[test]
    fn the_lesser_code_takes_precedence() {
        assert!(ErrorCode::NotAuthenticated < ErrorCode::InvalidPrice);
        assert!(ErrorCode::InvalidPrice < ErrorCode::InvalidQr);
        assert!(ErrorCode::InvalidQr < ErrorCode::NotMerchantUser);
    }

    #[test]
    fn answers_never_carry_a_balance_a_code_or_a_key() {
        for code in ErrorCode::ALL {
            for param in code.params() {
                assert!(
                    !["balance", "qr_plain", "code", "key", "phone", "email"].contains(param),
                    "{code} {param}"
                );
            }
        }
    }
}
