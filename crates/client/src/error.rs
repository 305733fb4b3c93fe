//! What a failed call means, by who must act.

use std::error::Error;
use std::fmt;

use mps_core::ErrorCode;
use serde_json::{Map, Value};

/// Values that go with a refusal, by the names that the catalogue allows for its code.
pub type Params = Map<String, Value>;

/// A rule said no: the caller must act, or nobody can.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Which rule.
    pub code: ErrorCode,
    /// What the catalogue lets an answer with this code carry; everything else has been dropped.
    pub params: Params,
    /// Whether the request's idempotency key is cancelled: nothing was done with it and nothing ever will be.
    pub is_key_cancelled: bool,
}

impl Refusal {
    /// A refusal that carries nothing.
    pub fn bare(code: ErrorCode) -> Self {
        Self::of(code, Params::new())
    }

    /// A refusal with those of `params` that the catalogue allows for `code`.
    pub fn with_params(code: ErrorCode, params: Params) -> Self {
        let params = params.into_iter().filter(|(name, _)| code.params().contains(&name.as_str())).collect();
        Self::of(code, params)
    }

    /// A request that is refused since its key was cancelled says so.
    fn of(code: ErrorCode, params: Params) -> Self {
        Self { code, params, is_key_cancelled: code == ErrorCode::RequestCancelled }
    }
}

/// PostgREST's or PostgreSQL's own code for an error (`"23514"`, `"PGRST202"`), or the HTTP status where the body
/// named none. Safe to log: at most ten letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamCode(String);

impl UpstreamCode {
    const CHARS_MAX: usize = 10;

    /// Keeps the first ten ASCII letters and digits.
    pub fn new(text: &str) -> Self {
        Self(text.chars().filter(char::is_ascii_alphanumeric).take(Self::CHARS_MAX).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a call gave no reply.
#[derive(Clone, Debug, PartialEq)]
pub enum RpcError {
    /// The caller must act: a rule refused, and nothing happened.
    Refused(Refusal),
    /// Nobody must act: others were at the same rows. Nothing happened; ask again with the same key.
    Contention(UpstreamCode),
    /// Time must act. The outcome is unknown; ask again only where that cannot do the work twice.
    Unavailable(UpstreamCode),
    /// We must act: database and this build do not know the same functions, codes or rows.
    Drift(UpstreamCode),
    /// We must act: something spoke where a rule should have.
    Bug(UpstreamCode),
}

impl RpcError {
    /// The code of the catalogue that the caller sees.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Contention(_) | Self::Unavailable(_) => ErrorCode::Unavailable,
            Self::Drift(_) | Self::Bug(_) => ErrorCode::Internal,
        }
    }

    /// Whether the same request may succeed when it is sent again at once.
    pub fn is_worth_repeating(&self) -> bool {
        match self {
            Self::Contention(_) | Self::Unavailable(_) => true,
            Self::Refused(_) | Self::Drift(_) | Self::Bug(_) => false,
        }
    }

    /// What the upstream called it, for logs; `None` for a refusal, whose code says all.
    pub fn upstream(&self) -> Option<&UpstreamCode> {
        match self {
            Self::Refused(_) => None,
            Self::Contention(code) | Self::Unavailable(code) | Self::Drift(code) | Self::Bug(code) => {
                Some(code)
            }
        }
    }
}

/// The code alone: it is a metrics label.
impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code().as_str())
    }
}

impl Error for RpcError {}
