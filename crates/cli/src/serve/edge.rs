//! One edge: a workerd at an address. The address is ours and outlives it, so that whoever comes while one is exchanged for another waits for a moment and is
//! not turned away.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use rustix::io::dup;
use rustix::net::listen;

use super::variables::Variables;
use crate::child::Process;
use crate::release::Release;
use crate::web::Web;

const START_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Who waits to be taken, at most; the host has a bound of its own.
const BACKLOG: i32 = 4096;

/// An edge that lived this long did not die of its start.
const STAYS: Duration = Duration::from_mins(1);
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What an edge is started of.
#[derive(Clone)]
pub(super) struct Build {
    pub(super) release: Release,
    pub(super) variables: Variables,
}

/// How far an edge must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// It has all it needs to start; the database may be away.
    Configured,
    /// It reaches a database with the schema that it is for.
    Ready,
}

/// Who asks edges how they are.
pub(super) struct Asker {
    pub(super) web: Web,
    /// Set when all is to end: then nobody waits for an edge any more.
    pub(super) is_stopping: Arc<AtomicBool>,
}

impl Asker {
    /// Refuses once all is to end.
    pub(super) fn go_on(&self) -> Result<()> {
        ensure!(!self.is_stopping.load(Ordering::Relaxed), "all is to stop");
        Ok(())
    }
}

pub(super) struct Edge {
    address: SocketAddr,
    /// The folder of its counters.
    state: PathBuf,
    /// Away while it pauses: nobody is to wait for an edge that does not come.
    listener: Option<TcpListener>,
    process: Option<Process>,
    started_at: Instant,
    pause: Duration,
    paused_until: Option<Instant>,
}

impl Edge {
    pub(super) fn at(address: SocketAddr, state: PathBuf) -> Self {
        let started_at = Instant::now();
        Self {
            address,
            state,
            listener: None,
            process: None,
            started_at,
            pause: Duration::ZERO,
            paused_until: None,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// Starts it, and does not wait for it.
    pub(super) fn start(&mut self, build: &Build) -> Result<()> {
        fs::create_dir_all(&self.state).with_context(|| format!("cannot make {}", self.state.display()))?;
        let listener = match &self.listener {
            Some(listener) => listener,
            None => self.listener.insert(bind(self.address)?),
        };
        // Our own is closed in children; this copy is theirs.
        let theirs = dup(listener).context("no more open files")?;
        let mut command = Command::new(build.release.workerd());
        command.arg("serve").arg(build.release.worker());
        command.arg(format!("--socket-fd=http={}", theirs.as_raw_fd()));
        command.arg(format!("--directory-path=state={}", self.state.display()));
        // It gets what it is configured with and nothing else of this environment.
        command.env_clear().envs(build.variables.all());
        if let Some(path) = env::var_os("PATH") {
            command.env("PATH", path);
        }
        self.process = Some(Process::start(&mut command)?);
        self.started_at = Instant::now();
        self.paused_until = None;
        Ok(())
    }

    /// Waits until it is that far; else tells what it lacks.
    pub(super) fn wait_until(&mut self, level: Level, asker: &Asker) -> Result<()> {
        let deadline = Instant::now() + START_MAX;
        let mut last = None;
        while Instant::now() < deadline {
            asker.go_on()?;
            if let Some(status) = self.process.as_mut().and_then(Process::ended) {
                bail!("the edge at {} ended by itself ({status})", self.address);
            }
            match self.look(level, &asker.web) {
                Look::Right => return Ok(()),
                // What is configured stays so; a database may come.
                Look::Wrong(what) if level == Level::Configured => bail!("{what}"),
                Look::Wrong(what) => last = Some(what),
                Look::Silent => {}
            }
            thread::sleep(POLL);
        }
        let what = last.unwrap_or_else(|| "it does not answer".to_owned());
        bail!("the edge at {} was not ready after {} s: {what}", self.address, START_MAX.as_secs())
    }

    fn look(&self, level: Level, web: &Web) -> Look {
        let path = if level == Level::Configured { "health" } else { "ready" };
        let Ok(reply) = web.get(&format!("http://{}/{path}", to_ask(self.address)), &[]) else {
            return Look::Silent;
        };
        if reply.status == 200 {
            return Look::Right;
        }
        let problem = reply.json();
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        Look::Wrong(match (text(&problem["code"]).as_deref(), text(&problem["params"]["what"])) {
            (Some("NOT_CONFIGURED"), Some(what)) if what == "schema_version" => {
                "the database has another schema than this release is for: `mps migrate up`".to_owned()
            }
            (Some("NOT_CONFIGURED"), Some(what)) => {
                format!("{what} is missing or malformed: edge/README.md says what it must be")
            }
            (Some(code), _) => format!("/{path} answers {} {code}", reply.status),
            (None, _) => format!("/{path} answers {}", reply.status),
        })
    }

    /// Whether it is ready now.
    pub(super) fn is_ready(&self, asker: &Asker) -> bool {
        matches!(self.look(Level::Ready, &asker.web), Look::Right)
    }

    pub(super) fn has_died(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_some())
    }

    /// One that ended by itself is started again: at once, and ever later while it does not stay. Tells what it did.
    pub(super) fn tend(&mut self, build: &Build) -> Result<Option<String>> {
        if let Some(status) = self.process.as_mut().and_then(Process::ended) {
            self.process = None;
            self.pause = next_pause(self.pause, self.started_at.elapsed());
            if !self.pause.is_zero() {
                self.listener = None;
            }
            self.paused_until = Some(Instant::now() + self.pause);
            let seconds = self.pause.as_secs();
            return Ok(Some(format!(
                "the edge at {} ended by itself ({status}); it is started again in {seconds} s",
                self.address
            )));
        }
        // An exchange may have left it without one.
        if self.process.is_none() && self.paused_until.is_none() {
            self.paused_until = Some(Instant::now());
        }
        if self.paused_until.is_some_and(|until| Instant::now() >= until) {
            if let Err(error) = self.start(build) {
                // What keeps it from starting may go on.
                self.pause = next_pause(self.pause, Duration::ZERO);
                self.paused_until = Some(Instant::now() + self.pause);
                self.listener = None;
                return Err(error);
            }
            return Ok(Some(format!(
                "the edge at {} is started again (process {})",
                self.address,
                self.id()
            )));
        }
        Ok(None)
    }

    /// Lets requests in flight finish; answers whether they did in that time. Its address stays ours.
    pub(super) fn stop(&mut self, limit: Duration) -> bool {
        self.ask_to_stop();
        self.wait_stopped(Instant::now() + limit)
    }

    pub(super) fn ask_to_stop(&mut self) {
        self.paused_until = None;
        if let Some(process) = &mut self.process {
            process.ask_to_stop();
        }
    }

    pub(super) fn wait_stopped(&mut self, deadline: Instant) -> bool {
        self.process.take().is_none_or(|mut process| process.wait_until(deadline))
    }
}

enum Look {
    Right,
    Wrong(String),
    Silent,
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot listen at {address}"))?;
    // The standard library's own is shorter.
    listen(&listener, BACKLOG).with_context(|| format!("cannot listen at {address}"))?;
    Ok(listener)
}

/// Whoever listens everywhere is asked here.
pub(super) fn to_ask(address: SocketAddr) -> SocketAddr {
    let mut asked = address;
    if address.ip().is_unspecified() {
        asked.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    asked
}

fn next_pause(pause: Duration, lived: Duration) -> Duration {
    if lived >= STAYS { Duration::ZERO } else { (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX) }
}

/// Tries a build beside those that work, at a port of its own and with counters that nobody needs.
pub(super) fn try_out(build: &Build, state: &Path, level: Level, asker: &Asker) -> Result<()> {
    let _ = fs::remove_dir_all(state);
    let port = bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = port.local_addr().context("a port without an address")?;
    let mut edge = Edge::at(address, state.to_owned());
    edge.listener = Some(port);
    edge.start(build)?;
    let outcome = edge.wait_until(level, asker);
    edge.stop(PAUSE_MAX);
    let _ = fs::remove_dir_all(state);
    outcome
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A release whose program is this script.
    fn build(folder: &Path, script: &str) -> Result<Build> {
        for file in ["bin/workerd", "edge/workerd.capnp", "edge/build/index.js", "edge/build/index_bg.wasm"] {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(path, script)?;
        }
        fs::write(folder.join("release.json"), r#"{"version": "1"}"#)?;
        Ok(Build { release: Release::open(folder)?, variables: Variables::none() })
    }

    #[test]
    fn an_edge_that_could_not_be_started_is_started_later() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let build = build(folder.path(), "#!/bin/sh\nexec sleep 60\n")?;
        let mut edge = Edge::at(SocketAddr::from(([127, 0, 0, 1], 0)), folder.path().join("state"));
        // Nobody may run it yet.
        assert!(edge.start(&build).is_err() && edge.tend(&build).is_err());
        assert!(edge.tend(&build)?.is_none(), "not at once again");
        assert!(edge.listener.is_none(), "and nobody waits for it");
        fs::set_permissions(build.release.workerd(), fs::Permissions::from_mode(0o755))?;
        edge.paused_until = Some(Instant::now());
        assert!(edge.tend(&build)?.is_some_and(|said| said.contains("is started again")));
        assert!(edge.id() != 0 && !edge.has_died());
        Ok(())
    }

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

    #[test]
    fn who_listens_everywhere_is_asked_at_home_and_others_where_they_listen() {
        for (listen, asked) in [
            ("0.0.0.0:8787", "127.0.0.1:8787"),
            ("[::]:8787", "[::1]:8787"),
            ("10.0.0.5:80", "10.0.0.5:80"),
            ("[fd00::5]:80", "[fd00::5]:80"),
        ] {
            let parsed = listen.parse::<SocketAddr>().map(|listen| to_ask(listen).to_string());
            assert_eq!(parsed.as_deref(), Ok(asked));
        }
    }
}
