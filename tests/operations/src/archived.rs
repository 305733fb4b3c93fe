//! A PostgreSQL with backups by pgBackRest, as deploy/postgres has both, in a folder of its own.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mps_e2e::{fresh, variable};
use postgres::{Client, NoTls};

use crate::installation::{done, value};
use crate::serving::mps;

/// Whoever opens the repository has this.
const CIPHER: &str = "[global]\nrepo1-cipher-pass=";

/// Stopped when it is dropped, if it still runs, with all that was restored of it.
pub struct Archived {
    folder: tempfile::TempDir,
    owner: Option<(u32, u32)>,
    port: u16,
}

impl Archived {
    /// A migrated database whose archive works; no backup yet.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("mps-archived-").tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a port").port();
        // PostgreSQL refuses to run as root: `cargo xtask` says as whom it does.
        let owner = env::var("MPS_OPS_OWNER").ok().and_then(|ids| {
            let (uid, gid) = ids.split_once(':')?;
            Some((uid.parse().ok()?, gid.parse().ok()?))
        });
        let archived = Self { folder, owner, port };
        archived.own(archived.folder.path());
        // Where its owner can run it, wherever the checkout is.
        fs::copy(variable("MPS_E2E_MPS"), archived.at("mps")).expect("mps");
        for name in ["repository", "log", "lock", "conf.d"] {
            archived.make(name);
        }
        let passphrase = format!("{CIPHER}{}\n", fresh("a-passphrase-"));
        fs::write(archived.at("conf.d/cipher.conf"), passphrase).expect("a file");
        fs::write(archived.at("pgbackrest.conf"), archived.pgbackrest_conf()).expect("a file");
        let data = archived.text("data");
        let initdb = [
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
            "-D",
            &data,
        ];
        archived.program("initdb", &initdb);
        archived.configure();
        archived.ctl(&["-l", &archived.text("postgres.log"), "-w", "start"]);
        archived.pgbackrest(&["stanza-create"]);
        archived.pgbackrest(&["check"]);
        archived.migrate();
        archived
    }

    /// A path in its folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    /// As its superuser.
    pub fn connect(&self) -> Client {
        Client::connect(&self.url(), NoTls).expect("the database")
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// `pgbackrest` for it, which must go well.
    pub fn pgbackrest(&self, arguments: &[&str]) -> String {
        let mut command = self.as_owner("pgbackrest");
        command.args(["--stanza=mps", "--log-level-console=warn"]).args(arguments);
        went_well(&command.output().expect("pgbackrest"))
    }

    /// Whether a segment can be fetched and unpacked.
    pub fn can_get(&self, segment: &str) -> bool {
        let mut command = self.as_owner("pgbackrest");
        command.args(["--stanza=mps", "archive-get", segment, &self.text("fetched")]);
        command.output().expect("pgbackrest").status.success()
    }

    /// `mps backup` as its owner.
    pub fn backup(&self, arguments: &[&str]) -> Output {
        let program = self.text("mps");
        let mut command = self.as_owner(&program);
        command.args(["--json", "backup"]).args(arguments).env("DATABASE_URL", self.url());
        command.output().expect("mps")
    }

    /// `mps backup` as root, where these tests run as root.
    pub fn backup_as_root(&self, arguments: &[&str]) -> Option<Output> {
        self.owner?;
        Some(mps().args(["--json", "backup"]).args(arguments).output().expect("mps"))
    }

    /// `mps backup restore` into a folder of that name.
    pub fn restore(&self, to: &str, into: &str, more: &[&str]) -> Output {
        let (into, programs) = (self.text(into), variable("MPS_OPS_POSTGRES"));
        let arguments = ["restore", "--to", to, "--into", &into, "--programs", &programs];
        self.backup(&[&arguments, more].concat())
    }

    /// `pg_ctl` for the data in a folder of that name.
    pub fn ctl_at(&self, data: &str, arguments: &[&str]) {
        self.program("pg_ctl", &[&["-D", &self.text(data)], arguments].concat());
    }

    fn ctl(&self, arguments: &[&str]) {
        self.ctl_at("data", arguments);
    }

    /// The whole machine is gone: nothing is written any more, and no disk is left.
    pub fn lose(&self) {
        let file = fs::read_to_string(self.at("data/postmaster.pid")).expect("it runs");
        let id = file.lines().next().expect("a process").to_owned();
        // All of them at once, before the first notices.
        let children = Command::new("ps").args(["--ppid", &id, "-o", "pid="]).output().expect("ps");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let all = Command::new("kill").arg("-KILL").arg(&id).args(children.split_whitespace()).status();
        assert!(all.expect("kill").success());
        fs::remove_dir_all(self.at("data")).expect("its data");
    }

    /// Sets the archive's command, which PostgreSQL reads anew.
    pub fn archive_by(&self, database: &mut Client, command: &str) {
        let set = format!("alter system set archive_command = '{command}'");
        for statement in [set.as_str(), "select pg_reload_conf()"] {
            value(database, statement);
        }
    }

    /// A copy of its own.
    pub fn keep(&self, from: &str, to: &str) {
        let copied = Command::new("cp").arg("-a").arg(self.at(from)).arg(self.at(to)).status();
        assert!(copied.expect("cp").success());
    }

    /// The command as its configuration has it, for folders of here.
    fn pgbackrest_conf(&self) -> String {
        let mut text = read("deploy/postgres/pgbackrest.conf");
        let port = self.port.to_string();
        let folder = |name: &str| self.text(name);
        for (from, to) in [
            ("repo1-path=/var/lib/pgbackrest", format!("repo1-path={}", folder("repository"))),
            ("log-path=/var/log/pgbackrest", format!("log-path={}", folder("log"))),
            ("lock-path=/tmp/pgbackrest", format!("lock-path={}", folder("lock"))),
            ("pg1-path=/var/lib/postgresql/15/main", format!("pg1-path={}", folder("data"))),
            ("pg1-port=5432", format!("pg1-port={port}")),
            ("pg1-socket-path=/var/run/postgresql", format!("pg1-socket-path={}", folder(""))),
        ] {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, &to, 1);
        }
        text
    }

    fn configure(&self) {
        fs::write(self.at("backup.conf"), read("deploy/postgres/postgresql.backup.conf")).expect("a file");
        let mut text = fs::read_to_string(self.at("data/postgresql.conf")).expect("its configuration");
        for (name, setting) in [
            ("port", self.port.to_string()),
            ("listen_addresses", "'127.0.0.1'".to_owned()),
            ("unix_socket_directories", format!("'{}'", self.folder.path().display())),
            ("timezone", "'UTC'".to_owned()),
        ] {
            text = format!("{text}\n{name} = {setting}");
        }
        text = format!("{text}\ninclude '{}'\n", self.text("backup.conf"));
        fs::write(self.at("data/postgresql.conf"), text).expect("its configuration");
    }

    /// By the operator's own command, with what it needs of a release.
    fn migrate(&self) {
        let (root, release) = (root(), self.at("release"));
        fs::create_dir_all(release.join("postgres")).expect("a folder");
        symlink(root.join("supabase/migrations"), release.join("migrations")).expect("a link");
        symlink(root.join("supabase/tests/bootstrap.sql"), release.join("postgres/bootstrap.sql"))
            .expect("a link");
        let mut command = mps();
        command.args(["--json", "migrate", "up", "--plain", "--release"]).arg(&release);
        assert!(
            done(&command.env("DATABASE_URL", self.url()).output().expect("mps"))["applied"].as_u64()
                > Some(50)
        );
        self.connect().batch_execute(&read("supabase/tests/fixtures.sql")).expect("fixtures");
    }

    /// An empty folder of its owner's.
    pub fn make(&self, name: &str) {
        fs::create_dir(self.at(name)).expect("a folder");
        self.own(&self.at(name));
    }

    fn own(&self, path: &Path) {
        if let Some((uid, gid)) = self.owner {
            chown(path, Some(uid), Some(gid)).expect("its owner");
        }
    }

    fn program(&self, name: &str, arguments: &[&str]) {
        let program = Path::new(&variable("MPS_OPS_POSTGRES")).join(name);
        let log = fs::File::options().create(true).append(true).open(self.at("programs.log")).expect("a log");
        let mut command = self.as_owner(&program.display().to_string());
        // A file, not a pipe: PostgreSQL would hold it open.
        command.args(arguments).stdout(log.try_clone().expect("a log")).stderr(log);
        let status = command.status().expect("a program of PostgreSQL");
        assert!(status.success(), "{name}: {}", fs::read_to_string(self.at("programs.log")).expect("a log"));
    }

    fn as_owner(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
        // Else it waits before it reads a damaged file once more.
        command.env("PGBACKREST_JOB_RETRY", "0");
        command.env("PGBACKREST_CONFIG", self.at("pgbackrest.conf"));
        command.env("PGBACKREST_CONFIG_INCLUDE_PATH", self.at("conf.d"));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Where it can be looked at after a failure.
    fn keep_logs(&self) {
        let logs = PathBuf::from(variable("MPS_E2E_LOGS"));
        let _ = fs::create_dir_all(&logs);
        for (from, to) in [("postgres.log", "postgres.log"), ("log/mps-archive-push.log", "archive-push.log")]
        {
            let _ = fs::copy(self.at(from), logs.join(to));
        }
    }
}

impl Drop for Archived {
    fn drop(&mut self) {
        self.keep_logs();
        for entry in fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            if entry.path().join("postmaster.pid").exists() {
                // Not `fast`: with an archive that fails PostgreSQL would wait for it.
                self.ctl_at(&entry.file_name().to_string_lossy(), &["-m", "immediate", "-w", "stop"]);
            }
        }
    }
}

fn went_well(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the checkout")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}
