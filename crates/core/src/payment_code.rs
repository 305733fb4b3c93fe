//! Payment codes: the 24 digits a member shows and a merchant scans. See docs of the code's three kinds in [`CodeKind`].
//!
//! `prefix(2) body(21) check(1)`; the check digit is Luhn over the first 23. Looking a code up, spending it once and
//! checking a one-time password are the database's alone.

mod check_digit;
mod keys;
mod offline;
mod online;

use std::fmt;

use zeroize::Zeroizing;

use crate::error::ErrorCode;
use crate::limits::code::{
    BODY_DIGITS, DIGITS, HANDLE_DIGITS, OTP_DIGITS, PREFIX_OFFLINE, PREFIX_OFFLINE_TERMINAL, PREFIX_ONLINE,
    TERMINAL_CODE_CHARS,
};
pub use keys::{DeviceKey, MasterKey};
pub use offline::{Step, offline_code};
pub use online::{NotEnoughRandomBytes, RANDOM_BYTES_ENOUGH, online_code};

pub(crate) const CODE_LEN: usize = DIGITS as usize;
const PREFIX_LEN: usize = 2;
const HANDLE_LEN: usize = HANDLE_DIGITS as usize;
const OTP_LEN: usize = OTP_DIGITS as usize;
const TERMINAL_LEN: usize = TERMINAL_CODE_CHARS as usize;

const _: () = assert!(DIGITS == 2 + BODY_DIGITS + 1 && BODY_DIGITS == HANDLE_DIGITS + OTP_DIGITS);
const _: () = assert!(PREFIX_ONLINE.len() == PREFIX_LEN && PREFIX_OFFLINE.len() == PREFIX_LEN);
const _: () = assert!(PREFIX_OFFLINE_TERMINAL.len() == PREFIX_LEN);

/// What the prefix says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeKind {
    /// `70`: the server drew it; spent once, within its lifetime.
    Online,
    /// `71`: a phone made it without a network, from its device key and the time.
    Offline,
    /// `72`: the same, for one terminal only.
    OfflineTerminal,
}

impl CodeKind {
    const ALL: [Self; 3] = [Self::Online, Self::Offline, Self::OfflineTerminal];

    /// `"70"`, `"71"` or `"72"`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Online => PREFIX_ONLINE,
            Self::Offline => PREFIX_OFFLINE,
            Self::OfflineTerminal => PREFIX_OFFLINE_TERMINAL,
        }
    }
}

/// A well-formed payment code. It is a secret until it is spent: `Debug` shows its kind only and there is no
/// `Display`; take the digits with [`PaymentCode::reveal`]. Its memory is zeroed when it is dropped.
///
/// ```
/// use mps_core::payment_code::{CodeKind, PaymentCode};
/// let code = PaymentCode::parse("701234567890123456789017")?;
/// assert_eq!(code.kind(), CodeKind::Online);
/// assert_eq!(format!("{code:?}"), "PaymentCode(Online)");
/// # Ok::<(), mps_core::ErrorCode>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentCode {
    kind: CodeKind,
    digits: Zeroizing<String>,
}

/// What a code is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeParts {
    /// Nothing but random digits.
    Online,
    /// Who made it, and the password of the moment.
    Offline {
        /// Names the phone.
        handle: Handle,
        /// Right for one step of one device.
        otp: OneTimePassword,
    },
    /// The same; the terminal's code took part in the password.
    OfflineTerminal {
        /// Names the phone.
        handle: Handle,
        /// Right for one step of one device at one terminal.
        otp: OneTimePassword,
    },
}

impl PaymentCode {
    /// Reads exactly 24 ASCII digits with a known prefix and a right check digit; no trimming, no spaces.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidQr`].
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        if text.len() != CODE_LEN || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ErrorCode::InvalidQr);
        }
        let kind = CodeKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()));
        let kind = kind.ok_or(ErrorCode::InvalidQr)?;
        let (payload, check) = text.split_at(CODE_LEN - 1);
        if check.as_bytes() != [check_digit::luhn(payload)] {
            return Err(ErrorCode::InvalidQr);
        }
        Ok(Self { kind, digits: Zeroizing::new(text.to_owned()) })
    }

    /// Puts a code together; the two parts of the body are 21 ASCII digits.
    fn assemble(kind: CodeKind, body: [&str; 2]) -> Self {
        // With room for all of it from the start: growing would leave copies behind.
        let mut digits = Zeroizing::new(String::with_capacity(CODE_LEN));
        digits.push_str(kind.prefix());
        digits.extend(body);
        let check = check_digit::luhn(&digits);
        digits.push(char::from(check));
        Self { kind, digits }
    }

    /// What the prefix says.
    pub const fn kind(&self) -> CodeKind {
        self.kind
    }

    /// What the code is made of.
    pub fn parts(&self) -> CodeParts {
        let (handle, rest) = self.digits[PREFIX_LEN..].split_at(HANDLE_LEN);
        let (handle, otp) =
            (Handle(handle.to_owned()), OneTimePassword(Zeroizing::new(rest[..OTP_LEN].to_owned())));
        match self.kind {
            CodeKind::Online => CodeParts::Online,
            CodeKind::Offline => CodeParts::Offline { handle, otp },
            CodeKind::OfflineTerminal => CodeParts::OfflineTerminal { handle, otp },
        }
    }

    /// The 24 digits: for the request's body or the screen, never for a log.
    pub fn reveal(&self) -> &str {
        &self.digits
    }
}

impl fmt::Debug for PaymentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PaymentCode({:?})", self.kind)
    }
}

/// The public name of an enrolled phone: 10 digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handle(String);

impl Handle {
    /// Reads ten ASCII digits.
    ///
    /// # Errors
    /// [`ErrorCode::MalformedArgument`].
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        let is_handle = text.len() == HANDLE_LEN && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_handle { Ok(Self(text.to_owned())) } else { Err(ErrorCode::MalformedArgument) }
    }

    /// The ten digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Eleven digits that are right for one step of one device; a secret, so `Debug` shows none and it is zeroed when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimePassword(Zeroizing<String>);

impl OneTimePassword {
    /// The eleven digits.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OneTimePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimePassword")
    }
}

/// A merchant's terminal: 6 of `0-9A-Z`, unique over all merchants, never reused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TerminalCode(String);

impl TerminalCode {
    /// Reads six of `0-9A-Z`; lower case is no terminal's code.
    ///
    /// # Errors
    /// [`ErrorCode::TerminalNotFound`]: text of another shape names no terminal.
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        let is_code = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
        let is_terminal = text.len() == TERMINAL_LEN && text.bytes().all(is_code);
        if is_terminal { Ok(Self(text.to_owned())) } else { Err(ErrorCode::TerminalNotFound) }
    }

    /// The six characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLINE: &str = "701234567890123456789017";

    #[test]
    fn a_code_shows_no_digit_in_a_log() -> Result<(), ErrorCode> {
        for text in [ONLINE, "714242424242537077061906", "724242424242709359466017"] {
            let code = PaymentCode::parse(text)?;
            assert!(!format!("{code:?}").contains(|c: char| c.is_ascii_digit()), "{code:?}");
        }
        let parts = PaymentCode::parse("714242424242537077061906")?.parts();
        assert!(!format!("{parts:?}").contains("53707706190"), "{parts:?}");
        Ok(())
    }

    #[test]
    fn any_single_wrong_digit_is_noticed() {
        for position in 0..CODE_LEN {
            for digit in b'0'..=b'9' {
                let mut bytes = ONLINE.as_bytes().to_vec();
                let is_same = std::mem::replace(&mut bytes[position], digit) == digit;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                assert_eq!(PaymentCode::parse(&text).is_ok(), is_same, "{text}");
            }
        }
    }

    #[test]
    fn digits_of_any_other_length_are_no_code_even_with_a_right_check_digit() {
        for length in 0..60 {
            let mut digits = "70".repeat(30)[..length].to_owned();
            digits.push(char::from(check_digit::luhn(&digits)));
            assert_eq!(PaymentCode::parse(&digits).is_ok(), digits.len() == CODE_LEN, "{digits}");
        }
    }

    #[test]
    fn a_code_is_not_trimmed() {
        for text in [format!("{ONLINE}\n"), format!(" {ONLINE}"), format!("\u{feff}{ONLINE}")] {
            assert_eq!(PaymentCode::parse(&text), Err(ErrorCode::InvalidQr));
        }
    }

    #[test]
    fn a_terminals_code_is_six_of_digits_and_capitals() {
        assert_eq!(TerminalCode::parse("K7Q2ZD").map(|code| code.as_str().to_owned()), Ok("K7Q2ZD".into()));
        for text in ["", "K7Q2Z", "K7Q2ZDA", "k7q2zd", "K7Q2Z ", "K7Q2Z-", "K7Q2É"] {
            assert_eq!(TerminalCode::parse(text), Err(ErrorCode::TerminalNotFound), "{text:?}");
        }
    }

    #[test]
    fn a_handle_is_ten_digits() {
        assert_eq!(
            Handle::parse("0123456789").map(|handle| handle.as_str().to_owned()),
            Ok("0123456789".into())
        );
        for text in ["", "012345678", "01234567890", "01234567a9", "٣٣٣٣٣"] {
            assert_eq!(Handle::parse(text), Err(ErrorCode::MalformedArgument), "{text:?}");
        }
    }
}
