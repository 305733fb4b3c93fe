//! Whether there is a recent backup, and whether what was committed since is in the archive: of the repository by pgBackRest, of the
//! archiver by the database.

use std::process::ExitCode;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use postgres::Client;
use serde::Serialize;
use serde_json::json;

use super::repository::{Backup, Repository, Segment, Stanza};
use super::{now, shown};
use crate::database::{Database, told};
use crate::output::Output;

/// What the owner was promised: at most a minute is lost.
const ARCHIVE_TIMEOUT_SECONDS_MAX: i64 = 60;

/// Needs `pg_monitor`.
const ARCHIVER: &str = "select s.last_archived_wal, s.last_archived_time, s.last_failed_time,
  current_setting('archive_mode') <> 'off',
  (select setting::bigint from pg_catalog.pg_settings where name = 'archive_timeout'),
  w.waiting, w.oldest
from pg_catalog.pg_stat_archiver s
cross join (
  select count(*) as waiting, min(modification) as oldest
  from pg_catalog.pg_ls_archive_statusdir() where name like '%.ready') w";

#[derive(Args)]
#[command(
    after_help = "Examples:\n  sudo -u postgres env DATABASE_URL='postgres://postgres@%2Fvar%2Frun%2Fpostgresql/postgres' mps backup status\n  \
                  mps backup status --json --database-url-file /etc/mps/monitor-url --backup-hours-max 26\n\n\
                  Exit codes: 0 all is well, 1 something is not: what, and what to do, is told."
)]
pub(crate) struct Options {
    #[command(flatten)]
    repository: Repository,
    #[command(flatten)]
    database: Database,
    /// How old the newest backup may be
    #[arg(long, default_value_t = 26, value_name = "HOURS")]
    backup_hours_max: i64,
    /// How old the newest full backup may be
    #[arg(long, default_value_t = 8, value_name = "DAYS")]
    full_days_max: i64,
    /// How long a finished segment may wait for the archive
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    archive_seconds_max: i64,
}

/// What is wrong, and what to do.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    fix: String,
}

/// What the database says of its archiver.
#[derive(Clone, Default)]
struct Archiver {
    newest: Option<String>,
    archived_at: Option<DateTime<Utc>>,
    failed_at: Option<DateTime<Utc>>,
    is_on: bool,
    timeout_seconds: i64,
    waiting: i64,
    oldest_waiting_since: Option<DateTime<Utc>>,
}

struct Bounds {
    backup: TimeDelta,
    full: TimeDelta,
    archive: TimeDelta,
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    // The database first: what it says is archived must then be in the repository.
    let archiver = options.database.connect().and_then(|mut database| archiver(&mut database));
    let (stanza, now) = (options.repository.info()?, now());
    let bounds = Bounds {
        backup: TimeDelta::hours(options.backup_hours_max),
        full: TimeDelta::days(options.full_days_max),
        archive: TimeDelta::seconds(options.archive_seconds_max),
    };
    let name = &options.repository.stanza;
    let mut findings = of_backups(&stanza, name, &bounds, now);
    match &archiver {
        Ok(archiver) => findings.extend(of_archive(archiver, stanza.newest_segment(), &bounds, now)),
        Err(error) => findings.push(Finding {
            what: format!("whether committed work reaches the archive is not known: {error:#}"),
            fix: "start the database, or say where it is (DATABASE_URL, --database-url-file)".to_owned(),
        }),
    }
    let archiver = archiver.unwrap_or_default();
    let last = |full_only: bool| stanza.backup.iter().rfind(|one| !full_only || one.kind == "full");
    let told = |backup: &Backup| {
        let ended = backup.ended_at();
        json!({"label": backup.label, "type": backup.kind, "at": shown(ended), "age_seconds": (now - ended).num_seconds()})
    };
    let answer = json!({
        "ok": findings.is_empty(), "stanza": name, "backups": stanza.backup.len(),
        "newest": last(false).map(told), "full": last(true).map(told),
        "archive": {
            "newest": stanza.archive.last().and_then(|archive| archive.max.as_deref()),
            "archived_at": archiver.archived_at.map(shown), "failed_at": archiver.failed_at.map(shown),
            "waiting": archiver.waiting,
        },
        "findings": findings,
    });
    output.result(&answer, || {
        let backup = |title: &str, one: Option<&Backup>| {
            let told = |one: &Backup| format!("{} of {}", one.label, shown(one.ended_at()));
            format!("{title:<15} {}", one.map_or("none".to_owned(), told))
        };
        let last_time = archiver.archived_at.map_or("not known".to_owned(), shown);
        let mut lines = vec![backup("newest backup", last(false)), backup("full backup", last(true))];
        lines.push(format!("{:<15} {last_time}, {} segments waiting", "last archived", archiver.waiting));
        lines.extend(findings.iter().map(|finding| format!("✗ {}\n  → {}", finding.what, finding.fix)));
        lines.join("\n")
    });
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn archiver(database: &mut Client) -> Result<Archiver> {
    let row = database.query_one(ARCHIVER, &[]).map_err(|error| told(&error))?;
    let time = |index: usize| row.try_get::<_, Option<std::time::SystemTime>>(index);
    Ok(Archiver {
        newest: row.try_get(0)?,
        archived_at: time(1)?.map(Into::into),
        failed_at: time(2)?.map(Into::into),
        is_on: row.try_get(3)?,
        timeout_seconds: row.try_get(4)?,
        waiting: row.try_get(5)?,
        oldest_waiting_since: time(6)?.map(Into::into),
    })
}

fn of_backups(stanza: &Stanza, name: &str, bounds: &Bounds, now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |what: String, fix: String| findings.push(Finding { what, fix });
    let make = |kind: &str| format!("pgbackrest --stanza={name} --type={kind} backup; is its timer on?");
    if stanza.status.code != 0 {
        add(
            format!("pgBackRest says: {}", stanza.status.message),
            format!("pgbackrest --stanza={name} check"),
        );
    }
    let age = |backup: &Backup| now - backup.ended_at();
    let hours = |length: TimeDelta| format!("{} h", length.num_hours());
    match stanza.backup.last() {
        None => add("there is no backup".to_owned(), make("full")),
        Some(newest) => {
            if age(newest) > bounds.backup {
                let old = (hours(age(newest)), hours(bounds.backup));
                add(format!("the newest backup is {} old, more than {}", old.0, old.1), make("diff"));
            }
            if newest.error == Some(true) {
                add(
                    format!("{} has pages whose checksum is wrong", newest.label),
                    format!(
                        "pgbackrest --stanza={name} --set={} info names the files: the disk of the database is failing",
                        newest.label
                    ),
                );
            }
            let full = stanza.backup.iter().rfind(|one| one.kind == "full");
            if full.is_none_or(|full| age(full) > bounds.full) {
                add(format!("no full backup is younger than {}", hours(bounds.full)), make("full"));
            }
        }
    }
    findings
}

fn of_archive(
    archiver: &Archiver,
    in_repository: Option<Segment>,
    bounds: &Bounds,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |what: String, fix: &str| findings.push(Finding { what, fix: fix.to_owned() });
    let settings = "include deploy/postgres/postgresql.backup.conf, and start PostgreSQL again";
    if !archiver.is_on {
        add("archive_mode is off: what is committed after a backup is lost".to_owned(), settings);
        return findings;
    }
    if !(1..=ARCHIVE_TIMEOUT_SECONDS_MAX).contains(&archiver.timeout_seconds) {
        add(
            format!(
                "archive_timeout is {} s: in a quiet hour more than a minute is lost",
                archiver.timeout_seconds
            ),
            settings,
        );
    }
    let look = "PostgreSQL's log says why; try `pgbackrest --stanza=… check`; free the repository's disk if it is full";
    if archiver.failed_at.is_some() && archiver.failed_at > archiver.archived_at {
        let since = archiver.archived_at.map_or("ever".to_owned(), shown);
        add(format!("the archive command fails; nothing is archived since {since}"), look);
    }
    let age = archiver.oldest_waiting_since.map(|since| now - since);
    if let Some(age) = age.filter(|age| *age > bounds.archive) {
        add(
            format!("{} finished segments wait, the oldest for {} s", archiver.waiting, age.num_seconds()),
            look,
        );
    }
    let said = archiver.newest.as_deref().and_then(Segment::parse);
    if let Some(said) = said.filter(|said| in_repository.is_none_or(|there| there < *said)) {
        let name = archiver.newest.as_deref().unwrap_or_default();
        add(
            format!(
                "PostgreSQL takes {name} ({}) for archived, and the repository does not have it",
                said.number
            ),
            "archive_command is not this repository's: set it as in postgresql.backup.conf, then take a full backup",
        );
    }
    findings
}

#[cfg(test)]
mod tests;
