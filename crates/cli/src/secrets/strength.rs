//! What each kind of secret must be. A weakness is said in words that hold nothing of the value.

use base64ct::{Base64, Encoding};
use http::Uri;
use pkcs1::{ALGORITHM_OID, RsaPrivateKey};
use pkcs8::PrivateKeyInfo;
use zeroize::Zeroizing;
use zxcvbn::zxcvbn;

use super::token::ServiceToken;

/// What is wrong with a value, and what would be right.
pub(crate) type Weakness = &'static str;

/// HMAC-SHA-256 wants a key at least as long as its output (RFC 7518, 3.2).
const JWT_SECRET_BYTES_MIN: usize = 32;
const TOKEN_BYTES_MIN: usize = 32;
const PASSWORD_BYTES_MIN: usize = 16;
const API_V3_KEY_BYTES: usize = 32;
/// Both providers want 2048 bits.
const RSA_MODULUS_BYTES_MIN: usize = 256;
/// Behind `sb_secret_`: what Supabase writes there is longer.
const SECRET_KEY_BYTES_MIN: usize = 20;

/// Tries that a guesser who knows words, names, dates and keyboards would need, as a power of ten: as far as zxcvbn counts, which is 64
/// bits. What is generated is beyond it.
const GUESSES_LOG10_MIN: f64 = 19.0;

/// They are in Supabase's documentation and its local set-up: whoever reads those signs tokens.
const PUBLISHED: [&str; 3] = [
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-and-long-postgres-password",
];

pub(crate) fn check_jwt_secret(text: &str) -> Result<(), Weakness> {
    if text.len() < JWT_SECRET_BYTES_MIN {
        return Err("it is shorter than 32 bytes");
    }
    if text.contains(char::is_control) || text.trim() != text {
        return Err("it has spaces around it, or control characters in it");
    }
    check_is_unguessable(text)
}

pub(crate) fn check_operator_token(text: &str) -> Result<(), Weakness> {
    if text.len() < TOKEN_BYTES_MIN || !is_graphic(text) {
        return Err("it is no 32 or more characters of ASCII without spaces");
    }
    check_is_unguessable(text)
}

pub(crate) fn check_supabase_secret_key(text: &str) -> Result<(), Weakness> {
    if text.starts_with("sb_publishable_") {
        return Err("it is the publishable key: every page has that one");
    }
    if let Some(token) = ServiceToken::parse(text) {
        return match token.role() {
            "service_role" => Ok(()),
            _ => Err("it is a token of another role than service_role"),
        };
    }
    match text.strip_prefix("sb_secret_") {
        Some(rest) if rest.len() >= SECRET_KEY_BYTES_MIN && is_graphic(rest) => Ok(()),
        _ => Err("it is neither sb_secret_… nor a token of the role service_role"),
    }
}

/// As the edge takes it: PKCS#8, as PEM whose line ends may be written as `\n`, or its base64 alone.
pub(crate) fn check_rsa_private_key(text: &str) -> Result<(), Weakness> {
    if text.contains("BEGIN RSA PRIVATE KEY") {
        return Err("it is PKCS#1: `openssl pkcs8 -topk8 -nocrypt` makes PKCS#8 of it");
    }
    if text.contains("BEGIN ENCRYPTED") {
        return Err("it is encrypted: `openssl pkcs8 -in key.pem` opens it");
    }
    let malformed = "it is no RSA key in PKCS#8, as PEM or its base64";
    let base64 = base64_of_pem(text).ok_or(malformed)?;
    let der = Zeroizing::new(Base64::decode_vec(&base64).map_err(|_| malformed)?);
    let info = PrivateKeyInfo::try_from(der.as_slice()).map_err(|_| malformed)?;
    let key = RsaPrivateKey::try_from(info.private_key).map_err(|_| malformed)?;
    if info.algorithm.oid != ALGORITHM_OID {
        return Err(malformed);
    }
    if key.modulus.as_bytes().len() < RSA_MODULUS_BYTES_MIN {
        return Err("it is an RSA key of less than 2048 bits");
    }
    Ok(())
}

/// The base64 between the lines of a PEM private key on one line; or of a text that is base64 already.
pub(crate) fn base64_of_pem(text: &str) -> Option<Zeroizing<String>> {
    let text = Zeroizing::new(text.replace("\\n", "\n"));
    let text = text.trim();
    let base64 = if text.starts_with('-') {
        text.strip_prefix("-----BEGIN PRIVATE KEY-----")?.strip_suffix("-----END PRIVATE KEY-----")?
    } else {
        text
    };
    let mut line = Zeroizing::new(String::with_capacity(base64.len()));
    line.extend(base64.split_ascii_whitespace());
    Some(line)
}

pub(crate) fn check_api_v3_key(text: &str) -> Result<(), Weakness> {
    if text.len() != API_V3_KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("it is no 32 letters and digits");
    }
    check_is_unguessable(text)
}

pub(crate) fn check_database_url(text: &str) -> Result<(), Weakness> {
    let malformed = "it is no postgresql://user:password@host:port/database";
    let uri: Uri = text.parse().map_err(|_| malformed)?;
    let authority = uri.authority().ok_or(malformed)?.as_str();
    if !matches!(uri.scheme_str(), Some("postgres" | "postgresql")) {
        return Err(malformed);
    }
    // One without a password is let in otherwise: by a certificate, or by the user of this machine.
    match authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) {
        Some((_, password)) => check_database_password(password),
        None => Ok(()),
    }
}

pub(crate) fn check_database_password(text: &str) -> Result<(), Weakness> {
    if text.len() < PASSWORD_BYTES_MIN || !is_graphic(text) {
        return Err("its password is no 16 or more characters of ASCII without spaces");
    }
    check_is_unguessable(text).map_err(|_| "its password is guessed too soon: let mps generate one")
}

fn check_is_unguessable(text: &str) -> Result<(), Weakness> {
    if PUBLISHED.contains(&text) {
        return Err("it is the one of Supabase's documentation, which everybody knows");
    }
    if zxcvbn(text, &["supabase", "secret", "token", "mps"]).guesses_log10() < GUESSES_LOG10_MIN {
        return Err("it is guessed too soon: words, dates and repetitions make it look longer than it is");
    }
    Ok(())
}

fn is_graphic(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use rsa::pkcs8::{EncodePrivateKey, LineEnding};

    use super::*;
    use crate::secrets::value::Secret;

    type Check = fn(&str) -> Result<(), Weakness>;

    #[test]
    fn what_is_generated_is_strong_enough_for_all_that_are_generated() {
        for _ in 0..8 {
            let secret = Secret::generate().unwrap();
            for check in [check_jwt_secret, check_operator_token, check_database_password] {
                assert_eq!(check(secret.expose()), Ok(()), "{}", secret.expose());
            }
        }
    }

    #[test]
    fn each_weakness_is_found() {
        let short = "jX3-hR9_kQ2wLz7vB4nM8pT1";
        for (check, text, word) in [
            (check_jwt_secret as Check, short, "32 bytes"),
            (check_jwt_secret, " jX3-hR9_kQ2wLz7vB4nM8pT1cY6sD0fG5", "spaces"),
            (check_jwt_secret, PUBLISHED[0], "documentation"),
            (check_jwt_secret, PUBLISHED[1], "documentation"),
            (check_jwt_secret, "passwordpasswordpasswordpassword", "guessed"),
            (check_jwt_secret, "12345678901234567890123456789012", "guessed"),
            (check_operator_token, short, "32 or more"),
            (check_operator_token, "jX3-hR9_kQ2wLz7v B4nM8pT1cY6sD0fG5", "32 or more"),
            (check_operator_token, "abababababababababababababababababab", "guessed"),
            (check_operator_token, "change-me-change-me-change-me-change-me", "guessed"),
            (check_supabase_secret_key, "sb_publishable_jX3-hR9_kQ2wLz7vB4nM8pT1", "publishable"),
            (check_supabase_secret_key, "sb_secret_short", "neither"),
            (check_supabase_secret_key, "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.AAAA", "another role"),
            (check_rsa_private_key, "-----BEGIN RSA PRIVATE KEY-----\nAAAA", "PKCS#1"),
            (check_rsa_private_key, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA", "encrypted"),
            (check_rsa_private_key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no RSA"),
            (check_api_v3_key, "jX3ahR9bkQ2wLz7vB4nM8pT1cY6sD0f", "32 letters"),
            (check_api_v3_key, "jX3ahR9bkQ2wLz7vB4nM8pT1cY6sD0fG5", "32 letters"),
            (check_api_v3_key, "jX3-hR9_kQ2wLz7vB4nM8pT1cY6sD0fG", "32 letters"),
            (check_api_v3_key, "11111111111111111111111111111111", "guessed"),
            (check_database_url, "mysql://mps:jX3-hR9_kQ2wLz7vB4nM@db/mps", "postgresql://"),
            (check_database_url, "postgresql:///mps", "postgresql://"),
            (check_database_url, "postgresql://mps:short@db.example/mps", "16 or more"),
            (check_database_url, "postgresql://mps:passwordpassword@db.example/mps", "guessed"),
            (check_database_password, PUBLISHED[2], "guessed"),
        ] {
            let weakness = check(text).unwrap_err();
            assert!(weakness.contains(word), "{text}: {weakness}");
        }
    }

    #[test]
    fn what_is_right_is_taken() {
        for (check, text) in [
            (check_supabase_secret_key as Check, "sb_secret_jX3-hR9_kQ2wLz7vB4nM8pT1"),
            (check_supabase_secret_key, "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.AAAA"),
            (check_api_v3_key, "jX3ahR9bkQ2wLz7vB4nM8pT1cY6sD0fG"),
            (
                check_database_url,
                "postgresql://mps:jX3-hR9_kQ2wLz7vB4nM@db.example:5432/mps?sslmode=verify-full",
            ),
            (check_database_url, "postgresql://mps@db.example/mps"),
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    fn rsa(bits: usize) -> String {
        let key = rsa::RsaPrivateKey::new(&mut rand_core_06::OsRng, bits).unwrap();
        key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
    }

    #[test]
    fn a_private_key_is_taken_as_the_edge_takes_it() {
        let pem = rsa(2048);
        for text in [&pem, &pem.replace('\n', "\\n"), &*base64_of_pem(&pem).unwrap()] {
            assert_eq!(check_rsa_private_key(text), Ok(()));
        }
        assert!(check_rsa_private_key(&rsa(1024)).unwrap_err().contains("2048"));
        let ec = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(check_rsa_private_key(&ec).unwrap_err().contains("no RSA"));
    }
}
