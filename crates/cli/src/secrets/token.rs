//! A Supabase key that is a signed token, as keys were once and as a PostgREST by itself wants them: what it says, and who signed it.

use anyhow::{Context, Result};
use base64ct::{Base64UrlUnpadded, Encoding};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// The parts of a JWT that matter here.
pub(crate) struct ServiceToken<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    claims: Claims,
}

#[derive(Deserialize)]
struct Claims {
    role: Option<String>,
    exp: Option<i64>,
}

impl<'a> ServiceToken<'a> {
    /// `None` for what is no JWT.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        serde_json::from_slice::<serde_json::Value>(&decode(header)?).ok()?;
        Some(Self {
            signed,
            signature: decode(signature)?,
            claims: serde_json::from_slice(&decode(claims)?).ok()?,
        })
    }

    pub(crate) fn role(&self) -> &str {
        self.claims.role.as_deref().unwrap_or_default()
    }

    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.claims.exp?, 0)
    }

    /// By HS256.
    pub(crate) fn is_signed_by(&self, jwt_secret: &str) -> bool {
        Hmac::<Sha256>::new_from_slice(jwt_secret.as_bytes())
            .is_ok_and(|mac| mac.chain_update(self.signed).verify_slice(&self.signature).is_ok())
    }
}

/// What Supabase Auth would sign, with HS256.
pub(crate) fn sign(claims: &serde_json::Value, jwt_secret: &str) -> Result<String> {
    let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let signed = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(&claims.to_string()));
    let mac = Hmac::<Sha256>::new_from_slice(jwt_secret.as_bytes()).context("a key")?.chain_update(&signed);
    Ok(format!("{signed}.{}", Base64UrlUnpadded::encode_string(&mac.finalize().into_bytes())))
}

fn decode(part: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, A.1: its key, which is base64url there, and its token.
    const KEY: &str =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    fn the_rfcs_token_is_signed_by_its_key_and_by_no_other() {
        let token = ServiceToken::parse(TOKEN).unwrap();
        assert_eq!(token.expires_at().map(|at| at.timestamp()), Some(1_300_819_380));
        let key = Base64UrlUnpadded::decode_vec(KEY).unwrap();
        let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        assert!(mac.chain_update(token.signed).verify_slice(&token.signature).is_ok());
        assert!(!token.is_signed_by("another-secret-of-more-than-32-characters"));
    }

    #[test]
    fn what_is_signed_here_is_signed_by_that_secret_and_says_what_it_was_told() {
        let token = sign(
            &serde_json::json!({"role": "authenticated", "exp": 7}),
            "a-secret-of-32-characters-or-more",
        )
        .unwrap();
        let read = ServiceToken::parse(&token).unwrap();
        assert_eq!((read.role(), read.expires_at().map(|at| at.timestamp())), ("authenticated", Some(7)));
        assert!(read.is_signed_by("a-secret-of-32-characters-or-more"));
        assert!(!read.is_signed_by("another-secret-of-32-characters-or-more"));
    }

    #[test]
    fn what_is_no_token_is_none() {
        for text in ["", "a", "a.b", "a.b.c", "sb_secret_x"] {
            assert!(ServiceToken::parse(text).is_none(), "{text}");
        }
    }
}
