//! The classifier against recorded bodies, and against any bytes at all.
#![allow(clippy::expect_used)]

use std::fs;
use std::path::Path;

use mps_client::classify::classify;
use mps_client::{CallerKind, RpcError};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Recording {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rule: String,
    status: u16,
    caller: String,
    body: String,
    expected: Value,
}

fn caller_kind(name: &str) -> CallerKind {
    match name {
        "anonymous" => CallerKind::Anonymous,
        "service" => CallerKind::Service,
        "user" => CallerKind::User,
        other => panic!("no caller: {other}"),
    }
}

fn describe(error: &RpcError) -> Value {
    let named = |class: &str| json!({"class": class, "upstream": error.upstream().map(mps_client::UpstreamCode::as_str)});
    match error {
        RpcError::Refused(refusal) => {
            json!({"class": "refused", "code": refusal.code.as_str(), "params": refusal.params})
        }
        RpcError::Contention(_) => named("contention"),
        RpcError::Unavailable(_) => named("unavailable"),
        RpcError::Drift(_) => named("drift"),
        RpcError::Bug(_) => named("bug"),
    }
}

#[test]
fn every_recorded_body_has_the_meaning_that_is_written_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contract");
    let mut cases = 0;
    for file in fs::read_dir(folder).expect("tests/contract is there") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("a readable recording");
        let recording: Recording = serde_json::from_str(&text).expect("a recording");
        for case in recording.cases {
            let error = classify(case.status, case.body.as_bytes(), caller_kind(&case.caller));
            assert_eq!(describe(&error), case.expected, "{}", case.rule);
            cases += 1;
        }
    }
    assert!(cases >= 85, "only {cases} cases");
}

#[test]
fn the_hint_and_the_message_never_leave_the_classifier() {
    let body =
        br#"{"code":"23514","message":"SECRET-MESSAGE","details":"SECRET-DETAILS","hint":"SECRET-HINT"}"#;
    assert!(!format!("{:?}", classify(400, body, CallerKind::User)).contains("SECRET"));
    let body = br#"{"code":"PT402","message":"INSUFFICIENT_BALANCE","details":"{\"x\":\"SECRET\"}","hint":"SECRET"}"#;
    assert!(!format!("{:?}", classify(402, body, CallerKind::User)).contains("SECRET"));
}

/// Any JSON, biased to the names and codes that the classifier looks at.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        Just("PT402".to_owned()),
        Just("PT".to_owned()),
        Just("PTÄ".to_owned()),
        Just("SUP".to_owned()),
        Just("42501".to_owned()),
        Just("PGRST".to_owned()),
        Just("ééé".to_owned()),
        "\\PC{0,12}",
        "[0-9A-Z]{5}",
    ];
    let details = prop_oneof!["\\PC{0,40}", Just("{\"tx_no\":[[[1]]]}".to_owned()), Just("[]".to_owned())];
    let shaped =
        (code, "\\PC{0,40}", details, any::<bool>()).prop_map(|(code, message, details, is_text)| {
            let details = if is_text { json!(details) } else { json!({ "limit": details }) };
            json!({"code": code, "message": message, "details": details, "hint": message})
                .to_string()
                .into_bytes()
        });
    prop_oneof![shaped, prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_bytes_panic_the_classifier(status in any::<u16>(), body in any_body(), cut in any::<prop::sample::Index>()) {
        for caller in [CallerKind::Anonymous, CallerKind::User, CallerKind::Service] {
            let error = classify(status, &body, caller);
            prop_assert!(error.upstream().is_none_or(|code| code.as_str().len() <= 10));
            classify(status, &body[..cut.index(body.len() + 1)], caller);
        }
    }

    #[test]
    fn a_refusal_never_carries_a_param_that_the_catalogue_does_not_name(name in "[a-z_]{1,20}", value in "\\PC{0,20}") {
        for code in mps_core::ErrorCode::ALL {
            let details = json!({ name.as_str(): value }).to_string();
            let body = json!({"code": "PT400", "message": code.as_str(), "details": details}).to_string();
            match classify(400, body.as_bytes(), CallerKind::User) {
                RpcError::Refused(refusal) => {
                    prop_assert_eq!(refusal.code, code);
                    prop_assert!(refusal.params.keys().all(|key| code.params().contains(&key.as_str())));
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

/// Every row of the table has a body that shows what it means: whoever adds one records what it is for.
#[test]
fn every_row_of_the_table_of_codes_has_a_recorded_body() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let table = fs::read_to_string(root.join("spec/upstream_codes.toml")).expect("the table");
    let values = |key: &str| -> Vec<String> {
        let lines = table.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        lines.map(|rest| rest.trim_end_matches('"').to_owned()).collect()
    };
    let mut bodies = Vec::new();
    for file in fs::read_dir(root.join("tests/contract")).expect("tests/contract is there") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("a readable recording");
        let recording: Recording = serde_json::from_str(&text).expect("a recording");
        bodies.extend(
            recording.cases.into_iter().filter_map(|case| serde_json::from_str::<Value>(&case.body).ok()),
        );
    }
    let text = |body: &Value, name: &str| body[name].as_str().unwrap_or_default().to_owned();
    for prefix in values("prefix") {
        assert!(bodies.iter().any(|body| text(body, "code").starts_with(&prefix)), "{prefix}");
    }
    for phrase in values("text") {
        let shows = |body: &Value| body["code"] == "SUP" && text(body, "message").contains(&phrase);
        assert!(bodies.iter().any(shows), "{phrase}");
    }
}
