//! Tokens that must be refused, one reason each, and those that must not.

mod cache;
pub(crate) mod keys;
mod published;

use std::sync::Arc;
use std::time::Duration;

use jwt_compact::AlgorithmExt;
use jwt_compact::alg::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key};
use jwt_compact::{Header, UntrustedToken};
use serde_json::{Value, json};

use self::keys::{outcome, payload};
use super::{NotVerified, Verifier};
use crate::config::TokenRules;
use crate::metrics::Metrics;
use crate::routes::tests::bench::{NOW, SECRET, TestHost};

/// While the project exchanges its secret.
const BEFORE: &str = "the-secret-of-yesterday-32-letters-long";

fn verifier(issuer: Option<&str>) -> Verifier {
    let rules = TokenRules {
        secrets: vec![SECRET.to_owned(), BEFORE.to_owned()],
        jwks_url: None,
        audience: "authenticated".to_owned(),
        issuer: issuer.map(str::to_owned),
    };
    let host = Arc::new(TestHost::default());
    Verifier::new(&rules, host.clone(), Arc::new(Metrics::new(host)))
}

fn verify(issuer: Option<&str>, token: &str) -> Result<(), NotVerified> {
    outcome(verifier(issuer).verify(token, Duration::from_secs(NOW), true)).map(|_| ())
}

/// `jwt_compact` writes claims as they are given: as the custom part, with nothing of its own.
fn sign(payload: &Value) -> String {
    let claims = jwt_compact::Claims::new(payload.clone());
    Hs256.token(&Header::empty(), &claims, &Hs256Key::new(SECRET)).unwrap_or_default()
}

fn is_accepted(token: &str) -> bool {
    verify(None, token).is_ok()
}

fn accepts(changes: &Value) -> bool {
    is_accepted(&sign(&payload(changes)))
}

#[test]
fn a_right_token_is_accepted() {
    assert!(accepts(&json!({})));
    assert!(accepts(&json!({"aud": ["other", "authenticated"]})));
    assert!(accepts(&json!({"nbf": NOW - 60})));
}

#[test]
fn a_token_ends_thirty_seconds_after_its_exp() {
    assert!(accepts(&json!({"exp": NOW - 29})));
    assert!(!accepts(&json!({"exp": NOW - 31})));
}

#[test]
fn a_token_begins_thirty_seconds_before_its_nbf() {
    assert!(accepts(&json!({"nbf": NOW + 29})));
    assert!(!accepts(&json!({"nbf": NOW + 31})));
}

#[test]
fn a_token_without_an_end_or_with_a_senseless_one_is_refused() {
    let mut payload = payload(&json!({}));
    payload.as_object_mut().map(|fields| fields.remove("exp"));
    assert!(!is_accepted(&sign(&payload)));
    for exp in [json!(null), json!("soon"), json!(-1), json!(0), json!([])] {
        assert!(!accepts(&json!({"exp": exp})), "{exp}");
    }
}

#[test]
fn no_number_in_a_claim_panics_the_verifier() {
    for number in [json!(i64::MAX), json!(i64::MIN), json!(u64::MAX), json!(1e300), json!(-1e300), json!(0.5)]
    {
        for name in ["exp", "nbf", "iat"] {
            accepts(&json!({name: number}));
        }
    }
}

#[test]
fn a_token_for_another_audience_is_refused() {
    for aud in [json!("anon"), json!([]), json!(["other"]), json!(null), json!(7), json!("")] {
        assert!(!accepts(&json!({"aud": aud})), "{aud}");
    }
}

#[test]
fn a_token_of_another_issuer_is_refused_where_one_is_configured() {
    let token = sign(&payload(&json!({})));
    assert!(verify(Some("house"), &token).is_ok());
    assert!(verify(Some("other house"), &token).is_err());
    let nameless = sign(&payload(&json!({"iss": null})));
    assert!(verify(Some("house"), &nameless).is_err());
}

#[test]
fn a_token_of_nobody_is_refused() {
    for sub in [json!(""), json!(null), json!(1)] {
        assert!(!accepts(&json!({"sub": sub})), "{sub}");
    }
}

#[test]
fn a_token_signed_with_another_secret_is_refused() {
    let claims = jwt_compact::Claims::new(payload(&json!({})));
    let forged = Hs256.token(&Header::empty(), &claims, &Hs256Key::new("another-secret-of-32-characters-x"));
    assert!(forged.is_ok_and(|token| !is_accepted(&token)));
}

#[test]
fn while_the_secret_is_exchanged_tokens_of_both_are_right() {
    for (secret, is_right) in
        [(SECRET, true), (BEFORE, true), ("the-secret-of-last-week-32-letters-long", false)]
    {
        let claims = jwt_compact::Claims::new(payload(&json!({})));
        let token = Hs256.token(&Header::empty(), &claims, &Hs256Key::new(secret));
        assert_eq!(token.is_ok_and(|token| is_accepted(&token)), is_right, "{secret}");
    }
}

#[test]
fn the_token_does_not_choose_the_algorithm() {
    let claims = jwt_compact::Claims::new(payload(&json!({})));
    let hs384 = Hs384.token(&Header::empty(), &claims, &Hs384Key::new(SECRET));
    let hs512 = Hs512.token(&Header::empty(), &claims, &Hs512Key::new(SECRET));
    assert!(hs384.is_ok_and(|token| !is_accepted(&token)));
    assert!(hs512.is_ok_and(|token| !is_accepted(&token)));
    let right = sign(&payload(&json!({})));
    let (_, rest) = right.split_once('.').unwrap_or_default();
    let (claims, signature) = rest.split_once('.').unwrap_or_default();
    // {"alg":"none"}, {"alg":"None","typ":"JWT"}, {"alg":"RS256"}
    for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJSUzI1NiJ9"] {
        assert!(
            UntrustedToken::new(&format!("{header}.{claims}.{signature}")).is_ok(),
            "the header is well-formed"
        );
        for token in [format!("{header}.{claims}."), format!("{header}.{claims}.{signature}")] {
            assert!(!is_accepted(&token), "{token}");
        }
    }
}

#[test]
fn a_header_with_critical_extensions_is_refused() {
    let claims = jwt_compact::Claims::new(payload(&json!({})));
    let header = Header::new(json!({"crit": ["exp"]}));
    let token = Hs256.token(&header, &claims, &Hs256Key::new(SECRET));
    assert!(token.is_ok_and(|token| !is_accepted(&token)));
}

#[test]
fn garbage_is_refused() {
    let right = sign(&payload(&json!({})));
    let long = format!("{right}{}", "a".repeat(9000));
    for token in ["", ".", "..", "...", "a.b.c", "é.é.é", "null", right.trim_end_matches(|c| c != '.'), &long]
    {
        assert!(!is_accepted(token), "{token}");
    }
    for position in (0..right.len()).step_by(7) {
        let mut bytes = right.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        assert!(!is_accepted(&String::from_utf8_lossy(&bytes)), "changed at {position}");
    }
}
