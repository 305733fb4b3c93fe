//! How long the edge takes from nothing to its first answer, beside a Worker that does nothing.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::process::{Service, free_port};
use crate::report;
use crate::repository::Repository;
use crate::services::edge::{Edge, Settings};
use crate::services::http;
use crate::services::keys::Keys;

const ANSWER_MAX: Duration = Duration::from_secs(30);

const EMPTY: &str = r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "empty", worker = .empty)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "empty")],
);
const empty :Workerd.Worker = (
  modules = [(name = "index.js", esModule = "export default { fetch() { return new Response('') } }")],
  compatibilityDate = "2026-10-20",
);
"#;

/// Milliseconds of each cold start, of the edge and of the empty Worker, in turn.
pub(crate) fn times(repository: &Repository, rounds: u64) -> Result<(Vec<f64>, Vec<f64>)> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let config = folder.path().join("empty.capnp");
    fs::write(&config, EMPTY).context("the empty Worker cannot be written")?;
    let (mut of_edge, mut of_empty) = (vec![], vec![]);
    for round in 1..=rounds {
        let (edge, empty) = (time_edge(repository)?, time_empty(repository, &config)?);
        report::progress(&format!(
            "start, round {round} of {rounds}: {edge:.0} ms, an empty Worker {empty:.0} ms"
        ));
        of_edge.push(edge);
        of_empty.push(empty);
    }
    Ok((of_edge, of_empty))
}

fn time_edge(repository: &Repository) -> Result<f64> {
    let (port, keys) = (free_port(0)?, Keys::random()?);
    let settings = Settings { port, supabase_url: "http://127.0.0.1:9", keys: &keys, origins: "" };
    let start = Instant::now();
    let mut edge = Edge::start(repository, &settings, repository.logs()?.join("bench-start.log"))?;
    time_until_answer(edge.service(), port, start)
}

fn time_empty(repository: &Repository, config: &Path) -> Result<f64> {
    let port = free_port(0)?;
    let mut command = std::process::Command::new(repository.npm_bin("workerd"));
    command.arg("serve").arg(config).arg(format!("--socket-addr=http=127.0.0.1:{port}"));
    let start = Instant::now();
    let mut service =
        Service::start("an empty Worker", &mut command, repository.logs()?.join("bench-empty.log"))?;
    time_until_answer(&mut service, port, start)
}

fn time_until_answer(service: &mut Service, port: u16, start: Instant) -> Result<f64> {
    // Nobody listens until the script is loaded.
    while http::status(http::local(port), "GET", "/health", &[], "") != Some(200) {
        service.check_alive()?;
        anyhow::ensure!(start.elapsed() < ANSWER_MAX, "no answer within 30 s");
        thread::sleep(Duration::from_millis(1));
    }
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
