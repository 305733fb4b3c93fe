//! RSA keys made for one test: they sign and verify as both providers' manuals have it (RSASSA-PKCS1-v1_5 with SHA-256).

use std::path::Path;
use std::sync::LazyLock;
use std::{env, fs};

use base64ct::{Base64, Encoding as _};
use rand_core_06::OsRng;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::sha2::{Digest as _, Sha256};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;

use crate::fresh;

const KEY_BITS: usize = 2048;

/// A private key and its public half.
#[derive(Clone)]
pub struct Key {
    private: RsaPrivateKey,
    public: RsaPublicKey,
}

impl Key {
    /// The one of that name, made in this run of the tests: by the first that needs it.
    pub(super) fn of_this_run(name: &str) -> Self {
        let Some(folder) = env::var_os("MPS_E2E_KEYS") else { return Self::random() };
        let path = Path::new(&folder).join(name);
        if let Ok(pem) = fs::read_to_string(&path) {
            return Self::from(RsaPrivateKey::from_pkcs8_pem(&pem).expect("a key"));
        }
        let key = Self::random();
        // Another test may be doing the same: whoever is last, each file is whole.
        let draft = Path::new(&folder).join(fresh(name));
        fs::write(&draft, key.private_pem())
            .and_then(|()| fs::rename(&draft, &path))
            .expect("a folder for keys");
        key
    }

    /// Of somebody whom nobody knows.
    pub fn stranger() -> &'static Self {
        static STRANGER: LazyLock<Key> = LazyLock::new(|| Key::of_this_run("stranger"));
        &STRANGER
    }

    fn random() -> Self {
        Self::from(RsaPrivateKey::new(&mut OsRng, KEY_BITS).expect("a key"))
    }

    /// The signature of these bytes, in base64.
    pub fn sign(&self, message: &[u8]) -> String {
        let digest = Sha256::digest(message);
        Base64::encode_string(
            &self.private.sign(Pkcs1v15Sign::new::<Sha256>(), &digest).expect("a signature"),
        )
    }

    /// The same with SHA-1: what Alipay calls RSA, and nobody may believe any more.
    pub(super) fn sign_with_sha1(&self, message: &[u8]) -> String {
        let digest = Sha1::digest(message);
        Base64::encode_string(&self.private.sign(Pkcs1v15Sign::new::<Sha1>(), &digest).expect("a signature"))
    }

    /// Whether that is the signature of these bytes.
    pub fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        let digest = Sha256::digest(message);
        Base64::decode_vec(signature)
            .is_ok_and(|bytes| self.public.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, &bytes).is_ok())
    }

    /// PKCS #8, `BEGIN PRIVATE KEY`.
    pub fn private_pem(&self) -> String {
        self.private.to_pkcs8_pem(LineEnding::LF).expect("a PEM").to_string()
    }

    /// SPKI, `BEGIN PUBLIC KEY`.
    pub fn public_pem(&self) -> String {
        self.public.to_public_key_pem(LineEnding::LF).expect("a PEM")
    }
}

impl From<RsaPrivateKey> for Key {
    fn from(private: RsaPrivateKey) -> Self {
        Self { public: private.to_public_key(), private }
    }
}

/// A PEM without its frame and its line ends: how Alipay's console shows a key.
pub fn bare(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}
