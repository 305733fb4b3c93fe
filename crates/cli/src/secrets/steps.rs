//! What is to be restarted after a rotation, and in which order: whoever verifies before whoever signs or shows.

use chrono::{DateTime, Utc};

use super::catalog::{DATABASE_PASSWORD, DATABASE_URL, JWT_SECRET, Kind, SECRET_KEY};
use super::document::{Document, shown};
use super::token::ServiceToken;

const EDGES: &str =
    "Every edge, one after the other: hand it the secrets anew (`mps secrets render`) and restart it.";

/// In plain words, in order. `until` is when the value before stops to count.
pub(crate) fn after_rotation(kind: &Kind, document: &Document, until: Option<DateTime<Utc>>) -> Vec<String> {
    let name = kind.name;
    let mut steps = match name {
        SECRET_KEY => vec![
            EDGES.to_owned(),
            "Once all of them run with the new key, delete the former one where it was made (Supabase: Settings, API keys)."
                .to_owned(),
        ],
        JWT_SECRET => jwt_secret(document, until.is_some()),
        "OPS_TOKEN" => operator_token("whoever calls /ops (jobs, `mps`) or /metrics with it", until.is_some()),
        "METRICS_TOKEN" => operator_token("Prometheus, and have it read its configuration again", until.is_some()),
        DATABASE_URL => vec![
            "The database first: its role must have the new password before mps connects with it (`\\password` in psql).".to_owned(),
            "Restart what runs all the time with it; every other command of mps reads it when it starts.".to_owned(),
        ],
        DATABASE_PASSWORD => vec![
            format!("The database first: `mps secrets get {name} --reveal`, then `\\password authenticator` in psql."),
            "PostgREST at once after it: `mps secrets render --for postgrest`, restart. Connections that are open go on meanwhile; new ones \
             with the former password are refused."
                .to_owned(),
            "Where DATABASE_URL is of the same role: `mps secrets rotate DATABASE_URL`.".to_owned(),
        ],
        "WECHAT_PRIVATE_KEY" => vec![
            "providers.wechat.serial_no in the configuration: of the certificate that belongs to the new key.".to_owned(),
            "Every edge, one after the other: hand it the configuration and the secrets anew (`mps config render`, `mps secrets render`) and \
             restart it."
                .to_owned(),
            "Once all of them run with the new key, revoke the former certificate at WeChat Pay.".to_owned(),
        ],
        "WECHAT_API_V3_KEY" => vec![
            EDGES.to_owned(),
            "Then WeChat Pay: enter the new key on its merchant platform. Until now it has encrypted with the former one.".to_owned(),
        ],
        _ => vec![
            "Alipay: enter the public key that belongs to the new key in the app's settings.".to_owned(),
            format!("{EDGES} What an edge signs with the former key meanwhile is refused; the same Idempotency-Key goes on with the order."),
        ],
    };
    match until {
        Some(until) => steps.push(format!(
            "After {}, and not before: `mps secrets drop-previous {name}`, and step 1 again. Then the former value is refused.",
            shown(until)
        )),
        None if kind.overlap_hours.is_some() => {
            steps.push("Nothing overlaps: whoever still has the former value is refused from step 1 on.".to_owned());
        }
        None => {}
    }
    steps.into_iter().enumerate().map(|(index, step)| format!("{}. {step}", index + 1)).collect()
}

fn jwt_secret(document: &Document, overlaps: bool) -> Vec<String> {
    let takes = if overlaps { "both secrets" } else { "the new secret only" };
    let mut steps = vec![format!(
        "Who verifies: every edge (`mps secrets render`, restart), then PostgREST (`mps secrets render --for postgrest`, restart). From then \
         on they take {takes}."
    )];
    let is_token = |document: &Document| {
        document.get(SECRET_KEY).is_some_and(|entry| ServiceToken::parse(entry.value.expose()).is_some())
    };
    if is_token(document) {
        steps.push(format!(
            "{SECRET_KEY} is a token that the former secret signed: sign one with the new secret, `mps secrets rotate {SECRET_KEY}`, and the \
             edges again; likewise the publishable key, where it is a token."
        ));
    }
    steps.push(format!(
        "Who signs, last: hand Auth the new secret (GOTRUE_JWT_SECRET; `mps secrets get {JWT_SECRET} --reveal`) and restart it."
    ));
    if overlaps {
        steps.push(
            "Wait as long as an access token lives (an hour at Supabase unless you changed it): the last one of the former secret was signed \
             just before Auth restarted."
                .to_owned(),
        );
    }
    steps
}

fn operator_token(whom: &str, overlaps: bool) -> Vec<String> {
    let takes = if overlaps { "both tokens" } else { "the new token only" };
    vec![format!("{EDGES} From then on it takes {takes}."), format!("Then hand the new one to {whom}.")]
}

#[cfg(test)]
mod tests {
    use super::super::catalog::KINDS;
    use super::super::value::Secret;
    use super::*;

    fn steps(name: &str, document: &Document, until: Option<i64>) -> String {
        let until = until.and_then(|second| DateTime::from_timestamp(second, 0));
        after_rotation(Kind::find(name).unwrap(), document, until).join("\n")
    }

    #[test]
    fn of_the_jwt_secret_verifiers_come_before_the_signer_and_the_former_goes_last() {
        let text = steps(JWT_SECRET, &Document::default(), Some(0));
        let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("{word}: {text}"));
        assert!(at("every edge") < at("then PostgREST"));
        assert!(at("then PostgREST") < at("hand Auth"));
        assert!(at("hand Auth") < at("drop-previous SUPABASE_JWT_SECRET"));
        assert!(text.contains("After 1970-01-01T00:00:00Z"), "{text}");
    }

    #[test]
    fn a_key_that_is_a_token_is_signed_anew_before_the_signer_changes() {
        let mut document = Document::default();
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.AAAA";
        document.set(SECRET_KEY, Secret::new("sb_secret_x".to_owned()), DateTime::UNIX_EPOCH);
        assert!(!steps(JWT_SECRET, &document, Some(0)).contains("rotate SUPABASE_SECRET_KEY"));
        document.set(SECRET_KEY, Secret::new(token.to_owned()), DateTime::UNIX_EPOCH);
        let text = steps(JWT_SECRET, &document, Some(0));
        assert!(text.find("rotate SUPABASE_SECRET_KEY") < text.find("hand Auth"), "{text}");
    }

    #[test]
    fn each_kind_has_steps_and_without_an_overlap_they_say_so() {
        for kind in KINDS {
            let text = steps(kind.name, &Document::default(), None);
            assert!(text.starts_with("1. ") && text.contains("\n2. "), "{}: {text}", kind.name);
            assert_eq!(
                text.contains("Nothing overlaps"),
                kind.overlap_hours.is_some(),
                "{}: {text}",
                kind.name
            );
            assert!(!text.contains("drop-previous"), "{}: {text}", kind.name);
        }
    }
}
