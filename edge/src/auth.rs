//! Who is calling: a verified access token, and nothing else. No route trusts a header that did not come through here.

mod cache;
mod jwks;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use jwt_compact::alg::{Es256, Hs256, Hs256Key, Rsa, StrongAlg};
use jwt_compact::{Algorithm, AlgorithmExt, TimeOptions, UntrustedToken};
use mps_client::{AccessToken, Caller};
use serde::Deserialize;
use serde::de::IgnoredAny;

use self::cache::KeyCache;
pub(crate) use self::jwks::KeySet;
use self::jwks::PublicKey;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotVerified {
    /// Malformed, forged, expired, not yet valid or meant for somebody else. Which one is nobody's business.
    Refused,
    /// Nobody can say: the keys that it would be held against cannot be had now.
    KeysUnavailable,
}

/// The project's public keys did not come; there are none that may still be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeysUnavailable;

impl From<KeysUnavailable> for NotVerified {
    fn from(_: KeysUnavailable) -> Self {
        Self::KeysUnavailable
    }
}

/// RFC 7515, 4.1.11: what a header calls critical must be understood, and we understand nothing beyond the standard.
#[derive(Clone, Deserialize)]
struct Extensions {
    crit: Option<IgnoredAny>,
}

type Untrusted<'a> = UntrustedToken<'a, Extensions>;

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

/// Verifies access tokens against the project's secret, its published keys, or both. Each key knows the one algorithm that it is
/// for; a token only says which of ours it wants to be held against.
pub(crate) struct Verifier {
    secret: Option<Hs256Key>,
    keys: Option<KeyCache>,
    audience: String,
    issuer: Option<String>,
}

impl Verifier {
    pub(crate) fn new(rules: &TokenRules, host: Arc<dyn Host>, metrics: Arc<Metrics>) -> Self {
        Self {
            secret: rules.secret.as_ref().map(|secret| Hs256Key::new(secret.as_bytes())),
            keys: rules.jwks_url.clone().map(|url| KeyCache::new(url, host, metrics)),
            audience: rules.audience.clone(),
            issuer: rules.issuer.clone(),
        }
    }

    /// Verifies the signature first, then `exp` (required), `nbf`, `aud`, `iss` (where configured) and `sub`, with 30 s
    /// of leeway. `now` is the time since 1970.
    pub(crate) async fn verify(&self, token: &str, now: Duration) -> Result<Verified<Claims>, NotVerified> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(NotVerified::Refused);
        }
        let untrusted = Untrusted::try_from(token).map_err(|_| NotVerified::Refused)?;
        if untrusted.header().other_fields.crit.is_some() {
            return Err(NotVerified::Refused);
        }
        let claims = match untrusted.algorithm() {
            "HS256" => self.secret.as_ref().and_then(|key| signed_claims(&Hs256, key, &untrusted)),
            algorithm @ ("ES256" | "RS256") => self.published_claims(algorithm, &untrusted).await?,
            _ => None,
        };
        let subject = claims.and_then(|claims| self.subject_of(&claims, now)).ok_or(NotVerified::Refused)?;
        let token = AccessToken::parse(token).map_err(|_| NotVerified::Refused)?;
        Ok(Verified(Claims { token, subject }))
    }

    /// What one of the published keys has signed; `None` when none of them has.
    async fn published_claims(
        &self,
        algorithm: &str,
        untrusted: &Untrusted<'_>,
    ) -> Result<Option<jwt_compact::Claims<Payload>>, KeysUnavailable> {
        let Some(cache) = &self.keys else { return Ok(None) };
        let key_id = untrusted.header().key_id.as_deref();
        let keys = cache.keys(|keys: &KeySet| keys.knows(algorithm, key_id)).await?;
        let claims = keys.find(algorithm, key_id).into_iter().find_map(|key| match key {
            PublicKey::Es256(key) => signed_claims(&Es256, key, untrusted),
            PublicKey::Rs256(key) => signed_claims(&StrongAlg(Rsa::rs256()), key, untrusted),
        });
        Ok(claims)
    }

    /// Whose token it is, when it is one for us and for now.
    fn subject_of(&self, claims: &jwt_compact::Claims<Payload>, now: Duration) -> Option<String> {
        let moment = DateTime::from_timestamp(i64::try_from(now.as_secs()).ok()?, 0)?;
        let clock = TimeOptions::new(TimeDelta::seconds(LEEWAY_SECONDS), || moment);
        claims.validate_expiration(&clock).ok()?;
        if claims.not_before.is_some() {
            claims.validate_maturity(&clock).ok()?;
        }
        let payload = &claims.custom;
        let is_from_issuer = self.issuer.is_none() || self.issuer == payload.iss;
        let is_ours = payload.aud.has(&self.audience) && is_from_issuer && !payload.sub.is_empty();
        is_ours.then(|| payload.sub.clone())
    }
}

/// The claims when the key has signed them, with the algorithm of the key.
fn signed_claims<A: Algorithm>(
    algorithm: &A,
    key: &A::VerifyingKey,
    untrusted: &Untrusted<'_>,
) -> Option<jwt_compact::Claims<Payload>> {
    let token = algorithm.validator::<Payload>(key).validate(untrusted).ok()?;
    Some(token.into_parts().1)
}

#[cfg(test)]
mod tests;
