//! Access tokens signed with the project's secret (HS256). The algorithm is ours to choose, never the token's.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, TimeOptions, UntrustedToken};
use mps_client::AccessToken;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Claims, TokenRefused, Verified};
use crate::config::TokenRules;

const LEEWAY_SECONDS: i64 = 30;
const TOKEN_BYTES_MAX: usize = 8192;

/// Verifies against one secret, audience and issuer.
pub(crate) struct Hs256Verifier {
    key: Hs256Key,
    audience: String,
    issuer: Option<String>,
}

/// RFC 7515, 4.1.11: what a header calls critical must be understood, and we understand nothing beyond the standard.
#[derive(Clone, Deserialize)]
struct Extensions {
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Payload {
    sub: String,
    aud: Audience,
    iss: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(name) => name == wanted,
            Self::Many(names) => names.iter().any(|name| name == wanted),
        }
    }
}

impl Hs256Verifier {
    pub(crate) fn new(rules: &TokenRules) -> Self {
        Self {
            key: Hs256Key::new(rules.secret.as_bytes()),
            audience: rules.audience.clone(),
            issuer: rules.issuer.clone(),
        }
    }

    /// Verifies the signature first, then `exp` (required), `nbf`, `aud`, `iss` (where configured) and `sub`, with 30 s
    /// of leeway. `now` is the time since 1970.
    pub(crate) fn verify(&self, token: &str, now: Duration) -> Result<Verified<Claims>, TokenRefused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefused);
        }
        let untrusted = UntrustedToken::<Extensions>::try_from(token).map_err(|_| TokenRefused)?;
        let is_plain = untrusted.header().other_fields.crit.is_none();
        let verified =
            Hs256.validator::<Payload>(&self.key).validate(&untrusted).map_err(|_| TokenRefused)?;
        let claims = verified.claims();
        let moment =
            i64::try_from(now.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let moment = moment.ok_or(TokenRefused)?;
        let clock = TimeOptions::new(TimeDelta::seconds(LEEWAY_SECONDS), || moment);
        claims.validate_expiration(&clock).map_err(|_| TokenRefused)?;
        if claims.not_before.is_some() {
            claims.validate_maturity(&clock).map_err(|_| TokenRefused)?;
        }
        let payload = &claims.custom;
        let is_from_issuer = self.issuer.is_none() || self.issuer == payload.iss;
        if !is_plain || !payload.aud.has(&self.audience) || !is_from_issuer || payload.sub.is_empty() {
            return Err(TokenRefused);
        }
        let token = AccessToken::parse(token).map_err(|_| TokenRefused)?;
        Ok(Verified(Claims { token, subject: payload.sub.clone() }))
    }
}

#[cfg(test)]
mod tests;
