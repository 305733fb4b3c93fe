//! Each fault is planted, found, and named with what to do; where there is none nothing is said.

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::installation::{FAR_AHEAD, Installation, LONG_AGO, SECRET_KEY, STRONG, STRONG_TOO};

/// One finding, about that, which says this and what to do.
fn found(installation: &Installation, about: &str, words: &[&str]) {
    let (names, text) = installation.audit();
    assert_eq!(names, [about], "{text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
    for value in [SECRET_KEY, STRONG, STRONG_TOO] {
        assert!(!text.contains(value), "{text}");
    }
}

fn silent(installation: &Installation) {
    assert_eq!(installation.audit().0, [""; 0]);
}

#[test]
fn nothing_is_said_against_a_good_one() {
    let installation = Installation::ready();
    silent(&installation);
    let run = installation.run(&["audit"]);
    assert!(run.ok().contains("nothing to say against it"));
    installation.run(&["rotate", "OPS_TOKEN"]).ok();
    silent(&installation);
}

#[test]
fn what_is_missing_is_found() {
    let installation = Installation::ready();
    installation.run(&["remove", "SUPABASE_SECRET_KEY", "--yes"]).ok();
    found(&installation, "SUPABASE_SECRET_KEY", &["missing", "mps secrets set SUPABASE_SECRET_KEY"]);
    installation.run_with(&["set", "SUPABASE_SECRET_KEY"], SECRET_KEY).ok();
    installation.change(|config| config["supabase"]["jwks_url"] = "off".into());
    found(&installation, "SUPABASE_JWT_SECRET", &["missing", "mps secrets init"]);
}

#[test]
fn what_is_old_is_found_by_its_own_limit() {
    let installation = Installation::ready();
    let days_ago = |days: i64| {
        let at = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now())
            - chrono::TimeDelta::days(days);
        json!(at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
    };
    installation.edit(|secrets| secrets["OPS_TOKEN"]["set_at"] = days_ago(181));
    found(&installation, "OPS_TOKEN", &["181 days old", "180 are the limit", "mps secrets rotate OPS_TOKEN"]);
    installation.edit(|secrets| secrets["OPS_TOKEN"]["set_at"] = days_ago(180));
    installation.edit(|secrets| secrets["SUPABASE_SECRET_KEY"]["set_at"] = days_ago(365));
    silent(&installation);
}

#[test]
fn what_is_weak_or_known_to_everybody_is_found() {
    let installation = Installation::ready();
    let plant = |name: &'static str, value: &'static str| {
        installation.edit(move |secrets| secrets[name] = json!({"value": value, "set_at": FAR_AHEAD}));
    };
    plant("OPS_TOKEN", "0123456789012345678901234567890123456789");
    found(&installation, "OPS_TOKEN", &["guessed too soon", "mps secrets rotate OPS_TOKEN"]);
    installation.run_with(&["set", "OPS_TOKEN"], STRONG).ok();
    plant("SUPABASE_JWT_SECRET", "super-secret-jwt-token-with-at-least-32-characters-long");
    found(&installation, "SUPABASE_JWT_SECRET", &["documentation", "mps secrets rotate SUPABASE_JWT_SECRET"]);
}

#[test]
fn an_overlap_that_is_over_is_found_and_one_that_runs_is_not() {
    let installation = Installation::ready();
    let plant = |until: &'static str| {
        let previous = json!({"value": STRONG, "until": until});
        installation.edit(|secrets| secrets["OPS_TOKEN"]["previous"] = previous.clone());
    };
    plant(LONG_AGO);
    found(&installation, "OPS_TOKEN", &["2020-01-01", "mps secrets drop-previous OPS_TOKEN"]);
    plant(FAR_AHEAD);
    silent(&installation);
}

#[test]
fn one_value_under_two_names_is_found() {
    let installation = Installation::ready();
    installation.run_with(&["set", "OPS_TOKEN"], STRONG).ok();
    installation.run_with(&["set", "METRICS_TOKEN"], STRONG).ok();
    found(&installation, "OPS_TOKEN", &["the same as METRICS_TOKEN", "mps secrets rotate OPS_TOKEN"]);
}

#[test]
fn a_name_that_mps_does_not_know_is_found_and_handed_to_nobody() {
    let installation = Installation::ready();
    installation.edit(|secrets| secrets["OPS_TOKNE"] = json!({"value": STRONG, "set_at": FAR_AHEAD}));
    found(&installation, "OPS_TOKNE", &["knows no such secret", "mps secrets remove OPS_TOKNE --yes"]);
    assert!(installation.run(&["list"]).ok().contains("OPS_TOKNE"));
    assert!(!installation.run(&["render", "--for", "env"]).ok().contains(STRONG));
    // A change of another one keeps it: it may be a newer version's.
    installation.run(&["rotate", "OPS_TOKEN"]).ok();
    assert!(installation.contents()["secrets"].get("OPS_TOKNE").is_some());
    installation.run(&["remove", "OPS_TOKNE", "--yes"]).ok();
    silent(&installation);
}

#[test]
fn files_that_others_may_read_or_write_are_found() {
    let installation = Installation::ready();
    installation.set_mode("secrets.age", 0o644);
    found(&installation, "store", &["secrets.age has mode 0644", "chmod 600"]);
    installation.set_mode("secrets.age", 0o600);
    installation.set_mode("mps.yml", 0o664);
    found(&installation, "configuration", &["mode 0664", "chmod go-w"]);
    installation.set_mode("mps.yml", 0o644);
    // It cannot be opened then, which is a finding too and no failure.
    installation.set_mode("identity.txt", 0o640);
    let (names, text) = installation.audit();
    assert_eq!(names, ["store", "store"], "{text}");
    assert!(text.contains("identity.txt has mode 0640") && text.contains("was not looked at"), "{text}");
    installation.set_mode("identity.txt", 0o600);
    silent(&installation);
}

fn token(claims: &Value, secret: &str) -> String {
    let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&signed);
    format!("{signed}.{}", Base64UrlUnpadded::encode_string(&mac.finalize().into_bytes()))
}

/// Of a project whose keys are signed tokens: a rotation of the secret ends the key, too.
#[test]
fn a_key_that_its_secret_no_longer_signs_is_found() {
    let installation = Installation::ready();
    let claims = json!({"role": "service_role", "exp": 32_503_680_000_i64});
    let name = "SUPABASE_SECRET_KEY";
    installation.run_with(&["set", "SUPABASE_JWT_SECRET"], STRONG).ok();
    installation.run_with(&["set", name], &token(&claims, STRONG)).ok();
    silent(&installation);
    let said = installation.run_with(&["rotate", "SUPABASE_JWT_SECRET", "--given"], STRONG_TOO).ok();
    assert!(said.contains("mps secrets rotate SUPABASE_SECRET_KEY"), "{said}");
    found(
        &installation,
        name,
        &["of the former SUPABASE_JWT_SECRET", "mps secrets rotate SUPABASE_SECRET_KEY"],
    );
    installation.run(&["drop-previous", "SUPABASE_JWT_SECRET"]).ok();
    found(&installation, name, &["did not sign"]);
    installation.run_with(&["rotate", name], &token(&claims, STRONG_TOO)).ok();
    silent(&installation);
    let ending = json!({"role": "service_role", "exp": 1_600_000_000});
    installation.run_with(&["rotate", name], &token(&ending, STRONG_TOO)).ok();
    found(&installation, name, &["ends at 2020-09-13"]);
    let anybodys = token(&json!({"role": "anon"}), STRONG_TOO);
    assert!(installation.run_with(&["rotate", name], &anybodys).refused().contains("another role"));
}
