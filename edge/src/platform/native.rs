//! What stands in for the host where tests run: signatures without its `WebCrypto`, work that waits for nothing.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use jwt_compact::alg::Es256;
use jwt_compact::{Algorithm, AlgorithmSignature};
use rsa::RsaPublicKey;
use rsa::pkcs1v15::VerifyingKey;
use rsa::pkcs8::DecodePublicKey;
use rsa::sha2::Sha256;
use rsa::signature::Verifier;

use super::{PublicKey, Signature};

/// An uncompressed point is the end of a `SubjectPublicKeyInfo` of P-256.
const POINT_BYTES: usize = 65;

/// Whether the key has signed the message.
pub(crate) fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    match key.signature {
        Signature::Es256 => verify_es256(&key.spki, message, signature).unwrap_or(false),
        Signature::Rs256 => verify_rs256(&key.spki, message, signature).unwrap_or(false),
    }
}

fn verify_es256(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let point = spki.get(spki.len().checked_sub(POINT_BYTES)?..)?;
    let key = <Es256 as Algorithm>::VerifyingKey::from_sec1_bytes(point).ok()?;
    let signature = <Es256 as Algorithm>::Signature::try_from_slice(signature).ok()?;
    Some(Es256.verify_signature(&signature, &key, message))
}

fn verify_rs256(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let key = VerifyingKey::<Sha256>::new(RsaPublicKey::from_public_key_der(spki).ok()?);
    let signature = rsa::pkcs1v15::Signature::try_from(signature).ok()?;
    Some(key.verify(message, &signature).is_ok())
}

/// What the work answers that waits for nothing.
pub(crate) fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}
