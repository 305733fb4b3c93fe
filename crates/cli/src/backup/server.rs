//! A restored data folder under a PostgreSQL that nobody else reaches: its socket is in a folder of ours, on the network it is on loopback
//! and asks for passwords, and it archives nothing.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use postgres::error::SqlState;
use postgres::{Client, NoTls};
use tempfile::TempDir;

use crate::output::say;

const POLL: Duration = Duration::from_millis(100);
pub(super) const TELL_EVERY: Duration = Duration::from_secs(15);

/// The longest that the programs of PostgreSQL wait: a large folder is synchronised before anything is heard of the server.
const START_SECONDS_MAX: &str = "86400";

/// Whoever reaches the socket has the folder; all others need a password of the database's own.
const RULES: &str = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// Stopped when it is dropped, unless it was let go.
pub(crate) struct Server {
    data: PathBuf,
    programs: PathBuf,
    /// Its socket, its log, and what it is told: not in the data folder, whose owner may have files of these names there.
    place: Option<TempDir>,
    pub(crate) port: u16,
}

impl Server {
    /// Begins, and does not wait until recovery is over.
    pub(crate) fn start(data: &Path, programs: &Path, port: Option<u16>) -> Result<Self> {
        let place =
            tempfile::Builder::new().prefix("mps-restore-").tempdir().context("no temporary folder")?;
        let port = match port {
            Some(port) => port,
            None => TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?.port(),
        };
        for (name, text) in [("postgresql.conf", ""), ("pg_hba.conf", RULES), ("pg_ident.conf", "")] {
            fs::write(place.path().join(name), text).context("no file in the temporary folder")?;
        }
        let shown = place.path().display();
        let mut settings = format!(
            "-c config_file={shown}/postgresql.conf -c hba_file={shown}/pg_hba.conf -c ident_file={shown}/pg_ident.conf \
             -c unix_socket_directories={shown} -c listen_addresses=127.0.0.1 -c port={port}"
        );
        // Nothing of a trial may get into the archive of the real one. hot_standby=off: else it wants as many connections as the real one.
        for setting in ["archive_mode=off", "hot_standby=off", "shared_preload_libraries=", "ssl=off"] {
            settings.push_str(" -c ");
            settings.push_str(setting);
        }
        let server = Self { data: data.to_owned(), programs: programs.to_owned(), place: Some(place), port };
        let mut start = server.pg_ctl();
        start.arg("-l").arg(server.log()).args(["-w", "-t", START_SECONDS_MAX, "-o", &settings, "start"]);
        let ended = wait(&mut start, "PostgreSQL starts")?;
        ensure!(ended, "PostgreSQL does not start on {}: {}", data.display(), server.why());
        Ok(server)
    }

    /// A connection, as soon as recovery is over.
    pub(crate) fn recovered(&self, user: &str, database: &str) -> Result<Client> {
        let mut config = postgres::Config::new();
        config.host_path(self.folder()).port(self.port).user(user).dbname(database).application_name("mps");
        let (begin, mut told) = (Instant::now(), Instant::now());
        loop {
            let error = match config.connect(NoTls) {
                Ok(client) => return Ok(client),
                Err(error) => error,
            };
            if let Some(refusal) = error.as_db_error().filter(|it| *it.code() != SqlState::CANNOT_CONNECT_NOW)
            {
                bail!("the restored database does not let us in (--database, --user): {}", refusal.message());
            }
            if !self.is_up()? {
                bail!("recovery ended: {}", self.why());
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                say(&format!("recovery goes on, {} s", begin.elapsed().as_secs()));
            }
            thread::sleep(POLL);
        }
    }

    /// Leaves it running, and where its socket is.
    pub(crate) fn let_go(mut self) -> PathBuf {
        self.place.take().map(TempDir::keep).unwrap_or_default()
    }

    pub(crate) fn stop(mut self) -> Result<()> {
        let output = self.stopping().output().context("cannot run pg_ctl")?;
        ensure!(
            output.status.success(),
            "it does not stop: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        self.place.take();
        Ok(())
    }

    /// How a person stops it.
    pub(crate) fn how_to_stop(&self) -> String {
        format!("{} -D {} -m fast stop", self.programs.join("pg_ctl").display(), self.data.display())
    }

    fn stopping(&self) -> Command {
        let mut stop = self.pg_ctl();
        stop.args(["-m", "fast", "-w", "-t", START_SECONDS_MAX, "stop"]);
        stop
    }

    fn is_up(&self) -> Result<bool> {
        Ok(self.pg_ctl().arg("status").output().context("cannot run pg_ctl")?.status.success())
    }

    fn folder(&self) -> &Path {
        self.place.as_ref().map_or(Path::new(""), TempDir::path)
    }

    fn log(&self) -> PathBuf {
        self.folder().join("log")
    }

    /// What went wrong, in its own words and the archive's.
    fn why(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let is_telling =
            |line: &&str| ["FATAL:", "PANIC:", "ERROR:", "repo1:"].iter().any(|word| line.contains(word));
        let told: Vec<&str> = log.lines().filter(is_telling).map(str::trim).collect();
        told[told.len().saturating_sub(4)..].join(" ")
    }

    fn pg_ctl(&self) -> Command {
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command.arg("-D").arg(&self.data).stdin(Stdio::null());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.place.is_some() {
            let _ = self.stopping().output();
        }
    }
}

/// Runs a program that says nothing of itself, and says that it goes on; whether it ended well.
pub(super) fn wait(command: &mut Command, what: &str) -> Result<bool> {
    let name = command.get_program().display().to_string();
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(|error| anyhow!("cannot run {name}: {error}"))?;
    let (begin, mut told) = (Instant::now(), Instant::now());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            say(&format!("{what}, {} s", begin.elapsed().as_secs()));
        }
        thread::sleep(POLL);
    }
}
