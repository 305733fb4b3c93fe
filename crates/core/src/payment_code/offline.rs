//! Offline codes: what a phone makes from its key and the time, without any network.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::keys::hmac_sha256;
use super::{CodeKind, DeviceKey, Handle, OTP_LEN, OneTimePassword, PaymentCode, TerminalCode};
use crate::limits::code::{OTP_DIGITS, OTP_STEP_SECONDS, OTP_STEPS_SKEW_MAX};

const LABEL_OTP: &[u8] = b"mps/otp/v1";

/// A span of 30 seconds, counted from the Unix epoch; a device's code is right for one of them, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(u64);

impl Step {
    /// The step that `unix_seconds` lies in.
    pub const fn at(unix_seconds: u64) -> Self {
        // The step's length is a u32, so widening it loses nothing.
        Self(unix_seconds / OTP_STEP_SECONDS as u64)
    }

    /// The count of steps since the epoch.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Whether a server whose clock is at `now` accepts this step: one before to one after.
    pub const fn is_accepted_at(self, now: Self) -> bool {
        self.0.abs_diff(now.0) <= OTP_STEPS_SKEW_MAX as u64
    }
}

impl DeviceKey {
    /// The password of a step; with a terminal it is right at that terminal only.
    pub fn one_time_password(&self, step: Step, terminal: Option<&TerminalCode>) -> OneTimePassword {
        let terminal = terminal.map_or("", TerminalCode::as_str);
        let step = step.0.to_be_bytes();
        let mac = hmac_sha256(self.reveal(), &[LABEL_OTP, &[0], &step, &[0], terminal.as_bytes()]);
        let mut head = [0; 8];
        head.copy_from_slice(&mac[..8]);
        let number = (u64::from_be_bytes(head) & 0x7FFF_FFFF_FFFF_FFFF) % 10_u64.pow(OTP_DIGITS);
        let mut digits = Zeroizing::new(String::with_capacity(OTP_LEN));
        // Writing into a string cannot fail.
        let _ = write!(digits, "{number:0OTP_LEN$}");
        OneTimePassword(digits)
    }
}

/// The code a phone shows in a step: `72…` when it is for one terminal, else `71…`.
pub fn offline_code(
    handle: &Handle,
    key: &DeviceKey,
    step: Step,
    terminal: Option<&TerminalCode>,
) -> PaymentCode {
    let kind = if terminal.is_some() { CodeKind::OfflineTerminal } else { CodeKind::Offline };
    let otp = key.one_time_password(step, terminal);
    PaymentCode::assemble(kind, [handle.as_str(), otp.reveal()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_lasts_thirty_seconds() {
        let steps: Vec<u64> = [0, 29, 30, 59, 60].map(|seconds| Step::at(seconds).number()).into();
        assert_eq!(steps, [0, 0, 1, 1, 2]);
    }

    #[test]
    fn a_step_is_accepted_one_early_and_one_late_and_no_further() {
        let now = Step::at(3000);
        let accepted: Vec<u64> = (90..=110).filter(|number| Step(*number).is_accepted_at(now)).collect();
        assert_eq!(accepted, [99, 100, 101]);
        assert!(Step(0).is_accepted_at(Step(1)) && !Step(0).is_accepted_at(Step(2)));
    }
}
