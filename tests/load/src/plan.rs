//! What to ask, how often, how many at a time.

use anyhow::{Context, Result};
use chrono::Utc;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Claims, Header};
use serde::Deserialize;
use serde_json::{Value, json};

/// Longer than any run.
const TOKEN_SECONDS: i64 = 6 * 3600;

/// The file that is read.
#[derive(Deserialize)]
pub(crate) struct Plan {
    /// `127.0.0.1:8787`
    pub(crate) address: String,
    pub(crate) way: Way,
    pub(crate) jwt_secret: String,
    pub(crate) publishable_key: String,
    /// Connections, each with one request at a time.
    pub(crate) clients: usize,
    /// The number of the first code, and how many requests.
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// At so many merchants in turn.
    pub(crate) shops: u64,
    /// When given, a request begins whenever it is due, and its time counts from then: one that waits for a connection is late.
    pub(crate) per_second: Option<f64>,
}

/// What each request is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// A charge through the edge.
    Edge,
    /// The same charge as a call of PostgREST's.
    Direct,
    /// Refused by the edge itself: a token that somebody else signed.
    BadToken,
    /// … a code that has letters.
    MalformedCode,
    /// … a code with a wrong digit.
    WrongCheckDigit,
    /// … a charge without an `Idempotency-Key`.
    MissingKey,
}

/// A token of a user, signed with HS256.
pub(crate) fn user_token(secret: &str, subject: &str) -> Result<String> {
    sign(secret, json!({"sub": subject, "role": "authenticated", "aud": "authenticated"}))
}

/// A token of our own back end, as a PostgREST without Supabase before it wants it.
pub(crate) fn service_token(secret: &str) -> Result<String> {
    sign(secret, json!({"role": "service_role"}))
}

fn sign(secret: &str, mut claims: Value) -> Result<String> {
    claims["exp"] = json!(Utc::now().timestamp() + TOKEN_SECONDS);
    let key = Hs256Key::new(secret);
    Hs256.token(&Header::empty(), &Claims::new(claims), &key).context("the token cannot be signed")
}
