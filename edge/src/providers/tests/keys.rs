//! Keys as people paste them.

use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};

use super::{OURS, STRANGER, THEIRS, TestHost, at_once};
use crate::providers::keys::{PublicKey, SigningKey};

fn verifies(key: &PublicKey, message: &[u8], signature: &str) -> bool {
    at_once(key.verifies(&TestHost::default(), message, signature))
}

/// The text between the first line and the last.
fn bare(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

#[test]
fn a_key_is_read_with_line_ends_of_any_kind_and_as_base64_alone() {
    for text in [
        OURS.private_pem.clone(),
        OURS.private_pem.replace('\n', "\r\n"),
        OURS.private_pem.replace('\n', "\\n"),
        format!("  {}\n\n", OURS.private_pem),
        bare(&OURS.private_pem),
    ] {
        assert!(SigningKey::parse(&text).is_ok(), "{} characters", text.len());
    }
    for text in [THEIRS.public_pem.clone(), THEIRS.public_pem.replace('\n', "\\n"), bare(&THEIRS.public_pem)]
    {
        let key = PublicKey::parse(&text).expect("a key");
        assert!(verifies(&key, b"x", &THEIRS.sign(b"x")), "{text}");
    }
}

#[test]
fn what_is_no_key_of_that_kind_or_a_weak_one_is_refused() {
    let pkcs1 = OURS.private.to_pkcs1_pem(LineEnding::LF).expect("a PEM").to_string();
    let weak = rsa::RsaPrivateKey::new(&mut rand_core_06::OsRng, 1024).expect("a key");
    let weak_private = weak.to_pkcs8_pem(LineEnding::LF).expect("a PEM").to_string();
    let weak_public = weak.to_public_key().to_public_key_pem(LineEnding::LF).expect("a PEM");
    let cut = &OURS.private_pem[..OURS.private_pem.len() / 2];
    for text in ["", "x", "-----BEGIN PRIVATE KEY-----", "AAAA", &pkcs1, &OURS.public_pem, &weak_private, cut]
    {
        assert!(SigningKey::parse(text).is_err(), "{text}");
    }
    let certificate = THEIRS.public_pem.replace("PUBLIC KEY", "CERTIFICATE");
    for text in ["", "x", "AAAA", &OURS.private_pem, &weak_public, &certificate, &bare(&OURS.private_pem)] {
        assert!(PublicKey::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_signature_verifies_what_was_signed_by_its_key_and_nothing_else() {
    let key = PublicKey::parse(&THEIRS.public_pem).expect("a key");
    let right = THEIRS.sign(b"message");
    assert!(verifies(&key, b"message", &right));
    assert!(!verifies(&key, b"messagf", &right));
    assert!(!verifies(&key, b"message", &STRANGER.sign(b"message")));
    for text in
        ["", "AAAA", "no base64 at all", &right[..right.len() - 4], &format!("{right}AAAA"), &right[1..]]
    {
        assert!(!verifies(&key, b"message", text), "{text}");
    }
}
