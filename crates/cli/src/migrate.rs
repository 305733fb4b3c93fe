//! `mps migrate`: the database's schema, from a release's migrations. The list of those applied is the Supabase CLI's, so that either may go on where the other
//! stopped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{Args, Subcommand};
use postgres::Client;
use postgres::error::SqlState;
use serde_json::json;

use crate::database::{Database, describe, told};
use crate::output::{Output, say};
use crate::serve::CURRENT;

/// A migration that waits for a lock lets everybody behind it wait: not for longer.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '500ms'";
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_secs(1);

/// Of this program: one migrates at a time.
const LOCK: &str = "select pg_try_advisory_lock(hashtextextended('mps/migrate', 0))";

const MAKE_LIST: &str = "create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text primary key, statements text[], name text)";

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Which {
    /// The release whose migrations they are
    #[arg(long, default_value = CURRENT, value_name = "FOLDER")]
    release: PathBuf,
    #[command(flatten)]
    database: Database,
}

#[derive(Subcommand)]
enum Command {
    /// Tell which migrations are applied, and which are not yet
    #[command(after_help = "Example: mps migrate status --release dist/mps-0.2.0")]
    Status(Which),
    /// Apply those that are not yet, each as a whole or not at all
    #[command(
        after_help = "Examples:\n  DATABASE_URL=postgres://… mps migrate up\n  mps migrate up --database-url-file /run/secrets/database_url\n  \
                            mps migrate up --plain     # an empty PostgreSQL without Supabase: makes its roles first, as a superuser\n\n\
                            A migration that cannot have a lock within half a second lets the others pass and tries again, so that no charge waits for longer."
    )]
    Up {
        #[command(flatten)]
        which: Which,
        /// PostgreSQL without Supabase: make what Supabase brings (API roles, `auth`), where it is missing
        #[arg(long)]
        plain: bool,
    },
}

/// A file of the release.
struct Migration {
    version: String,
    name: String,
    file: PathBuf,
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    match &options.command {
        Command::Status(which) => {
            let migrations = read(&which.release)?;
            let mut database = which.database.connect()?;
            let applied = applied(&mut database)?;
            let (pending, unknown) = (pending(&migrations, &applied), unknown(&migrations, &applied));
            let names = |list: &[&Migration]| list.iter().map(|one| one.shown()).collect::<Vec<_>>();
            let pending = names(&pending);
            output.result(&json!({"applied": applied.len(), "pending": pending, "unknown": unknown}), || {
                let unknown = unknown.iter().map(|name| format!("unknown to this release: {name}"));
                let first = format!("{} applied, {} not yet", applied.len(), pending.len());
                [first]
                    .into_iter()
                    .chain(pending.iter().cloned())
                    .chain(unknown)
                    .collect::<Vec<_>>()
                    .join("\n  ")
            });
            Ok(if pending.is_empty() && unknown.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Up { which, plain } => {
            let migrations = read(&which.release)?;
            let mut database = which.database.connect()?;
            if *plain {
                make_plain(&mut database, &which.release)?;
            }
            let count = up(&mut database, &migrations)?;
            output.result(&json!({"applied": count}), || match count {
                0 => "nothing to apply: the database has all of this release".to_owned(),
                _ => format!("{count} applied"),
            });
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Migration {
    fn shown(&self) -> String {
        format!("{}_{}", self.version, self.name)
    }

    /// `20261123000100_schemas.sql`.
    fn of(file: &Path) -> Option<Self> {
        let stem = file.file_name()?.to_str()?.strip_suffix(".sql")?;
        let (version, name) = stem.split_once('_')?;
        let is_version = version.len() == 14 && version.bytes().all(|byte| byte.is_ascii_digit());
        is_version.then(|| Self { version: version.to_owned(), name: name.to_owned(), file: file.to_owned() })
    }
}

fn read(release: &Path) -> Result<Vec<Migration>> {
    let folder = release.join("migrations");
    let entries = fs::read_dir(&folder).with_context(|| format!("there is no {}", folder.display()))?;
    let files: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    let mut migrations: Vec<Migration> = files.iter().filter_map(|file| Migration::of(file)).collect();
    migrations.sort_by(|one, other| one.version.cmp(&other.version));
    ensure!(!migrations.is_empty(), "{} has no migrations", folder.display());
    Ok(migrations)
}

/// By their versions.
fn applied(database: &mut Client) -> Result<BTreeMap<String, String>> {
    let is_there = "select to_regclass('supabase_migrations.schema_migrations') is not null";
    if !query_one::<bool>(database, is_there)? {
        return Ok(BTreeMap::new());
    }
    let rows = database
        .query("select version, coalesce(name, '') from supabase_migrations.schema_migrations", &[])
        .map_err(|error| told(&error))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn pending<'a>(migrations: &'a [Migration], applied: &BTreeMap<String, String>) -> Vec<&'a Migration> {
    migrations.iter().filter(|one| !applied.contains_key(&one.version)).collect()
}

/// Those of another release.
fn unknown(migrations: &[Migration], applied: &BTreeMap<String, String>) -> Vec<String> {
    let is_ours = |version: &String| migrations.iter().any(|one| one.version == *version);
    let others = applied.iter().filter(|(version, _)| !is_ours(version));
    others.map(|(version, name)| format!("{version}_{name}")).collect()
}

fn up(database: &mut Client, migrations: &[Migration]) -> Result<usize> {
    ensure!(query_one::<bool>(database, LOCK)?, "another `mps migrate up` is at work on this database");
    database.batch_execute(MAKE_LIST).map_err(|error| told(&error))?;
    // Read under the lock: what another one has just applied is applied.
    let applied = applied(database)?;
    if let Some(first) = unknown(migrations, &applied).first() {
        bail!(
            "the database is of another release, which knows {first}: migrate with that one, or a later one"
        );
    }
    let pending = pending(migrations, &applied);
    for (index, migration) in pending.iter().enumerate() {
        say(&format!("{} of {}: {}", index + 1, pending.len(), migration.shown()));
        apply(database, migration)?;
    }
    Ok(pending.len())
}

fn apply(database: &mut Client, migration: &Migration) -> Result<()> {
    let text = fs::read_to_string(&migration.file)
        .with_context(|| format!("cannot read {}", migration.file.display()))?;
    let mut attempt = 1;
    loop {
        match apply_once(database, migration, &text) {
            Ok(()) => return Ok(()),
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) && attempt < ATTEMPTS => {
                attempt += 1;
                say(&format!("{} waits for those who use its tables; again in a second", migration.shown()));
                thread::sleep(PAUSE);
            }
            Err(error) => {
                bail!("{}, of which nothing was applied: {}", migration.shown(), describe(&error))
            }
        }
    }
}

fn apply_once(database: &mut Client, migration: &Migration, text: &str) -> Result<(), postgres::Error> {
    let mut transaction = database.transaction()?;
    transaction.batch_execute(LOCK_TIMEOUT)?;
    transaction.batch_execute(text)?;
    // A migration may have set what names are looked up in.
    transaction.execute(
        "insert into supabase_migrations.schema_migrations (version, name, statements) values ($1, $2, array[$3])",
        &[&migration.version, &migration.name, &text],
    )?;
    transaction.commit()?;
    // And what outlives it.
    database.batch_execute("reset all")
}

fn make_plain(database: &mut Client, release: &Path) -> Result<()> {
    let file = release.join("postgres/bootstrap.sql");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    database.batch_execute(&text).map_err(|error| anyhow!("{}: {}", file.display(), describe(&error)))
}

fn query_one<T: for<'a> postgres::types::FromSql<'a>>(database: &mut Client, query: &str) -> Result<T> {
    let row = database.query_one(query, &[]).map_err(|error| told(&error))?;
    Ok(row.try_get(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<Migration> {
        names.iter().filter_map(|name| Migration::of(&Path::new("x").join(name))).collect()
    }

    #[test]
    fn only_what_is_named_like_one_is_a_migration() {
        let all = of(&["20261123000100_schemas.sql", "README.md", "2026_x.sql", "20261123000200_a_b.sql"]);
        let names: Vec<String> = all.iter().map(Migration::shown).collect();
        assert_eq!(names, ["20261123000100_schemas", "20261123000200_a_b"]);
    }

    #[test]
    fn what_is_not_applied_is_pending_and_what_is_not_ours_is_unknown() {
        let all = of(&["20261123000100_a.sql", "20261123000200_b.sql"]);
        let applied = BTreeMap::from(
            [("20261123000100", "a"), ("20271123000100", "later")]
                .map(|(version, name)| (version.to_owned(), name.to_owned())),
        );
        assert_eq!(
            pending(&all, &applied).iter().map(|one| one.shown()).collect::<Vec<_>>(),
            ["20261123000200_b"]
        );
        assert_eq!(unknown(&all, &applied), ["20271123000100_later"]);
    }
}
