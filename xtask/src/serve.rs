//! `cargo xtask serve`: the edge as an operator runs it, on workerd, with its jobs on time, until SIGTERM.

mod clock;
mod settings;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anstream::println;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use self::clock::Jobs;
use self::settings::Settings;
use crate::build;
use crate::process::{self, Service};
use crate::report;
use crate::repository::Repository;
use crate::services::edge;
use crate::services::http;
use crate::setup::{self, Need};

const WATCH: Duration = Duration::from_millis(100);
const START_MAX: Duration = Duration::from_secs(30);

/// Run the edge on workerd, as it is self-hosted, until SIGTERM or Ctrl-C
///
/// Its variables come from the environment and from --env-file; the environment wins. edge/README.md has them all. A stop
/// lets requests in flight finish. Standard output has one JSON line a request.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask serve --env-file edge.env\n  cargo xtask serve --listen 0.0.0.0:8787 --state /var/lib/mps"
)]
pub(crate) struct Options {
    /// A file of NAME=value lines; # begins a comment
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Where to listen: an address and a port
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The folder of the counters of metrics and limits, made when it is missing
    #[arg(long, default_value = ".mps/edge-state", value_name = "FOLDER")]
    state: PathBuf,
    /// How long requests in flight may take after a stop
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    stop_seconds: u64,
    /// Run what was built before
    #[arg(long)]
    no_build: bool,
}

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let settings = Settings::read(options.env_file.as_deref())?;
    if !options.no_build {
        setup::ensure(repository, Need::BUILD)?;
        build::edge(repository)?;
    }
    let state = repository.root().join(&options.state);
    fs::create_dir_all(&state).with_context(|| format!("cannot make {}", state.display()))?;
    let mut command = edge::workerd(repository, &options.listen.to_string(), &state);
    // workerd gets what it is configured with and nothing else of this environment.
    command.env_clear().envs(settings.variables());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let mut service = Service::start_in_sight("the edge", &mut command)?;
    let address = http::of_listener(options.listen);
    wait_until_configured(&mut service, address)?;
    report::progress(&format!("the edge listens at http://{}", options.listen));
    let jobs = Jobs::of(address, settings.ops_token())?;
    watch(&mut service, &jobs)?;
    report::progress("stopping: requests in flight may finish");
    let start = Instant::now();
    let is_orderly = service.stop_within(Duration::from_secs(options.stop_seconds));
    if !is_orderly {
        bail!("requests were still in flight after {} s; they were ended", options.stop_seconds);
    }
    println!("stopped after {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The edge answers /health when it has all it needs; else it names what is missing or malformed.
fn wait_until_configured(service: &mut Service, address: SocketAddr) -> Result<()> {
    let mut refusal = None;
    service.wait_until(START_MAX, || match http::answer(address, "GET", "/health", &[], "") {
        Some((503, body)) => {
            refusal = Some(body);
            true
        }
        answer => answer.is_some(),
    })?;
    if let Some(body) = refusal {
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let what = body["params"]["what"].as_str().unwrap_or("a variable");
        bail!("{what} is missing or malformed: edge/README.md says what it must be");
    }
    Ok(())
}

/// Until a signal; an edge that ends by itself is an error.
fn watch(service: &mut Service, jobs: &Arc<Jobs>) -> Result<()> {
    let mut minute = clock::now();
    while !process::is_interrupted() {
        service.check_alive()?;
        thread::sleep(WATCH);
        let now = clock::now();
        if now.is_another_minute_than(minute) {
            minute = now;
            jobs.start_those_due(minute);
        }
    }
    Ok(())
}
