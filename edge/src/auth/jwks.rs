//! A JSON Web Key Set (RFC 7517): the public keys of it that may verify access tokens, each with its one algorithm.

use jwt_compact::Algorithm;
use jwt_compact::alg::{Es256, RsaPublicKey, StrongKey};
use jwt_compact::jwk::JsonWebKey;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// A set with more is none of a project's.
const KEYS_MAX: usize = 64;

/// A key and what it verifies.
pub(crate) enum PublicKey {
    /// ECDSA on P-256 with SHA-256.
    Es256(<Es256 as Algorithm>::VerifyingKey),
    /// RSASSA-PKCS1-v1_5 with SHA-256, by a key of 2048, 3072 or 4096 bits.
    Rs256(StrongKey<RsaPublicKey>),
}

impl PublicKey {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::Rs256(_) => "RS256",
        }
    }
}

/// The keys that may be used, in the set's order.
pub(crate) struct KeySet(Vec<NamedKey>);

struct NamedKey {
    id: Option<String>,
    key: PublicKey,
}

/// No key set, though it may be JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedKeySet;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// What a key says of itself besides its numbers (RFC 7517, 4).
#[derive(Deserialize)]
struct Purpose {
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    /// The private half. A key whose private half was published proves nothing.
    d: Option<IgnoredAny>,
}

impl KeySet {
    /// Reads a set. A key that is malformed, weak, or for something else is left out: it must not take the others with it.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, MalformedKeySet> {
        let document: Document = serde_json::from_slice(json).map_err(|_| MalformedKeySet)?;
        if document.keys.len() > KEYS_MAX {
            return Err(MalformedKeySet);
        }
        Ok(Self(document.keys.into_iter().filter_map(parse_key).collect()))
    }

    /// Whether there is a key of that id; without an id, of that algorithm.
    pub(crate) fn knows(&self, algorithm: &str, id: Option<&str>) -> bool {
        self.0.iter().any(|key| match id {
            Some(_) => key.id.as_deref() == id,
            None => key.key.algorithm() == algorithm,
        })
    }

    /// The keys of that id for that algorithm: more than one where a set gives an id twice. Without an id the only key for that
    /// algorithm; which of several was meant, nobody can say.
    pub(crate) fn find(&self, algorithm: &str, id: Option<&str>) -> Vec<&PublicKey> {
        let of_algorithm = self.0.iter().filter(|key| key.key.algorithm() == algorithm);
        let found: Vec<_> =
            of_algorithm.filter(|key| id.is_none() || key.id.as_deref() == id).map(|key| &key.key).collect();
        if id.is_none() && found.len() > 1 { Vec::new() } else { found }
    }
}

fn parse_key(value: Value) -> Option<NamedKey> {
    let purpose = Purpose::deserialize(&value).ok()?;
    let signs = purpose.r#use.as_deref().is_none_or(|name| name == "sig");
    let verifies = purpose.key_ops.is_none_or(|operations| operations.iter().any(|name| name == "verify"));
    if !signs || !verifies || purpose.d.is_some() {
        return None;
    }
    let key: JsonWebKey<'_> = serde_json::from_value(value).ok()?;
    let key = match (&key, purpose.alg.as_deref()) {
        (JsonWebKey::EllipticCurve { .. }, None | Some("ES256")) => PublicKey::Es256((&key).try_into().ok()?),
        (JsonWebKey::Rsa { .. }, None | Some("RS256")) => {
            let key = RsaPublicKey::try_from(&key).ok()?;
            PublicKey::Rs256(StrongKey::try_from(key).ok()?)
        }
        _ => return None,
    };
    Some(NamedKey { id: purpose.kid, key })
}
