//! What an installation may choose of how the edge works. Left out, it is as the house has it.

use mps_core::limits::code::{LIFETIME_SECONDS_DEFAULT, LIFETIME_SECONDS_MAX, LIFETIME_SECONDS_MIN};
use mps_core::limits::edge::{ATTEMPTS_MAX, AUDIT_DAYS_MAX, AUDIT_DAYS_MIN};

use super::ConfigError;
use crate::telemetry::Level;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choices {
    /// `CODE_TTL_SECONDS`: how long a payment code lives whose request does not say; 900 when not set.
    pub(crate) code_ttl_seconds: u32,
    /// `ATTEMPTS_MAX`: how often a call is sent to the database in all, 1 to 3, which is what a caller's ten seconds have room for; 3 when not set.
    pub(crate) attempts_max: u32,
    /// `AUDIT_RETENTION_DAYS`: how long the audit log is kept; 2555 when not set.
    pub(crate) audit_days: u32,
    /// `LOG_LEVEL`: `info`, `warn` or `error`: the least that a line must be to be written; `info` when not set.
    pub(crate) log_level: Level,
}

impl Choices {
    pub(super) fn read(optional: &dyn Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let number = |name, default: u32, least: u32, most: u32| match optional(name) {
            None => Ok(default),
            Some(text) => {
                text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or(ConfigError { name })
            }
        };
        Ok(Self {
            code_ttl_seconds: number(
                "CODE_TTL_SECONDS",
                LIFETIME_SECONDS_DEFAULT,
                LIFETIME_SECONDS_MIN,
                LIFETIME_SECONDS_MAX,
            )?,
            attempts_max: number("ATTEMPTS_MAX", ATTEMPTS_MAX, 1, ATTEMPTS_MAX)?,
            audit_days: number("AUDIT_RETENTION_DAYS", AUDIT_DAYS_MIN, AUDIT_DAYS_MIN, AUDIT_DAYS_MAX)?,
            log_level: match optional("LOG_LEVEL").as_deref() {
                None | Some("info") => Level::Info,
                Some("warn") => Level::Warn,
                Some("error") => Level::Error,
                Some(_) => return Err(ConfigError { name: "LOG_LEVEL" }),
            },
        })
    }
}
