//! Access tokens as Supabase Auth makes them, and as a forger would.

use chrono::Utc;
use jwt_compact::alg::{Es256, Hs256, Hs256Key, ModulusBits, Rsa, RsaPrivateKey, RsaPublicKey};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm, AlgorithmExt, Claims, Header};
use rand_core_06::{OsRng, RngCore as _};
use serde_json::{Value, json};

/// A token's payload.
#[derive(Clone, Debug)]
pub struct Token(Value);

impl Token {
    /// A right one: of this user, from now on for an hour.
    pub fn of(user_id: &str) -> Self {
        let now = Utc::now().timestamp();
        Self(json!({
            "sub": user_id, "aud": "authenticated", "role": "authenticated", "session_id": user_id,
            "iat": now - 5, "exp": now + 3600,
        }))
    }

    /// The same with another claim; `null` leaves it out.
    #[must_use]
    pub fn with(mut self, claim: &str, value: Value) -> Self {
        if let Some(fields) = self.0.as_object_mut() {
            fields.remove(claim);
            if !value.is_null() {
                fields.insert(claim.to_owned(), value);
            }
        }
        self
    }

    /// The same with a time claim that many seconds from now.
    #[must_use]
    pub fn with_time(self, claim: &str, seconds_from_now: i64) -> Self {
        self.with(claim, json!(Utc::now().timestamp() + seconds_from_now))
    }

    /// Signed with HS256.
    pub fn sign(&self, secret: &str) -> String {
        Hs256.token(&Header::empty(), &Claims::new(self.0.clone()), &Hs256Key::new(secret)).expect("a token")
    }

    /// Signed with any algorithm, by a key of that id.
    pub fn sign_as<A: Algorithm>(&self, algorithm: &A, key: &A::SigningKey, id: &str) -> String {
        let header = Header::empty().with_key_id(id);
        algorithm.token(&header, &Claims::new(self.0.clone()), key).expect("a token")
    }

    /// With `{"alg":"none"}` and no signature.
    pub fn unsigned(&self) -> String {
        let signed = self.sign("any");
        let payload = signed.split('.').nth(1).expect("three parts").to_owned();
        format!("eyJhbGciOiJub25lIn0.{payload}.")
    }
}

/// A project's keys for ES256 and RS256, made now.
pub struct ProjectKeys {
    /// Signs with ES256.
    pub ec: <Es256 as Algorithm>::SigningKey,
    /// Signs with RS256.
    pub rsa: RsaPrivateKey,
}

impl ProjectKeys {
    /// New ones.
    #[expect(clippy::new_without_default, reason = "they are random")]
    pub fn new() -> Self {
        let mut bytes = [0; 32];
        OsRng.fill_bytes(&mut bytes);
        let (rsa, _) = Rsa::generate(&mut OsRng, ModulusBits::TwoKibibytes).expect("a key");
        // One in 2^32 is none.
        let ec = <Es256 as Algorithm>::SigningKey::from_slice(&bytes).expect("a key");
        Self { ec, rsa: rsa.into_inner() }
    }

    /// The page of the two, as Supabase Auth publishes them: `ec` and `rsa`.
    pub fn page(&self) -> Value {
        let (ec, rsa) = (JsonWebKey::from(self.ec.verifying_key()), RsaPublicKey::from(&self.rsa));
        let rsa = JsonWebKey::from(&rsa);
        let keys = [(ec, "ec", "ES256"), (rsa, "rsa", "RS256")].map(|(jwk, id, algorithm)| {
            let mut jwk = serde_json::to_value(jwk).expect("a key");
            jwk["kid"] = json!(id);
            jwk["alg"] = json!(algorithm);
            jwk["use"] = json!("sig");
            jwk
        });
        json!({"keys": keys})
    }
}
