//! Tokens signed with published keys: those that are right, and one test for each way to be wrong.

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::alg::{Es256, Hs256, Hs256Key, Rsa, RsaPublicKey};
use jwt_compact::{Algorithm, AlgorithmSignature};
use proptest::prelude::*;
use rsa::pkcs8::{EncodePublicKey, LineEnding};
use serde_json::{Value, json};

use super::keys::{
    EcKey, Project, RSA, base64url, ec_jwk, ec_key, es256, outcome, payload, rs256, rsa_jwk, sign, unsigned,
    weak_rsa_key, with,
};
use crate::auth::jwks::KeySet;
use crate::routes::tests::bench::{NOW, SECRET};

fn with_claims(key: &EcKey, changes: &Value) -> String {
    sign(&Es256, key, &json!({"alg": "ES256", "kid": "e"}), &payload(changes))
}

/// A token of that key, its header changed before it is signed.
fn with_header(key: &EcKey, changes: &Value) -> String {
    let header = with(json!({"alg": "ES256", "kid": "e"}), changes);
    sign(&Es256, key, &header, &payload(&json!({})))
}

#[tokio::test]
async fn each_algorithm_lets_its_right_tokens_in() {
    let key = ec_key();
    let project = Project::with_secret(&[ec_jwk(&key, "e"), rsa_jwk(&RSA, "r")], Some(SECRET));
    assert_eq!(project.verify(&es256(&key, "e")).await.as_deref(), Ok("u-1"));
    assert_eq!(project.verify(&rs256(&RSA, "r")).await.as_deref(), Ok("u-1"));
    let header = json!({"alg": "HS256", "kid": "whatever"});
    let secret = Hs256Key::new(SECRET);
    assert!(project.accepts(&sign(&Hs256, &secret, &header, &payload(&json!({})))).await);
    assert_eq!(project.fetches(), 1);
}

#[tokio::test]
async fn a_key_need_not_say_what_it_is_for() {
    let key = ec_key();
    let silent = json!({"alg": null, "use": null, "key_ops": null, "ext": null});
    let project = Project::publishing(&[with(ec_jwk(&key, "e"), &silent), with(rsa_jwk(&RSA, "r"), &silent)]);
    assert!(project.accepts(&es256(&key, "e")).await);
    assert!(project.accepts(&rs256(&RSA, "r")).await);
}

#[tokio::test]
async fn a_token_of_another_key_with_the_id_of_ours_is_refused() {
    let project = Project::publishing(&[ec_jwk(&ec_key(), "e"), rsa_jwk(&RSA, "r")]);
    assert!(project.refuses(&es256(&ec_key(), "e")).await);
    let token = rs256(&RSA, "r");
    let (text, _) = token.rsplit_once('.').expect("three parts");
    assert!(project.refuses(&format!("{text}.{}", base64url(&[7; 256]))).await);
}

#[tokio::test]
async fn claims_are_held_to_the_same_rules_whatever_signed_them() {
    let key = ec_key();
    let project = Project::publishing(&[ec_jwk(&key, "e")]);
    let right = [
        json!({"exp": NOW - 29}),
        json!({"nbf": NOW + 29}),
        json!({"aud": ["other", "authenticated"]}),
        json!({"role": "authenticated"}),
    ];
    for changes in right {
        assert!(project.accepts(&with_claims(&key, &changes)).await, "{changes}");
    }
    let wrong = [
        json!({"exp": NOW - 31}),
        json!({"exp": null}),
        json!({"exp": "soon"}),
        json!({"nbf": NOW + 31}),
        json!({"aud": "anon"}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"iss": "another house"}),
        json!({"iss": null}),
        json!({"sub": ""}),
        json!({"sub": null}),
    ];
    for changes in wrong {
        assert!(project.refuses(&with_claims(&key, &changes)).await, "{changes}");
    }
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused_however_none_is_written() {
    let key = ec_key();
    let project = Project::with_secret(&[ec_jwk(&key, "e")], Some(SECRET));
    let right = es256(&key, "e");
    let signature = right.rsplit('.').next().expect("a signature");
    for name in ["none", "None", "NONE", "nOnE", "", "es256", "ES384", "ES512", "PS256", "RS512", "HS512"] {
        let text = unsigned(&json!({"alg": name, "kid": "e"}), &payload(&json!({})));
        for token in [format!("{text}."), format!("{text}.{signature}"), text.clone()] {
            assert!(project.refuses(&token).await, "{name}");
        }
    }
    assert!(project.refuses(&unsigned(&json!({"kid": "e"}), &payload(&json!({})))).await);
    assert_eq!(project.fetches(), 0, "nothing to look up");
}

#[tokio::test]
async fn a_public_key_is_no_secret_to_sign_with() {
    let key = ec_key();
    let (ec, rsa) = (ec_jwk(&key, "e"), rsa_jwk(&RSA, "r"));
    let public = RsaPublicKey::from(&*RSA);
    let point = key.verifying_key().to_encoded_point(false);
    let secrets: Vec<Vec<u8>> = vec![
        public.to_public_key_pem(LineEnding::LF).expect("PEM").into_bytes(),
        public.to_public_key_der().expect("DER").into_vec(),
        rsa.to_string().into_bytes(),
        rsa["n"].as_str().expect("a modulus").as_bytes().to_vec(),
        ec.to_string().into_bytes(),
        point.as_bytes().to_vec(),
        ec["x"].as_str().expect("a coordinate").as_bytes().to_vec(),
    ];
    for secret in secrets {
        for id in ["e", "r"] {
            let header = json!({"alg": "HS256", "kid": id});
            let token = sign(&Hs256, &Hs256Key::new(&secret), &header, &payload(&json!({})));
            for own in [None, Some(SECRET)] {
                let project = Project::with_secret(&[ec.clone(), rsa.clone()], own);
                assert!(project.refuses(&token).await, "{id}");
            }
        }
    }
}

#[tokio::test]
async fn a_published_secret_is_no_secret() {
    let oct = json!({"kty": "oct", "k": base64url(SECRET.as_bytes()), "kid": "o", "alg": "HS256"});
    let project = Project::publishing(&[oct]);
    for header in [json!({"alg": "HS256", "kid": "o"}), json!({"alg": "HS256"})] {
        let token = sign(&Hs256, &Hs256Key::new(SECRET), &header, &payload(&json!({})));
        assert!(project.refuses(&token).await);
    }
}

#[tokio::test]
async fn a_key_verifies_by_its_own_algorithm_only() {
    let key = ec_key();
    let project = Project::publishing(&[ec_jwk(&key, "e"), rsa_jwk(&RSA, "r")]);
    let claims = payload(&json!({}));
    assert!(project.refuses(&es256(&key, "r")).await);
    assert!(project.refuses(&rs256(&RSA, "e")).await);
    for (header, algorithm) in [("RS512", Rsa::rs512()), ("PS256", Rsa::ps256()), ("RS256", Rsa::ps256())] {
        let token = sign(&algorithm, &RSA, &json!({"alg": header, "kid": "r"}), &claims);
        assert!(project.refuses(&token).await, "{header}");
    }
    assert!(project.refuses(&sign(&Es256, &key, &json!({"alg": "RS256", "kid": "e"}), &claims)).await);
    assert!(project.refuses(&sign(&Rsa::rs256(), &RSA, &json!({"alg": "ES256", "kid": "r"}), &claims)).await);
}

#[tokio::test]
async fn a_key_for_something_else_verifies_nothing() {
    let (key, other) = (ec_key(), ec_key());
    for change in [
        json!({"use": "enc"}),
        json!({"key_ops": ["sign"]}),
        json!({"key_ops": []}),
        json!({"alg": "ES384"}),
        json!({"alg": "RS256"}),
        json!({"alg": "none"}),
        json!({"d": base64url(&[1; 32])}),
        json!({"kty": "RSA"}),
        json!({"kty": "oct"}),
        json!({"crv": "secp256k1"}),
        json!({"crv": "P-384"}),
        json!({"x": base64url(&[1; 31])}),
        // A point off the curve, and one at the field's end.
        json!({"x": base64url(&[2; 32])}),
        json!({"x": base64url(&[0xff; 32])}),
        json!({"x": "é", "y": 7}),
        json!({"kid": 7}),
    ] {
        let project = Project::publishing(&[with(ec_jwk(&key, "e"), &change), ec_jwk(&other, "o")]);
        assert!(project.refuses(&es256(&key, "e")).await, "{change}");
        assert!(project.accepts(&es256(&other, "o")).await, "{change} takes no other key with it");
    }
    for change in [json!({"alg": "RS512"}), json!({"use": "enc"}), json!({"e": "AA"}), json!({"n": "AQ"})] {
        let project = Project::publishing(&[with(rsa_jwk(&RSA, "r"), &change)]);
        assert!(project.refuses(&rs256(&RSA, "r")).await, "{change}");
    }
}

#[tokio::test]
async fn an_rsa_key_of_less_than_2048_bits_verifies_nothing() {
    for bits in [512, 1024] {
        let weak = weak_rsa_key(bits);
        let project = Project::publishing(&[rsa_jwk(&weak, "r")]);
        assert!(project.refuses(&rs256(&weak, "r")).await, "{bits}");
    }
}

#[tokio::test]
async fn a_token_names_its_key_where_there_are_several() {
    let (one, two) = (ec_key(), ec_key());
    let nameless = json!({"alg": "ES256"});
    let token = sign(&Es256, &one, &nameless, &payload(&json!({})));
    let project = Project::publishing(&[ec_jwk(&one, "1"), rsa_jwk(&RSA, "r")]);
    assert!(project.accepts(&token).await, "the only key for ES256");
    let project = Project::publishing(&[with(ec_jwk(&one, "1"), &json!({"kid": null}))]);
    assert!(project.accepts(&token).await);
    project.pass(60);
    assert!(project.refuses(&es256(&one, "1")).await, "nobody is called 1");
    let project = Project::publishing(&[ec_jwk(&one, "1"), ec_jwk(&two, "2")]);
    assert!(project.refuses(&token).await, "which one?");
    assert!(project.refuses(&es256(&one, "2")).await);
    project.pass(60);
    assert!(project.refuses(&es256(&one, "3")).await);
    let project = Project::publishing(&[ec_jwk(&one, "1"), ec_jwk(&two, "1"), rsa_jwk(&RSA, "1")]);
    for token in [es256(&one, "1"), es256(&two, "1"), rs256(&RSA, "1")] {
        assert!(project.accepts(&token).await, "an id given twice names either");
    }
    assert!(project.refuses(&es256(&ec_key(), "1")).await);
}

#[tokio::test]
async fn a_key_that_a_token_brings_along_is_not_looked_at() {
    let (ours, theirs) = (ec_key(), ec_key());
    let project = Project::publishing(&[ec_jwk(&ours, "e")]);
    let brought = json!({"jwk": ec_jwk(&theirs, "e"), "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/cert.pem", "x5c": ["AA=="]});
    assert!(project.refuses(&with_header(&theirs, &brought)).await);
    assert!(project.accepts(&with_header(&ours, &brought)).await);
    assert!(project.refuses(&with_header(&ours, &json!({"crit": ["exp"]}))).await);
    assert_eq!(project.fetches(), 1);
}

#[tokio::test]
async fn a_signature_is_two_numbers_of_32_bytes_and_neither_is_zero() {
    let key = ec_key();
    let project = Project::publishing(&[ec_jwk(&key, "e")]);
    let text = unsigned(&json!({"alg": "ES256", "kid": "e"}), &payload(&json!({})));
    let right = Es256.sign(&key, text.as_bytes());
    let bytes = right.as_bytes().into_owned();
    let zero_r = [&[0; 32], &bytes[32..]].concat();
    let zero_s = [&bytes[..32], &[0; 32]].concat();
    let order = [&bytes[..32], &[0xff; 32]].concat();
    let long = [&bytes[..], &[0]].concat();
    let der = right.to_der().as_bytes().to_vec();
    assert!(project.accepts(&format!("{text}.{}", base64url(&bytes))).await);
    for wrong in [zero_r, zero_s, vec![0; 64], order, long, bytes[..63].to_vec(), Vec::new(), der] {
        assert!(project.refuses(&format!("{text}.{}", base64url(&wrong))).await, "{} bytes", wrong.len());
    }
}

#[tokio::test]
async fn what_is_too_long_or_no_token_is_refused() {
    let key = ec_key();
    let project = Project::publishing(&[ec_jwk(&key, "e")]);
    let filled = |length: usize| with_claims(&key, &json!({"filler": "x".repeat(length)}));
    assert!(project.accepts(&filled(5500)).await, "it is about 7.7 KiB");
    let long = filled(6000);
    assert!(long.len() > 8192 && project.refuses(&long).await);
    let right = es256(&key, "e");
    let parts: Vec<&str> = right.split('.').collect();
    for garbage in ["", "é", "====", "AA", "bnVsbA", "e30", "W10", "eyJhbGciOjF9", "_-_-", "A"] {
        for place in 0..3 {
            let mut changed = parts.clone();
            changed[place] = garbage;
            assert!(project.refuses(&changed.join(".")).await, "{garbage} at {place}");
        }
    }
    for token in [format!("{right}."), format!(".{right}"), right.replace('.', "..")] {
        assert!(project.refuses(&token).await);
    }
}

#[tokio::test]
async fn no_byte_of_a_token_can_be_changed() {
    let key = ec_key();
    let secret = Hs256Key::new(SECRET);
    let project = Project::with_secret(&[ec_jwk(&key, "e"), rsa_jwk(&RSA, "r")], Some(SECRET));
    let hs256 = sign(&Hs256, &secret, &json!({"alg": "HS256"}), &payload(&json!({})));
    for right in [es256(&key, "e"), rs256(&RSA, "r"), hs256] {
        assert!(project.accepts(&right).await);
        for place in 0..right.len() {
            let mut bytes = right.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("a text");
            assert!(!project.accepts(&changed).await, "changed at {place}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn no_change_of_a_tokens_bytes_is_let_in(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let project = Project::with_secret(&[], Some(SECRET));
        let right = sign(&Hs256, &Hs256Key::new(SECRET), &json!({"alg": "HS256"}), &payload(&json!({})));
        let mut bytes = right.clone().into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let changed = String::from_utf8_lossy(&bytes);
        let is_in = outcome(project.accepts(&changed));
        prop_assert_eq!(is_in, changed == right);
    }

    #[test]
    fn no_text_panics_the_verifier(parts in prop::collection::vec(".{0,80}", 0..5), header in "\\PC{0,60}", claims in "\\PC{0,60}") {
        let project = Project::with_secret(&[], Some(SECRET));
        prop_assert!(!outcome(project.accepts(&parts.join("."))));
        let token = format!("{}.{}.AAAA", base64url(header.as_bytes()), base64url(claims.as_bytes()));
        prop_assert!(!outcome(project.accepts(&token)));
    }

    #[test]
    fn no_bytes_panic_the_reader_of_keys(bytes in prop::collection::vec(any::<u8>(), 0..200), kty in "EC|RSA|oct|OKP|.{0,3}", x in "[A-Za-z0-9_-]{0,50}|[A-Za-z0-9_-]{43}") {
        let _ = KeySet::parse(&bytes);
        let page = json!({"keys": [{"kty": kty, "crv": "P-256", "x": x, "y": x, "n": x, "e": x, "k": x, "kid": x}]});
        // Whether the point is on the curve the host sees.
        let is_point = kty == "EC" && Base64UrlUnpadded::decode_vec(&x).is_ok_and(|bytes| bytes.len() == 32);
        let known = KeySet::parse(page.to_string().as_bytes()).map(|keys| keys.knows("ES256", None));
        prop_assert_eq!(known, Ok(is_point));
    }
}
