//! A JSON Web Key Set (RFC 7517): the public keys of it that may verify access tokens, each with its one algorithm.

use base64ct::{Base64UrlUnpadded, Encoding};
use rsa::pkcs1::{self, UintRef};
use rsa::pkcs8::der::Encode;
use rsa::pkcs8::der::asn1::BitStringRef;
use rsa::pkcs8::spki::SubjectPublicKeyInfo;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::platform::{PublicKey, Signature};

/// A set with more is none of a project's.
const KEYS_MAX: usize = 64;

/// 2048, 3072 and 4096 bits.
const MODULUS_BYTES: [usize; 3] = [256, 384, 512];
/// Odd, and not 1.
const EXPONENT_BYTES_MAX: usize = 4;

const COORDINATE_BYTES: usize = 32;

/// `SubjectPublicKeyInfo` of a key on P-256 (RFC 5480) up to its two coordinates.
const P256_BEGIN: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

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

/// What a key says of itself (RFC 7517, 4), and its numbers (RFC 7518, 6).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
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
            None => name(key.key.signature()) == algorithm,
        })
    }

    /// The keys of that id for that algorithm: more than one where a set gives an id twice. Without an id the only key for that
    /// algorithm; which of several was meant, nobody can say.
    pub(crate) fn find(&self, algorithm: &str, id: Option<&str>) -> Vec<&PublicKey> {
        let of_algorithm = self.0.iter().filter(|key| name(key.key.signature()) == algorithm);
        let found: Vec<_> =
            of_algorithm.filter(|key| id.is_none() || key.id.as_deref() == id).map(|key| &key.key).collect();
        if id.is_none() && found.len() > 1 { Vec::new() } else { found }
    }
}

/// As tokens call it (RFC 7518, 3.1).
fn name(signature: Signature) -> &'static str {
    match signature {
        Signature::Es256 => "ES256",
        Signature::Rs256 => "RS256",
    }
}

fn parse_key(value: Value) -> Option<NamedKey> {
    let jwk = Jwk::deserialize(value).ok()?;
    let signs = jwk.r#use.as_deref().is_none_or(|name| name == "sig");
    let verifies =
        jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
    if !signs || !verifies || jwk.d.is_some() {
        return None;
    }
    let key = match (jwk.kty.as_str(), jwk.alg.as_deref()) {
        ("EC", None | Some("ES256")) => elliptic(&jwk)?,
        ("RSA", None | Some("RS256")) => rsa(&jwk)?,
        _ => return None,
    };
    Some(NamedKey { id: jwk.kid, key })
}

/// Whether its point is on the curve the host sees; with a key whose is not, nothing is signed.
fn elliptic(jwk: &Jwk) -> Option<PublicKey> {
    let coordinate = |text: Option<&String>| number(text).filter(|bytes| bytes.len() == COORDINATE_BYTES);
    let (x, y) = (coordinate(jwk.x.as_ref())?, coordinate(jwk.y.as_ref())?);
    let is_p256 = jwk.crv.as_deref() == Some("P-256");
    is_p256.then(|| PublicKey::new(Signature::Es256, [&P256_BEGIN[..], &x, &y].concat()))
}

fn rsa(jwk: &Jwk) -> Option<PublicKey> {
    let (modulus, exponent) = (number(jwk.n.as_ref())?, number(jwk.e.as_ref())?);
    let (modulus, public_exponent) = (UintRef::new(&modulus).ok()?, UintRef::new(&exponent).ok()?);
    let is_full = modulus.as_bytes().first().is_some_and(|first| *first >= 0x80);
    let is_strong = is_full && MODULUS_BYTES.contains(&modulus.as_bytes().len());
    let small = public_exponent.as_bytes();
    let is_usable =
        small.len() <= EXPONENT_BYTES_MAX && small != [1] && small.last().is_some_and(|last| last % 2 == 1);
    if !(is_strong && is_usable) {
        return None;
    }
    let key = pkcs1::RsaPublicKey { modulus, public_exponent }.to_der().ok()?;
    let subject_public_key = BitStringRef::from_bytes(&key).ok()?;
    let info = SubjectPublicKeyInfo { algorithm: pkcs1::ALGORITHM_ID, subject_public_key };
    Some(PublicKey::new(Signature::Rs256, info.to_der().ok()?))
}

fn number(text: Option<&String>) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text?).ok()
}
