//! `mps backup restore`: to a moment, into an empty folder, and what the books say there.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use chrono::{DateTime, Utc};
use clap::Args;
use postgres::Client;
use serde_json::json;

use super::books::{self, Report};
use super::repository::{Repository, Stanza};
use super::server::{Server, wait};
use super::{now, shown};
use crate::output::{Output, say};

#[derive(Args)]
#[command(
    long_about = "Restore to a moment into an empty data folder, start it in private, and check the books\n\n\
                  pgBackRest restores the newest backup before the moment and PostgreSQL replays what was archived after it. The server has a port of its \
                  own on loopback and archives nothing. Then verify_ledger and verify_seals must find nothing, the master key of codes must be readable, \
                  and the schema must be one that this program knows. Unless it is a trial, the numbers of \
                  transactions, orders, settlements, cards and members then go on further up: those that were given after the moment are on receipts and at \
                  payment providers. Nothing but the folder is changed: not the repository, not a database that runs.",
    after_help = "Examples:\n  sudo -u postgres mps backup restore --to latest --into /var/lib/postgresql/trial --check-only\n  \
                  sudo -u postgres mps backup restore --to 2026-11-28T13:44:59+08:00 --into /var/lib/postgresql/15/main\n\n\
                  Exit codes: 0 restored, and the books are right; 1 refused, failed, or something is wrong with the books.\n\
                  Afterwards: docs/operations/backups.md."
)]
pub(crate) struct Options {
    /// The moment, with its time zone; `latest` for all that was archived
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    to: Moment,
    /// The data folder: not there yet, or empty
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
    /// Stop it after the checks and, when they found nothing, remove what was restored: the weekly trial
    #[arg(long)]
    check_only: bool,
    #[command(flatten)]
    repository: Repository,
    /// The database of MPS in it
    #[arg(long, default_value = "postgres", value_name = "NAME")]
    database: String,
    /// A superuser in it
    #[arg(long, default_value = "postgres", value_name = "NAME")]
    user: String,
    /// Its port on loopback; a free one when left out
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// PostgreSQL's programs, of the version of the backup; where Debian has them when left out
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Latest,
    At(DateTime<Utc>),
}

fn parse_moment(text: &str) -> Result<Moment, String> {
    if text == "latest" {
        return Ok(Moment::Latest);
    }
    let moment = DateTime::parse_from_rfc3339(text);
    let why =
        "write it with its time zone, as 2026-11-28T13:44:59+08:00 or 2026-11-28T05:44:59Z, or `latest`";
    Ok(Moment::At(moment.map_err(|_| why.to_owned())?.to_utc()))
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    let begin = Instant::now();
    let stanza = options.repository.info()?;
    let label = backup_before(&stanza, options.to, now())?;
    let programs = programs(options, &stanza)?;
    let folder = Folder::take(&options.into)?;
    say(&format!("restoring {label} into {}", options.into.display()));
    restore(options)?;
    let restored = begin.elapsed();
    say("replaying what was archived after it");
    let told = |error| beyond(&error, options.to);
    let server = Server::start(&options.into, &programs, options.port).map_err(told)?;
    let mut database = server.recovered(&options.user, &options.database).map_err(told)?;
    let recovered = begin.elapsed();
    say("checking the books");
    let mut report = books::check(&mut database)?;
    if options.to == Moment::Latest {
        report.findings.extend(cut_short(options, &mut database, &stanza)?);
    }
    let numbers = if options.check_only { Vec::new() } else { books::skip_numbers(&mut database)? };
    drop(database);
    let total = begin.elapsed();
    tell(options, output, &label, (&report, &numbers), server.port, [restored, recovered, total]);
    let is_right = report.findings.is_empty();
    if options.check_only {
        server.stop()?;
        if is_right {
            folder.empty()?;
        } else {
            say(&format!("{} stays for whoever looks into it", options.into.display()));
        }
    } else {
        hand_over(options, server)?;
    }
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The newest backup that was whole by then.
fn backup_before(stanza: &Stanza, to: Moment, now: DateTime<Utc>) -> Result<String> {
    let Some(oldest) = stanza.backup.first() else {
        bail!("there is no backup to restore from: {}", stanza.status.message)
    };
    let moment = match to {
        Moment::Latest => now,
        Moment::At(moment) if moment > now => {
            bail!("{} is yet to come: `--to latest` takes all that was archived", shown(moment))
        }
        Moment::At(moment) => moment,
    };
    // Of its end whole seconds are known: as pgBackRest, none that may have ended after the moment.
    let backup = stanza.backup.iter().rfind(|backup| backup.ended_at().timestamp() < moment.timestamp());
    let oldest = shown(oldest.ended_at());
    Ok(backup
        .with_context(|| format!("the oldest backup is of {oldest}: take a moment after that"))?
        .label
        .clone())
}

/// Of the version of the backup: no other reads its files.
fn programs(options: &Options, stanza: &Stanza) -> Result<PathBuf> {
    let folder = match (&options.programs, stanza.db.last()) {
        (Some(folder), _) => folder.clone(),
        (None, Some(cluster)) => PathBuf::from(format!("/usr/lib/postgresql/{}/bin", cluster.version)),
        (None, None) => bail!("pgBackRest does not tell the version of PostgreSQL: say --programs"),
    };
    ensure!(folder.join("pg_ctl").is_file(), "{} has no pg_ctl: say --programs", folder.display());
    Ok(folder)
}

fn restore(options: &Options) -> Result<()> {
    let mut command = options.repository.command();
    // Whatever the configuration says: nothing is written over.
    command.arg("--no-delta").arg(format!("--pg1-path={}", options.into.display()));
    match options.to {
        Moment::Latest => drop(command.arg("--type=default")),
        Moment::At(moment) => {
            let target = moment.format("%Y-%m-%d %H:%M:%S%.6f+00");
            command.args(["--type=time", "--target-action=promote"]).arg(format!("--target={target}"));
        }
    }
    let is_done = wait(command.arg("restore"), "pgBackRest goes on")?;
    ensure!(
        is_done,
        "pgbackrest did not restore it, and {} is of no use: empty it. Its message is above; where a file is damaged, take a moment \
         before an older backup's successor, or another repository",
        options.into.display()
    );
    Ok(())
}

/// PostgreSQL refuses to start where the archive does not reach the moment.
fn beyond(error: &anyhow::Error, to: Moment) -> anyhow::Error {
    let text = format!("{error:#}");
    match to {
        Moment::At(moment) if text.contains("before configured recovery target was reached") => anyhow!(
            "the archive does not reach {}: a file of it is damaged or missing, or nothing was committed after that moment. `mps backup \
             verify` tells which; `--to latest` into an empty folder takes what there is. {text}",
            shown(moment)
        ),
        _ => anyhow!(text),
    }
}

/// PostgreSQL takes what it cannot read for the end of the archive, and says nothing.
fn cut_short(options: &Options, database: &mut Client, stanza: &Stanza) -> Result<Option<String>> {
    let timeline = "select upper(lpad(to_hex(timeline_id), 8, '0')) from pg_catalog.pg_control_checkpoint()";
    let name = format!("{}.history", books::rows(database, timeline)?.concat());
    let file = options.into.join("pg_wal").join(name);
    let history =
        fs::read_to_string(&file).with_context(|| format!("no timeline begins: {}", file.display()))?;
    let end = history.lines().rev().find(|line| !line.trim().is_empty());
    let end = end.and_then(|line| line.split('\t').nth(1)).unwrap_or("an unknown place");
    let is_reached = stanza.newest_segment().and_then(|newest| newest.is_reached_by(end)) == Some(true);
    let is_whole = is_reached && options.repository.is_newest_whole(stanza, &options.into)?;
    let what = || {
        format!(
            "recovery stopped at {end}, before the end of the archive: a file there is damaged or missing (mps backup verify)"
        )
    };
    Ok((!is_whole).then(what))
}

fn tell(
    options: &Options,
    output: &Output,
    label: &str,
    (report, numbers): (&Report, &[String]),
    port: u16,
    times: [Duration; 3],
) {
    let [restored, recovered, total] = times.map(|time| (time.as_secs_f64() * 10.0).round() / 10.0);
    let to = match options.to {
        Moment::Latest => "latest".to_owned(),
        Moment::At(moment) => shown(moment),
    };
    let answer = json!({
        "ok": report.findings.is_empty(), "to": to, "backup": label, "folder": options.into, "running": !options.check_only,
        "port": port, "books": report, "numbers": numbers,
        "seconds": {"restore": restored, "until_recovered": recovered, "until_checked": total},
    });
    output.result(&answer, || {
        let newest = report.newest_transaction.as_ref();
        let newest = newest.map_or("none".to_owned(), |newest| format!("{} of {}", newest.tx_no, newest.at));
        let counts: Vec<String> =
            report.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let mut lines = vec![
            format!("restored to     {to}, from {label}"),
            format!("newest          {newest}"),
            format!("in it           {}", counts.join(", ")),
            format!("schema          {}", report.schema_version),
            format!("took            {total} s: files {restored}, recovered at {recovered}, then the books"),
        ];
        if !numbers.is_empty() {
            lines.push(
                "numbers         go on further up: none that was given after it is given again".to_owned(),
            );
        }
        lines.extend(report.findings.iter().map(|finding| format!("✗ {finding}")));
        if report.findings.is_empty() {
            lines.push("the books are right".to_owned());
        }
        lines.join("\n")
    });
}

/// To whoever makes it the real one.
fn hand_over(options: &Options, server: Server) -> Result<()> {
    mark_history(&options.into)?;
    let (stop, port) = (server.how_to_stop(), server.port);
    let socket = server.let_go();
    say(&format!(
        "it runs in private: psql -h {} -p {port} -U {} {}\nto make it the real one: {stop}; then start it as always, and take a full backup at once",
        socket.display(),
        options.user,
        options.database
    ));
    Ok(())
}

/// The new timeline's file is archived when this folder first runs as the real one, so that no other restore takes the same number.
fn mark_history(folder: &Path) -> Result<()> {
    let wal = folder.join("pg_wal");
    let entries = fs::read_dir(&wal).with_context(|| format!("cannot read {}", wal.display()))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    if let Some(newest) = names.filter(|name| name.ends_with(".history")).max() {
        let mark = wal.join("archive_status").join(format!("{newest}.ready"));
        fs::write(&mark, "").with_context(|| format!("cannot write {}", mark.display()))?;
    }
    Ok(())
}

/// Where it is restored to.
struct Folder<'a> {
    path: &'a Path,
    is_ours: bool,
}

impl<'a> Folder<'a> {
    /// Refuses one with anything in it.
    fn take(path: &'a Path) -> Result<Self> {
        ensure!(path.is_absolute(), "say --into from the root: {}", path.display());
        let is_ours = !path.exists();
        if is_ours {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(path)
                .with_context(|| format!("cannot make {}", path.display()))?;
        }
        let mut entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        if entries.next().is_some() {
            bail!(
                "{} is not empty, and nothing was changed: name a new folder, or move this one away first (keep it until the books are right)",
                path.display()
            );
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).with_context(|| {
            format!("{} is not ours: it must belong to whom PostgreSQL runs as", path.display())
        })?;
        Ok(Self { path, is_ours })
    }

    /// As it was before.
    fn empty(self) -> Result<()> {
        let cannot = || format!("cannot remove what was restored from {}", self.path.display());
        for entry in fs::read_dir(self.path).with_context(cannot)? {
            let path = entry?.path();
            let is_folder = path.symlink_metadata().is_ok_and(|about| about.is_dir());
            if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }
                .with_context(cannot)?;
        }
        if self.is_ours { fs::remove_dir(self.path).with_context(cannot) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
