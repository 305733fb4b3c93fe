//! Each rule, seen to find its fault in files that were right before.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Installation, RULES};
use crate::test::manifests::compose::FILES;

fn whole() -> Result<Installation> {
    Installation::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &FILES)
}

fn findings(installation: &Installation) -> String {
    let all = RULES
        .iter()
        .flat_map(|(rule, find)| find(installation).into_iter().map(move |what| format!("{rule}: {what}")));
    all.collect::<Vec<_>>().join("\n")
}

/// The rule by its number; the service; the place in it and what is written there, in JSON; what is found.
const FAULTS: &[(usize, &str, &str, &str, &str)] = &[
    (0, "edge-1", "read_only", "false", "edge-1: its root can be written to"),
    (0, "jobs", "cap_drop", r#"["NET_RAW"]"#, "it keeps capabilities"),
    (0, "proxy", "cap_add", r#"["NET_BIND_SERVICE"]"#, "it takes NET_BIND_SERVICE back"),
    (0, "database", "cap_add", r#"["SYS_ADMIN"]"#, "it takes SYS_ADMIN back"),
    (0, "rest", "security_opt", "[]", "it may gain rights"),
    (0, "auth", "privileged", "true", "it has privileged"),
    (0, "edge-2", "network_mode", r#""host""#, "it has network_mode"),
    (0, "edge-2", "user", r#""0:65532""#, "it is root"),
    (0, "edge-2", "user", "null", "it is root"),
    (1, "database", "ports", r#"["5432:5432"]"#, "database: it is published"),
    (1, "proxy", "ports", "null", "the proxy is not"),
    (2, "edge-1", "deploy", "null", "its memory have no bound"),
    (2, "proxy", "tmpfs", r#"["/tmp"]"#, "/tmp has no bound"),
    (2, "proxy", "logging", "null", "its log has no bound"),
    (3, "database", "image", r#""postgres:17""#, "its image is \"postgres:17\""),
    (3, "edge-1", "build", r#"".""#, "its image is"),
    (4, "edge-1", "stop_grace_period", r#""30s""#, "30 s for 30 s"),
    (4, "edge-1", "command", r#"["serve", "--stop-delay=20", "--stop-seconds=30"]"#, "45 s for 50 s"),
    (4, "jobs", "stop_grace_period", "null", "0 s for 10 s"),
    (5, "rest", "healthcheck", "null", "nobody asks"),
    (5, "rest", "healthcheck", r#"{"test": ["CMD", "true"]}"#, "nobody asks"),
    (5, "jobs", "restart", r#""no""#, "restart is"),
    (5, "migrate", "restart", r#""unless-stopped""#, "restart is"),
    (6, "proxy", "depends_on", r#"["edge-1"]"#, "it does not say"),
    (6, "proxy", "depends_on", r#"{"jobs": {"condition": "service_healthy"}}"#, "jobs never is"),
    (6, "proxy", "depends_on", r#"{"edge": {"condition": "service_started"}}"#, "edge never is"),
    (6, "proxy", "depends_on", r#"{"edge-1": {"condition": "service_completed_successfully"}}"#, "never is"),
    (7, "edge-1", "environment", r#"{"OPS_TOKEN": "x"}"#, "OPS_TOKEN is said here"),
    (7, "rest", "environment", r#"{"PGRST_DB_URI": "x"}"#, "PGRST_DB_URI is said here"),
    (7, "jobs", "env_file", r#"["./jobs.env"]"#, "./jobs.env is not below"),
    (7, "edge-1", "secrets", r#"["edge"]"#, "there is no secret edge"),
    (8, "edge-1", "volumes", r#"["./mps.yml:/etc/mps/mps.yml"]"#, "can be written to"),
    (8, "proxy", "volumes", r#"["/srv/tls:/etc/mps/tls:ro"]"#, "is of one machine"),
    (9, "database", "networks", r#"{"front": {"ipv4_address": "172.30.87.20"}}"#, "a way out"),
    (10, "rest", "networks", "null", "it is in no network"),
    (10, "edge-1", "networks", r#"{"front": {"ipv4_address": "172.30.87.12"}}"#, "is another's too"),
    (10, "edge-1", "networks", r#"{"front": {"ipv4_address": "172.30.88.19"}}"#, "is not in front"),
    (10, "edge-1", "networks", r#"{"front": null}"#, "is not in front"),
    (11, "edge-1", "networks", r#"{"front": {"ipv4_address": "172.30.87.14"}}"#, "the proxy has"),
    (11, "jobs", "command", r#"["jobs", "--edge=http://172.30.87.11:8787", "watch"]"#, "jobs has"),
    (12, "edge-1", "environment", r#"{"SUPABASE_REST": "x"}"#, "the edge reads no SUPABASE_REST"),
];

#[test]
fn our_own_files_are_right() -> Result<()> {
    assert_eq!(findings(&whole()?), "");
    let first = Installation::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &FILES[..1])?;
    assert_eq!(findings(&first), "");
    assert!(!first.services.contains_key("database"));
    Ok(())
}

#[test]
fn each_rule_finds_its_fault() -> Result<()> {
    let mut tried = vec![false; RULES.len()];
    for (rule, service, place, value, found) in FAULTS {
        let mut installation = whole()?;
        let fault: Value = serde_json::from_str(value).with_context(|| (*value).to_owned())?;
        installation.services.get_mut(*service).context("a service")?[*place] = fault;
        let (title, find) = RULES[*rule];
        let all = find(&installation).join("\n");
        assert!(all.contains(found), "{title}: {service} {place}: {value}: {all}");
        tried[*rule] = true;
    }
    assert!(tried.iter().all(|tried| *tried), "{tried:?}");
    Ok(())
}

#[test]
fn a_secret_in_a_file_of_ours_is_found() -> Result<()> {
    let mut installation = whole()?;
    installation.secrets["edge_env"] = serde_json::json!({"environment": "EDGE_ENV"});
    assert!(findings(&installation).contains("edge_env is not below"));
    Ok(())
}

#[test]
fn a_network_that_lets_the_database_out_is_found() -> Result<()> {
    let mut installation = whole()?;
    installation.networks["back"]["internal"] = false.into();
    assert!(findings(&installation).contains("database: it is in a network that has a way out"));
    Ok(())
}
