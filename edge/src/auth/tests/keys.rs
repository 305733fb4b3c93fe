//! A project that publishes its keys, all made when the test runs, and whoever signs with them or would like to.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jwt_compact::alg::{Es256, ModulusBits, Rsa, RsaPrivateKey, RsaPublicKey, SecretBytes, StrongKey};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm, AlgorithmSignature};
use rand_core_06::{OsRng, RngCore};
use serde_json::{Value, json};

use crate::auth::{NotVerified, Verifier};
use crate::config::TokenRules;
use crate::metrics::Metrics;
use crate::routes::tests::bench::{NOW, TestHost};

pub(crate) type EcKey = <Es256 as Algorithm>::SigningKey;

/// One for all tests of the process: an RSA key takes its time.
pub(super) static RSA: LazyLock<RsaPrivateKey> = LazyLock::new(|| {
    let made: (StrongKey<RsaPrivateKey>, _) =
        Rsa::generate(&mut OsRng, ModulusBits::TwoKibibytes).expect("a key");
    made.0.into_inner()
});

pub(super) fn weak_rsa_key(bits: usize) -> RsaPrivateKey {
    RsaPrivateKey::new(&mut OsRng, bits).expect("a key")
}

pub(crate) fn ec_key() -> EcKey {
    let mut bytes = [0; 32];
    OsRng.fill_bytes(&mut bytes);
    // One in 2^32 is none.
    EcKey::from_slice(&bytes).unwrap_or_else(|_| ec_key())
}

/// What the work comes to on a host that keeps nobody waiting for long. A changed token may name an algorithm whose keys are to be fetched.
pub(super) fn outcome<T>(work: impl Future<Output = T>) -> T {
    const TURNS_MAX: usize = 1_000;
    let (mut work, mut context) = (pin!(work), Context::from_waker(Waker::noop()));
    for _ in 0..TURNS_MAX {
        if let Poll::Ready(outcome) = work.as_mut().poll(&mut context) {
            return outcome;
        }
    }
    unreachable!("it waits")
}

pub(super) fn payload(changes: &Value) -> Value {
    let mut payload = json!({"sub": "u-1", "aud": "authenticated", "iss": "house", "exp": NOW + 60});
    for (name, value) in changes.as_object().into_iter().flatten() {
        payload[name] = value.clone();
    }
    payload
}

pub(super) fn base64url(bytes: &[u8]) -> String {
    let value = serde_json::to_value(SecretBytes::borrowed(bytes)).expect("a text");
    value.as_str().expect("a text").to_owned()
}

/// The header and the claims as they are signed.
pub(super) fn unsigned(header: &Value, payload: &Value) -> String {
    format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(payload.to_string().as_bytes()))
}

/// A token with this header, whatever it says, signed by this algorithm.
pub(super) fn sign<A: Algorithm>(
    algorithm: &A,
    key: &A::SigningKey,
    header: &Value,
    payload: &Value,
) -> String {
    let text = unsigned(header, payload);
    let signature = algorithm.sign(key, text.as_bytes());
    format!("{text}.{}", base64url(&signature.as_bytes()))
}

pub(crate) fn es256(key: &EcKey, id: &str) -> String {
    sign(&Es256, key, &json!({"alg": "ES256", "typ": "JWT", "kid": id}), &payload(&json!({})))
}

pub(super) fn rs256(key: &RsaPrivateKey, id: &str) -> String {
    sign(&Rsa::rs256(), key, &json!({"alg": "RS256", "typ": "JWT", "kid": id}), &payload(&json!({})))
}

pub(super) fn with(mut value: Value, changes: &Value) -> Value {
    for (name, change) in changes.as_object().into_iter().flatten() {
        if change.is_null() {
            value.as_object_mut().map(|fields| fields.remove(name));
        } else {
            value[name] = change.clone();
        }
    }
    value
}

/// As Supabase publishes it.
pub(crate) fn ec_jwk(key: &EcKey, id: &str) -> Value {
    let jwk = serde_json::to_value(JsonWebKey::from(key.verifying_key())).expect("a key");
    with(jwk, &json!({"kid": id, "alg": "ES256", "use": "sig", "key_ops": ["verify"], "ext": true}))
}

pub(super) fn rsa_jwk(key: &RsaPrivateKey, id: &str) -> Value {
    let jwk = serde_json::to_value(JsonWebKey::from(&RsaPublicKey::from(key))).expect("a key");
    with(jwk, &json!({"kid": id, "alg": "RS256", "use": "sig"}))
}

/// A verifier that knows a project only by the keys that it publishes.
pub(super) struct Project {
    pub(super) host: Arc<TestHost>,
    pub(super) verifier: Verifier,
}

impl Project {
    pub(super) fn publishing(keys: &[Value]) -> Self {
        Self::with_secret(keys, None)
    }

    pub(super) fn with_secret(keys: &[Value], secret: Option<&str>) -> Self {
        let rules = TokenRules {
            secrets: secret.map(str::to_owned).into_iter().collect(),
            jwks_url: Some("https://project.example/jwks.json".to_owned()),
            audience: "authenticated".to_owned(),
            issuer: Some("house".to_owned()),
        };
        let host = Arc::new(TestHost::default());
        let verifier = Verifier::new(&rules, host.clone(), Arc::new(Metrics::new(host.clone())));
        let project = Self { host, verifier };
        project.publish(keys);
        project
    }

    pub(super) fn publish(&self, keys: &[Value]) {
        self.answer(Some((200, json!({"keys": keys}).to_string())));
    }

    /// What the endpoint answers from now on.
    pub(super) fn answer(&self, page: Option<(u16, String)>) {
        *self.host.page.lock().expect("no panic holds it") = page;
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.host.pass(Duration::from_secs(seconds));
    }

    pub(super) fn fetches(&self) -> u64 {
        self.host.fetches.load(Relaxed)
    }

    pub(super) async fn verify(&self, token: &str) -> Result<String, NotVerified> {
        // The clock of the claims stands still.
        let verified = self.verifier.verify(token, Duration::from_secs(NOW), true).await;
        verified.map(|verified| verified.subject().to_owned())
    }

    pub(super) async fn accepts(&self, token: &str) -> bool {
        self.verify(token).await.is_ok()
    }

    /// How long the keys that it would be held against may not be asked for.
    pub(super) async fn waits(&self, token: &str) -> Option<u64> {
        match self.verify(token).await {
            Err(NotVerified::KeysUnavailable(keys)) => Some(keys.retry_after_seconds),
            _ => None,
        }
    }

    /// Refused for what it is, not because the keys did not come.
    pub(super) async fn refuses(&self, token: &str) -> bool {
        matches!(
            self.verify(token).await,
            Err(NotVerified::Refused | NotVerified::Forged | NotVerified::Expired { .. })
        )
    }
}
