//! RSA keys as operators enter them: ours, which the host signs with, and a provider's, which it verifies with.

use base64ct::{Base64, Encoding};
use rsa::pkcs8::PrivateKeyInfo;
use rsa::pkcs8::spki::SubjectPublicKeyInfoRef;

use crate::platform::{self, Host, Signature};

/// Both providers want 2048 bits.
const MODULUS_BYTES_MIN: usize = 256;

/// Text that is no such key, or a key that is too weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedKey;

/// Our private key. It is not shown, and nothing here computes with it: that is the host's, in constant time.
pub(crate) struct SigningKey(Vec<u8>);

impl SigningKey {
    /// PKCS#8, as PEM or the base64 of it alone.
    pub(crate) fn parse(text: &str) -> Result<Self, MalformedKey> {
        let der = der(text, "PRIVATE KEY").ok_or(MalformedKey)?;
        let info = PrivateKeyInfo::try_from(der.as_slice()).map_err(|_| MalformedKey)?;
        let key = rsa::pkcs1::RsaPrivateKey::try_from(info.private_key).map_err(|_| MalformedKey)?;
        let is_rsa = info.algorithm.oid == rsa::pkcs1::ALGORITHM_OID;
        let is_strong = key.modulus.as_bytes().len() >= MODULUS_BYTES_MIN;
        if is_rsa && is_strong { Ok(Self(der)) } else { Err(MalformedKey) }
    }

    /// Of somebody who never signs.
    #[cfg(feature = "fuzz")]
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// As the host takes it.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.0
    }
}

/// A provider's public key.
pub(crate) struct PublicKey(platform::PublicKey);

impl PublicKey {
    /// `SubjectPublicKeyInfo`, as PEM or the base64 of it alone. A certificate is none.
    pub(crate) fn parse(text: &str) -> Result<Self, MalformedKey> {
        let der = der(text, "PUBLIC KEY").ok_or(MalformedKey)?;
        let info = SubjectPublicKeyInfoRef::try_from(der.as_slice()).map_err(|_| MalformedKey)?;
        let key = rsa::pkcs1::RsaPublicKey::try_from(info.subject_public_key.raw_bytes());
        let key = key.map_err(|_| MalformedKey)?;
        let is_rsa = info.algorithm.oid == rsa::pkcs1::ALGORITHM_OID;
        let is_strong = key.modulus.as_bytes().len() >= MODULUS_BYTES_MIN;
        if is_rsa && is_strong {
            Ok(Self(platform::PublicKey::new(Signature::Rs256, der)))
        } else {
            Err(MalformedKey)
        }
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256; the signature is base64.
    pub(crate) async fn verifies(&self, host: &dyn Host, message: &[u8], signature: &str) -> bool {
        match Base64::decode_vec(signature) {
            Ok(bytes) => host.verify(&self.0, message, &bytes).await,
            Err(_) => false,
        }
    }
}

/// The contents of a PEM block of that label, whose line ends may be written as `\n`; or of its base64 alone.
fn der(text: &str, label: &str) -> Option<Vec<u8>> {
    let text = text.replace("\\n", "\n");
    let text = text.trim();
    let base64 = if text.starts_with('-') {
        let begin = text.strip_prefix(&format!("-----BEGIN {label}-----"))?;
        begin.strip_suffix(&format!("-----END {label}-----"))?
    } else {
        text
    };
    let base64: String = base64.split_ascii_whitespace().collect();
    Base64::decode_vec(&base64).ok()
}
