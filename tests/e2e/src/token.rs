//! Access tokens as Supabase Auth makes them, and as a forger would.

use chrono::Utc;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Claims, Header};
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

    /// With `{"alg":"none"}` and no signature.
    pub fn unsigned(&self) -> String {
        let signed = self.sign("any");
        let payload = signed.split('.').nth(1).expect("three parts").to_owned();
        format!("eyJhbGciOiJub25lIn0.{payload}.")
    }
}
