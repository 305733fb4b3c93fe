//! A private PostgreSQL cluster: own folder, own port, loopback only, gone when it is dropped.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::process::{self, Finished, Service};
use crate::repository::Repository;
use crate::setup::postgres::Installation;

const START_SECONDS_MAX: u64 = 30;

const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "max_connections=200",
    "timezone=UTC",
    "log_min_messages=warning",
    "log_line_prefix=%t %d ",
];

/// What a crash may take.
#[derive(Clone, Copy)]
pub(crate) enum Keeping {
    /// Everything: nobody needs the data of a test after a crash.
    Nothing,
    /// Nothing that was committed, as in production.
    EveryCommit,
}

impl Keeping {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Nothing => {
                &["fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=128MB"]
            }
            Self::EveryCommit => &[
                "fsync=on",
                "synchronous_commit=on",
                "full_page_writes=on",
                "shared_buffers=1GB",
                "max_wal_size=8GB",
                "checkpoint_timeout=15min",
            ],
        }
    }
}

/// A running cluster and the tools that speak to it.
pub(crate) struct Cluster {
    // Dropped in this order: the server stops before its folder goes.
    service: Service,
    folder: TempDir,
    bin: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes a cluster in a temporary folder and starts it; quick, since nothing of it need last.
    pub(crate) fn start(installation: &Installation, repository: &Repository, log: &str) -> Result<Self> {
        Self::start_keeping(Keeping::Nothing, installation, repository, log)
    }

    /// The same, and how durable its commits are.
    pub(crate) fn start_keeping(
        keeping: Keeping,
        installation: &Installation,
        repository: &Repository,
        log: &str,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("mps-pg-").tempdir().context("no temporary folder")?;
        let owner = Owner::find()?;
        owner.take(folder.path())?;
        let data = folder.path().join("data");
        let mut initdb = Command::new(installation.program("initdb"));
        initdb.arg("-D").arg(&data);
        initdb.args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        process::must(owner.run_as(&mut initdb, folder.path()))?;
        ask_some_for_a_password(&data)?;

        let port = process::free_port(0)?;
        let mut server = Command::new(installation.program("postgres"));
        server.arg("-D").arg(&data).arg("-p").arg(port.to_string()).arg("-k").arg(folder.path());
        for setting in SETTINGS.iter().chain(keeping.settings()) {
            server.args(["-c", setting]);
        }
        let service = Service::start(
            "PostgreSQL",
            owner.run_as(&mut server, folder.path()),
            repository.logs()?.join(format!("{log}.log")),
        )?
        .stopping_with_interrupt();
        let mut cluster = Self { service, folder, bin: installation.bin().to_path_buf(), port };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let mut probe = Command::new(self.bin.join("pg_isready"));
        probe.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres"]);
        self.service.wait_until(Duration::from_secs(START_SECONDS_MAX), || process::succeeds(&mut probe))
    }

    /// The superuser's address of one database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The server's log.
    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    /// Where its data lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program of the installation.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// A program of the installation, pointed at a database of this cluster.
    pub(crate) fn tool(&self, name: &str, database: &str) -> Command {
        let mut command = Command::new(self.program(name));
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGUSER", "postgres");
        command.env("PGDATABASE", database).env_remove("PGSERVICE").env_remove("PGPASSWORD");
        command
    }

    /// `psql` without the person's own settings, stopping at the first error.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut command = self.tool("psql", database);
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
        command
    }

    /// Runs one statement.
    pub(crate) fn execute(&self, database: &str, statement: &str) -> Result<()> {
        process::must(self.psql(database).args(["-c", statement])).map(drop)
    }

    /// Runs a file as one transaction.
    pub(crate) fn execute_file(&self, database: &str, file: &Path) -> Result<()> {
        let finished = self.run_file(database, file, &["--single-transaction"])?;
        ensure!(finished.status.success(), "{} failed:\n{}", file.display(), finished.extract());
        Ok(())
    }

    /// Runs a file and hands back what it said, whether it succeeded or not.
    pub(crate) fn run_file(&self, database: &str, file: &Path, options: &[&str]) -> Result<Finished> {
        process::run(self.psql(database).args(options).arg("-f").arg(file), false)
    }

    /// Makes an empty database.
    pub(crate) fn create(&self, database: &str) -> Result<()> {
        self.execute("postgres", &format!("create database {database}"))
    }

    /// Makes a copy of a database, with the privileges on it: those a template does not hand on by itself.
    pub(crate) fn copy(&self, template: &str, database: &str) -> Result<()> {
        self.execute("postgres", &format!("create database {database} template {template}"))?;
        self.execute(
            "postgres",
            &format!(
                "update pg_catalog.pg_database set datacl = (select t.datacl from pg_catalog.pg_database t \
                 where t.datname = '{template}') where datname = '{database}'"
            ),
        )
    }

    pub(crate) fn drop(&self, database: &str) -> Result<()> {
        self.execute("postgres", &format!("drop database if exists \"{database}\" with (force)"))
    }
}

/// Every migration, oldest first.
pub(crate) fn migrations(repository: &Repository) -> Result<Vec<PathBuf>> {
    let folder = repository.join("supabase/migrations");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    Ok(files)
}

/// User and group of whoever runs clusters, where that is not whoever runs this.
pub(crate) fn owner_of_clusters() -> Result<Option<(u32, u32)>> {
    Ok(match Owner::find()? {
        Owner::Caller => None,
        Owner::Other { uid, gid } => Some((uid, gid)),
    })
}

/// Who runs the server: PostgreSQL refuses to run as root.
enum Owner {
    Caller,
    Other { uid: u32, gid: u32 },
}

impl Owner {
    fn find() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Caller);
        }
        let name = if process::succeeds(Command::new("id").arg("postgres")) { "postgres" } else { "nobody" };
        let id = |option: &str| -> Result<u32> {
            let text = process::capture(Command::new("id").args([option, name]))?;
            text.parse().with_context(|| format!("`id {option} {name}` answered {text}"))
        };
        Ok(Self::Other { uid: id("-u")?, gid: id("-g")? })
    }

    fn take(&self, folder: &Path) -> Result<()> {
        if let Self::Other { uid, gid } = *self {
            chown(folder, Some(uid), Some(gid))
                .with_context(|| format!("cannot hand over {}", folder.display()))?;
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        Ok(())
    }

    fn run_as<'a>(&self, command: &'a mut Command, folder: &Path) -> &'a mut Command {
        command.current_dir(folder).env("LC_ALL", "C");
        if let Self::Other { uid, gid } = *self {
            command.uid(uid).gid(gid);
        }
        command
    }
}
/// Whoever is a member of this role logs in with its password; the others are let in.
fn ask_some_for_a_password(data: &Path) -> Result<()> {
    let file = data.join("pg_hba.conf");
    let rules = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let rules = format!("host all +asked_for_a_password 127.0.0.1/32 scram-sha-256\n{rules}");
    fs::write(&file, rules).with_context(|| format!("cannot write {}", file.display()))
}
