//! RSA keys as operators enter them: ours, which the host signs with, and a provider's, which verify here.

use base64ct::{Base64, Encoding};
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::{DecodePublicKey, PrivateKeyInfo};
use rsa::sha2::Sha256;
use rsa::signature::Verifier;
use rsa::traits::PublicKeyParts;

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
pub(crate) struct PublicKey(VerifyingKey<Sha256>);

impl PublicKey {
    /// `SubjectPublicKeyInfo`, as PEM or the base64 of it alone. A certificate is none.
    pub(crate) fn parse(text: &str) -> Result<Self, MalformedKey> {
        let der = der(text, "PUBLIC KEY").ok_or(MalformedKey)?;
        let key = RsaPublicKey::from_public_key_der(&der).map_err(|_| MalformedKey)?;
        if key.size() < MODULUS_BYTES_MIN {
            return Err(MalformedKey);
        }
        Ok(Self(VerifyingKey::new(key)))
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256; the signature is base64.
    pub(crate) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let bytes = Base64::decode_vec(signature).unwrap_or_default();
        Signature::try_from(bytes.as_slice())
            .is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
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
