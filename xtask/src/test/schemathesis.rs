//! The stage `schemathesis`: requests of every shape that openapi.json describes, and of shapes that it does not, against the running
//! Worker. No answer may be a failure of the server or one that the document does not have.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::TestContext;
use super::tally::Tally;
use super::web::Backend;
use crate::build;
use crate::process::{self, free_port};
use crate::report;
use crate::services::http;
use crate::services::keys::Keys;
use crate::services::lite::Project;
use crate::setup::schemathesis;

const DATABASE: &str = "mps_schemathesis";
const DEMO_PASSWORD: &str = "demo-password-1234";

/// Who asks, as what may be asked and what is behind an address depends on it, and how: every shape once, and shapes at random. A short run
/// has the first.
const PEOPLE: &[(&str, &str)] = &[("admin", "coverage,fuzzing"), ("cashier", "fuzzing"), ("ming", "fuzzing")];

/// Everything but what depends on the order of the calls, and but `positive_data_acceptance`: a right shape is not yet a right request.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,ignored_auth";

/// Where there is no payment provider these answer that it is not configured; tests/e2e plays both.
const OF_PROVIDERS: &[&str] =
    &["--exclude-path-regex", "^/api/webhooks/", "--exclude-operation-id", "createRechargeOrder"];

pub(super) fn stage(context: &mut TestContext) -> Result<Tally> {
    let (repository, is_long) = (context.repository, context.is_long);
    build::edge(repository)?;
    let cluster = context.cluster()?.cluster();
    cluster.create(DATABASE)?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let keys = Keys::random()?;
    report::progress("applying the migrations and the demo data through Supabase Lite");
    let database = cluster.url(DATABASE);
    let project = Project::on_postgres(repository, folder.path(), free_port(0)?, &keys, &database)?;
    let ops_token = Keys::random()?.jwt_secret;
    let mut backend =
        Backend::start(repository, &project, &keys, "schemathesis", "", &[("OPS_TOKEN", &ops_token)])?;
    let mut tally = Tally::default();
    let people = if is_long { PEOPLE } else { &PEOPLE[..1] };
    for (person, phases) in people {
        let token = sign_in(backend.lite.port(), &keys.publishable, person)?;
        report::progress(&format!("schemathesis as {person}"));
        tally += Tally::of(run(&backend.edge.url(), &token, &ops_token, folder.path(), phases)?);
    }
    backend.show_logs_of(tally);
    Ok(tally)
}

fn sign_in(port: u16, publishable_key: &str, person: &str) -> Result<String> {
    let body = json!({"email": format!("{person}@demo.example"), "password": DEMO_PASSWORD}).to_string();
    let headers = [("apikey", publishable_key), ("content-type", "application/json")];
    let answer =
        http::answer(http::local(port), "POST", "/auth/v1/token?grant_type=password", &headers, &body);
    let (status, text) = answer.context("Supabase Auth does not answer")?;
    ensure!(status == 200, "Supabase Auth answered {status} to {person}: {text}");
    let body: Value = serde_json::from_str(&text).context("Supabase Auth answered no JSON")?;
    body["access_token"].as_str().map(str::to_owned).context("Supabase Auth gave no access token")
}

fn run(edge_url: &str, token: &str, ops_token: &str, folder: &Path, phases: &str) -> Result<bool> {
    // The tokens go in a file: a command line is everybody's to read.
    let config = folder.join("schemathesis.toml");
    let text = format!(
        "[auth.openapi.bearer]\nbearer = {}\n[auth.openapi.operator]\nbearer = {}\n",
        json!(token),
        json!(ops_token)
    );
    fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
    let mut command = Command::new(schemathesis::program()?);
    command.current_dir(folder).arg("--config-file").arg(&config);
    command.args(["run", &format!("{edge_url}/openapi.json"), "--checks", CHECKS]);
    command.args(OF_PROVIDERS);
    command.args(["--phases", phases, "--max-examples", "10", "--seed", "20261123"]);
    // One worker: on several threads its generator fails now and then.
    command.args(["--workers", "1", "--generation-database", "none", "--continue-on-failure", "--no-color"]);
    command.args(["--suppress-health-check", "all", "--warnings", "off"]);
    Ok(process::run(&mut command, true)?.status.success())
}
