//! Who is calling: a verified access token, and nothing else. No route trusts a header that did not come through here.

mod cache;
mod jwks;
mod known;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, TimeOptions, UntrustedToken, ValidationError};
use mps_client::{AccessToken, Caller};
use serde::Deserialize;
use serde::de::IgnoredAny;

use self::cache::KeyCache;
pub(crate) use self::jwks::KeySet;
use self::known::KnownTokens;
use crate::config::TokenRules;
use crate::metrics::Metrics;
use crate::platform::Host;

const LEEWAY_SECONDS: i64 = 30;
const TOKEN_BYTES_MAX: usize = 8192;

/// What a verifier has looked at; nobody else can make one.
#[derive(Debug)]
pub(crate) struct Verified<T>(T);

/// The parts of an access token that the edge needs.
#[derive(Debug)]
pub(crate) struct Claims {
    token: AccessToken,
    subject: String,
}

impl Verified<Claims> {
    /// The user's id.
    pub(crate) fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Calls made with this are the user's own.
    pub(crate) fn into_caller(self) -> Caller {
        Caller::User(self.0.token)
    }
}

/// Why a token is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotVerified {
    /// Malformed, not yet valid, meant for somebody else, or by no key of ours. Which one is nobody's business.
    Refused,
    /// The key that it names has not signed it.
    Forged,
    /// Rightly signed, and over: whose it was is certain.
    Expired {
        /// The user's id.
        subject: String,
    },
    /// Too much was computed already for whoever sent it.
    NotComputed,
    /// Nobody can say: the keys that it would be held against cannot be had now.
    KeysUnavailable(KeysUnavailable),
}

/// The project's public keys did not come, or must not be asked for again yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeysUnavailable {
    /// When they may be asked for.
    pub(crate) retry_after_seconds: u64,
}

impl From<KeysUnavailable> for NotVerified {
    fn from(keys: KeysUnavailable) -> Self {
        Self::KeysUnavailable(keys)
    }
}

/// RFC 7515, 4.1.11: what a header calls critical must be understood, and we understand nothing beyond the standard.
#[derive(Clone, Deserialize)]
struct Extensions {
    crit: Option<IgnoredAny>,
}

type Untrusted<'a> = UntrustedToken<'a, Extensions>;

#[derive(Clone, Deserialize)]
struct Payload {
    sub: String,
    aud: Audience,
    iss: Option<String>,
}

#[derive(Clone, Deserialize)]
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

type TokenClaims = jwt_compact::Claims<Payload>;

/// Verifies access tokens against the project's secret, its published keys, or both. Each key knows the one algorithm that it is
/// for; a token only says which of ours it wants to be held against.
pub(crate) struct Verifier {
    /// The project's secret, and while it is exchanged the one before.
    secrets: Vec<Hs256Key>,
    keys: Option<KeyCache>,
    known: KnownTokens,
    host: Arc<dyn Host>,
    audience: String,
    issuer: Option<String>,
}

impl Verifier {
    pub(crate) fn new(rules: &TokenRules, host: Arc<dyn Host>, metrics: Arc<Metrics>) -> Self {
        Self {
            secrets: rules.secrets.iter().map(|secret| Hs256Key::new(secret.as_bytes())).collect(),
            keys: rules.jwks_url.clone().map(|url| KeyCache::new(url, host.clone(), metrics)),
            known: KnownTokens::default(),
            host,
            audience: rules.audience.clone(),
            issuer: rules.issuer.clone(),
        }
    }

    /// Holds `aud`, `iss` (where configured), `sub`, `nbf` and that there is an `exp` against the rules first, since that costs nothing, then
    /// the signature, then `exp`, with 30 s of leeway. `now` is the time since 1970. A signature that must be computed with a public
    /// key is not where `may_compute` is false.
    pub(crate) async fn verify(
        &self,
        token: &str,
        now: Duration,
        may_compute: bool,
    ) -> Result<Verified<Claims>, NotVerified> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(NotVerified::Refused);
        }
        let untrusted = Untrusted::try_from(token).map_err(|_| NotVerified::Refused)?;
        if untrusted.header().other_fields.crit.is_some() {
            return Err(NotVerified::Refused);
        }
        let claims: TokenClaims =
            untrusted.deserialize_claims_unchecked().map_err(|_| NotVerified::Refused)?;
        let is_over = self.is_over(&claims, now).ok_or(NotVerified::Refused)?;
        match untrusted.algorithm() {
            "HS256" => self.check_secret(&untrusted)?,
            algorithm @ ("ES256" | "RS256") => {
                self.check_published(algorithm, token, &untrusted, may_compute).await?;
            }
            _ => return Err(NotVerified::Refused),
        }
        let subject = claims.custom.sub;
        if is_over {
            return Err(NotVerified::Expired { subject });
        }
        let token = AccessToken::parse(token).map_err(|_| NotVerified::Refused)?;
        Ok(Verified(Claims { token, subject }))
    }

    fn check_secret(&self, untrusted: &Untrusted<'_>) -> Result<(), NotVerified> {
        if self.secrets.is_empty() {
            return Err(NotVerified::Refused);
        }
        let has_signed = |key| Hs256.validator::<Payload>(key).validate(untrusted).is_ok();
        if self.secrets.iter().any(has_signed) { Ok(()) } else { Err(NotVerified::Forged) }
    }

    /// That one of the published keys has signed it.
    async fn check_published(
        &self,
        algorithm: &str,
        token: &str,
        untrusted: &Untrusted<'_>,
        may_compute: bool,
    ) -> Result<(), NotVerified> {
        let cache = self.keys.as_ref().ok_or(NotVerified::Refused)?;
        let key_id = untrusted.header().key_id.as_deref();
        let keys = cache.keys(|keys: &KeySet| keys.knows(algorithm, key_id)).await?;
        if self.known.has(token, &keys) {
            return Ok(());
        }
        let candidates = keys.find(algorithm, key_id);
        if candidates.is_empty() {
            return Err(NotVerified::Refused);
        }
        if !may_compute {
            return Err(NotVerified::NotComputed);
        }
        let (message, _) = token.rsplit_once('.').ok_or(NotVerified::Refused)?;
        for key in candidates {
            if self.host.verify(key, message.as_bytes(), untrusted.signature_bytes()).await {
                self.known.keep(token, &keys);
                return Ok(());
            }
        }
        Err(NotVerified::Forged)
    }

    /// Whether its time is over; `None` when it is no token for us, or not yet.
    fn is_over(&self, claims: &TokenClaims, now: Duration) -> Option<bool> {
        let moment = DateTime::from_timestamp(i64::try_from(now.as_secs()).ok()?, 0)?;
        let clock = TimeOptions::new(TimeDelta::seconds(LEEWAY_SECONDS), || moment);
        if claims.not_before.is_some() {
            claims.validate_maturity(&clock).ok()?;
        }
        let payload = &claims.custom;
        let is_from_issuer = self.issuer.is_none() || self.issuer == payload.iss;
        if !(payload.aud.has(&self.audience) && is_from_issuer && !payload.sub.is_empty()) {
            return None;
        }
        match claims.validate_expiration(&clock) {
            Ok(_) => Some(false),
            Err(ValidationError::Expired) => Some(true),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
