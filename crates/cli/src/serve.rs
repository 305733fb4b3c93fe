//! `mps serve`: the edges of this machine on workerd, with their jobs on time, started again when they die, exchanged on command.

mod clock;
mod control;
mod edge;
mod fleet;
mod variables;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

pub(crate) use self::clock::{Jobs, now};
use self::control::{Asked, EdgeStatus, Word};
pub(crate) use self::control::{Order, Status, give};
use self::edge::{Asker, Build};
use self::fleet::Fleet;
use self::variables::Variables;
use crate::config::{self, Config};
use crate::output::say;
use crate::release::Release;
use crate::web::Web;

/// Where a release is installed, and the link to the one that runs.
pub(crate) const CURRENT: &str = "/usr/lib/mps/current";
pub(crate) const STATE: &str = "/var/lib/mps";

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// After a signal, with nobody there to say how long.
const WATCH_AFTER_SIGNAL: Duration = Duration::from_secs(10);

#[derive(Args)]
#[command(
    long_about = "Run the edges of this machine on workerd until SIGTERM or Ctrl-C\n\n\
                  What they are told comes from the configuration, from --env-file and from the environment, which wins; edge/README.md has every \
                  variable. Standard output has one JSON line a request; what this program says itself is on standard error. A stop lets requests in \
                  flight finish. An edge that dies is started again. SIGHUP reads all of it anew and exchanges the edges one after the other, as \
                  `mps deploy` does with another release: whoever comes meanwhile waits for a moment.",
    after_help = "Examples:\n  mps serve --config /etc/mps/mps.yml\n  \
                  mps serve --release dist/mps-0.1.0 --env-file edge.env --listen 127.0.0.1:8787 --listen 127.0.0.1:8788 --state /tmp/mps"
)]
pub(crate) struct Options {
    /// The folder of the release
    #[arg(long, default_value = CURRENT, value_name = "FOLDER")]
    release: PathBuf,
    /// The configuration, mps.yml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file of NAME=value lines; # begins a comment
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Where an edge listens, once for each; those of `proxy.edges` on 127.x.x.x when left out, else 127.0.0.1:8787
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// The folder of the counters of metrics and limits, made when it is missing
    #[arg(long, default_value = STATE, value_name = "FOLDER")]
    state: PathBuf,
    /// How long requests in flight may take after a stop
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    stop_seconds: u64,
    /// How long to go on serving after SIGTERM, until whoever sends requests here knows
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    stop_delay: u64,
    /// Start no jobs: another program does (`mps jobs`)
    #[arg(long)]
    no_jobs: bool,
}

/// Set by signals.
#[derive(Default)]
struct Signals {
    stop: Arc<AtomicBool>,
    again: Arc<AtomicBool>,
}

impl Signals {
    fn watch() -> Result<Self> {
        let signals = Self::default();
        for (signal, flag) in [(SIGINT, &signals.stop), (SIGTERM, &signals.stop), (SIGHUP, &signals.again)] {
            signal_hook::flag::register(signal, Arc::clone(flag)).context("signals cannot be watched")?;
        }
        Ok(signals)
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let signals = Signals::watch()?;
    let config = options.config.as_deref().map(config::read).transpose()?;
    let addresses = addresses(&options.listen, config.as_ref());
    let build = read_build(options, &options.release)?;
    fs::create_dir_all(&options.state).with_context(|| format!("cannot make {}", options.state.display()))?;
    let (sender, orders) = channel();
    control::listen(&options.state, sender)?;
    raise_descriptor_limit();
    let limit = Duration::from_secs(options.stop_seconds);
    let asker = Asker { web: Web::new(None)?, is_stopping: Arc::clone(&signals.stop) };
    let mut fleet = Fleet::of(&addresses, build, &options.state, limit, asker);
    fleet.start()?;
    let mut serving = Serving { options, jobs: None, fleet };
    // Before it is said that they listen: from then on an edge that dies is started again.
    serving.learn_jobs()?;
    for edge in serving.fleet.edges() {
        say(&format!("the edge listens at http://{} (process {})", edge.address(), edge.id()));
    }
    notify(&[NotifyState::Ready]);
    serving.until_stopped(&signals, &orders);
    notify(&[NotifyState::Stopping]);
    say("stopping: requests in flight may finish");
    let start = Instant::now();
    if !serving.fleet.stop() {
        anyhow::bail!("requests were still in flight after {} s; they were ended", options.stop_seconds);
    }
    say(&format!("stopped after {:.1} s", start.elapsed().as_secs_f64()));
    Ok(ExitCode::SUCCESS)
}

/// A release with all that its edges are told now.
fn read_build(options: &Options, folder: &Path) -> Result<Build> {
    let release = Release::open(folder)?;
    let configured = match options.config.as_deref() {
        Some(file) => config::edge_variables(&config::read(file)?)?,
        None => BTreeMap::new(),
    };
    let variables = Variables::read(&release.variables()?, configured, options.env_file.as_deref())?;
    Ok(Build { release, variables })
}

fn addresses(listen: &[SocketAddr], config: Option<&Config>) -> Vec<SocketAddr> {
    if !listen.is_empty() {
        return listen.to_vec();
    }
    let configured = config.and_then(|config| config.proxy.as_ref()).map_or(&[][..], |proxy| &proxy.edges);
    let here = |text: &String| text.parse::<SocketAddr>().ok().filter(|address| address.ip().is_loopback());
    let own: Vec<SocketAddr> = configured.iter().filter_map(here).collect();
    if own.is_empty() { vec![SocketAddr::from(([127, 0, 0, 1], 8787))] } else { own }
}

struct Serving<'a> {
    options: &'a Options,
    jobs: Option<Arc<Jobs>>,
    fleet: Fleet,
}

impl Serving<'_> {
    fn learn_jobs(&mut self) -> Result<()> {
        if !self.options.no_jobs {
            let addresses = self.fleet.edges().iter().map(edge::Edge::address);
            self.jobs = Some(Jobs::of(addresses, self.fleet.build().variables.ops_token())?);
        }
        Ok(())
    }

    fn until_stopped(&mut self, signals: &Signals, orders: &Receiver<Asked>) {
        let (mut minute, mut tried) = (now(), now());
        let mut stop_at = None;
        loop {
            if signals.stop.load(Ordering::Relaxed) {
                let delay = Duration::from_secs(self.options.stop_delay);
                if Instant::now() >= *stop_at.get_or_insert_with(|| Instant::now() + delay) {
                    return;
                }
            }
            self.fleet.tend(&mut |text| say(text));
            if signals.again.swap(false, Ordering::Relaxed)
                && let Err(error) = self.roll(None, WATCH_AFTER_SIGNAL, &mut |text| say(text))
            {
                say(&format!("not exchanged: {error:#}"));
            }
            match orders.recv_timeout(LOOK_EVERY) {
                Ok(asked) => self.obey(asked),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody can ask any more; the edges go on.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK_EVERY),
            }
            let present = now();
            if present != tried && self.jobs.is_none() {
                tried = present;
                self.learn_jobs_again(&mut |text| say(text));
            }
            if let Some(jobs) = &self.jobs {
                jobs.start_those_due(minute.until(present), say);
                minute = present;
            }
        }
    }

    fn obey(&mut self, Asked { order, mut caller }: Asked) {
        let outcome = match order {
            Order::Status => Ok(()),
            Order::Roll { release, watch_seconds } => {
                let watch = Duration::from_secs(watch_seconds);
                self.roll(release.as_deref(), watch, &mut |text| {
                    say(text);
                    caller.tell(&Word::Said { text: text.to_owned() });
                })
            }
        };
        caller.tell(&match outcome {
            Ok(()) => Word::Done { status: self.status() },
            Err(error) => {
                say(&format!("not exchanged: {error:#}"));
                Word::Failed { why: format!("{error:#}") }
            }
        });
    }

    fn roll(&mut self, release: Option<&Path>, watch: Duration, tell: &mut dyn FnMut(&str)) -> Result<()> {
        notify(&[NotifyState::Reloading]);
        let outcome = read_build(self.options, release.unwrap_or(&self.options.release))
            .and_then(|build| self.fleet.roll(build, watch, tell));
        if outcome.is_ok() {
            // The edges are exchanged, whatever becomes of this.
            self.learn_jobs_again(tell);
        }
        notify(&[NotifyState::Ready]);
        outcome
    }

    /// Where they cannot be had they are asked for again in the next minute, and what is missed is made good.
    fn learn_jobs_again(&mut self, tell: &mut dyn FnMut(&str)) {
        self.jobs = None;
        if let Err(error) = self.learn_jobs() {
            tell(&format!("no jobs until the next minute: {error:#}"));
        }
    }

    fn status(&self) -> Status {
        let release = &self.fleet.build().release;
        let edge = |edge: &edge::Edge| EdgeStatus { address: edge.address().to_string(), process: edge.id() };
        Status {
            release: release.folder().to_owned(),
            version: release.version().to_owned(),
            edges: self.fleet.edges().iter().map(edge).collect(),
        }
    }
}

/// Tells systemd, where it asked for it.
fn notify(state: &[NotifyState]) {
    let _ = sd_notify::notify(state);
}

/// As many descriptors as this process may have: each connection takes one, and workerd dies when there is none left.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit { current: limit.maximum, ..limit };
    if setrlimit(Resource::Nofile, raised).is_err() {
        say("the limit of open files could not be raised");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_for_each_of_this_machines_and_one_where_none_is_said() -> Result<()> {
        let text = include_str!("../../../deploy/config/environments/production.yml");
        let mut config = Config::parse(text)?;
        let of = |config: &Config| {
            addresses(&[], Some(config)).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(&config), ["127.0.0.1:8787", "127.0.0.1:8788"]);
        if let Some(proxy) = &mut config.proxy {
            proxy.edges = vec!["10.0.0.2:8787".to_owned(), "127.0.0.1:9000".to_owned()];
        }
        assert_eq!(of(&config), ["127.0.0.1:9000"]);
        let said = [SocketAddr::from(([0, 0, 0, 0], 1))];
        assert_eq!(addresses(&said, Some(&config)), said);
        assert_eq!(addresses(&[], None), [SocketAddr::from(([127, 0, 0, 1], 8787))]);
        Ok(())
    }
}
