//! `cargo xtask serve`: the edge as an operator runs it, on workerd, with its jobs on time, started again when it dies, until SIGTERM.

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
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
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

/// An edge that lived this long did not die of its start.
const STAYS: Duration = Duration::from_mins(1);
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Run the edge on workerd, as it is self-hosted, until SIGTERM or Ctrl-C
///
/// Its variables come from the environment and from --env-file; the environment wins. edge/README.md has them all. A stop
/// lets requests in flight finish. workerd is started again when it dies, with as many open files as the hard limit allows. Standard output
/// has one JSON line a request.
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
    raise_descriptor_limit();
    let start_edge = || {
        let mut command = edge::workerd(repository, &options.listen.to_string(), &state);
        // workerd gets what it is configured with and nothing else of this environment.
        command.env_clear().envs(settings.variables());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        Service::start_in_sight("the edge", &mut command)
    };
    let mut service = start_edge()?;
    let address = http::of_listener(options.listen);
    wait_until_configured(&mut service, address)?;
    // Before it is said that it listens: from then on an edge that dies is started again.
    let jobs = Jobs::of(address, settings.ops_token())?;
    report::progress(&format!("the edge listens at http://{} (process {})", options.listen, service.id()));
    watch(&mut service, start_edge, &jobs)?;
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

/// Until a signal. An edge that ends by itself is started again: at once, and ever later while it does not stay.
fn watch(service: &mut Service, start_edge: impl Fn() -> Result<Service>, jobs: &Arc<Jobs>) -> Result<()> {
    let mut minute = clock::now();
    let (mut pause, mut started_at) = (Duration::ZERO, Instant::now());
    while !process::is_interrupted() {
        if let Err(error) = service.check_alive() {
            pause = next_pause(pause, started_at.elapsed());
            report::failure(&format!("{error:#}; it is started again in {} s", pause.as_secs()));
            wait(pause);
            if process::is_interrupted() {
                break;
            }
            *service = start_edge()?;
            started_at = Instant::now();
            report::progress(&format!("the edge is started again (process {})", service.id()));
        }
        thread::sleep(WATCH);
        let now = clock::now();
        if now.is_another_minute_than(minute) {
            minute = now;
            jobs.start_those_due(minute);
        }
    }
    Ok(())
}

fn next_pause(pause: Duration, lived: Duration) -> Duration {
    if lived >= STAYS { Duration::ZERO } else { (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX) }
}

/// Ends early with a signal.
fn wait(length: Duration) {
    let start = Instant::now();
    while start.elapsed() < length && !process::is_interrupted() {
        thread::sleep(WATCH);
    }
}

/// As many descriptors as this process may have: each connection takes one, and workerd dies when there is none left.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit { current: limit.maximum, ..limit };
    if setrlimit(Resource::Nofile, raised).is_err() {
        report::failure("the limit of open files could not be raised");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::next_pause;

    #[test]
    fn an_edge_that_stayed_is_started_again_at_once_and_one_that_does_not_ever_later() {
        let seconds = Duration::from_secs;
        assert_eq!(next_pause(seconds(0), seconds(3600)), seconds(0));
        let mut pause = seconds(0);
        let pauses: Vec<u64> = (0..7)
            .map(|_| {
                pause = next_pause(pause, seconds(2));
                pause.as_secs()
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    }
}
