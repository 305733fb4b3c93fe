//! pgBackRest's repository: what it says is in it, and whether its files are whole.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;

/// Which repository. Where it is and how it is opened is in pgBackRest's own configuration.
#[derive(Args)]
pub(crate) struct Repository {
    /// The name of the cluster in pgBackRest's configuration (/etc/pgbackrest/pgbackrest.conf, or the variable `PGBACKREST_CONFIG`)
    #[arg(long, default_value = "mps", value_name = "NAME")]
    pub(crate) stanza: String,
    /// The program
    #[arg(long, default_value = "pgbackrest", value_name = "PROGRAM")]
    pgbackrest: String,
}

/// What is known of a stanza.
#[derive(Deserialize)]
pub(crate) struct Stanza {
    pub(crate) status: Status,
    #[serde(default)]
    pub(crate) archive: Vec<Archive>,
    /// The oldest first.
    #[serde(default)]
    pub(crate) backup: Vec<Backup>,
    #[serde(default)]
    pub(crate) db: Vec<Cluster>,
}

#[derive(Deserialize)]
pub(crate) struct Status {
    pub(crate) code: u32,
    pub(crate) message: String,
}

/// Of one major version of PostgreSQL.
#[derive(Deserialize)]
pub(crate) struct Archive {
    /// Of the version and of the cluster: `15-1`.
    #[serde(default)]
    id: String,
    /// The newest segment.
    pub(crate) max: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Cluster {
    pub(crate) version: String,
}

#[derive(Deserialize)]
pub(crate) struct Backup {
    pub(crate) label: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    timestamp: Times,
    /// Pages whose checksum was wrong when it was made.
    #[serde(default)]
    pub(crate) error: Option<bool>,
}

#[derive(Deserialize)]
struct Times {
    stop: i64,
}

impl Backup {
    /// The earliest moment that can be had with it.
    pub(crate) fn ended_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.timestamp.stop, 0).unwrap_or_default()
    }
}

impl Stanza {
    /// The newest segment of the cluster as it is now.
    pub(crate) fn newest_segment(&self) -> Option<Segment> {
        self.archive.last().and_then(|archive| archive.max.as_deref()).and_then(Segment::parse)
    }
}

/// A file of the write-ahead log, by its name: a timeline, then where it is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    timeline: u32,
    pub(crate) number: u64,
}

/// 16 MB, as PostgreSQL has it unless it was built otherwise.
const SEGMENT_BYTES: u64 = 1 << 24;
const SHA1_DIGITS: usize = 40;
const SEGMENTS_PER_LOG: u64 = (1 << 32) / SEGMENT_BYTES;

impl Segment {
    /// `000000010000000000000003`, also at the beginning of what a backup is named.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let part = |from: usize| u32::from_str_radix(name.get(from..from + 8)?, 16).ok();
        let (timeline, log, segment) = (part(0)?, part(8)?, part(16)?);
        Some(Self { timeline, number: u64::from(log) * SEGMENTS_PER_LOG + u64::from(segment) })
    }

    /// Whether a position, `0/3000028`, is behind its beginning.
    pub(crate) fn is_reached_by(self, position: &str) -> Option<bool> {
        let (high, low) = position.split_once('/')?;
        let part = |text: &str| u64::from_str_radix(text, 16).ok();
        Some((part(high)? << 32) + part(low)? > self.number * SEGMENT_BYTES)
    }
}

impl Repository {
    /// `pgbackrest` for this stanza, which says on standard error what is wrong and nothing else.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.pgbackrest);
        command.arg(format!("--stanza={}", self.stanza));
        command.args(["--log-level-console=off", "--log-level-stderr=warn"]);
        command
    }

    pub(crate) fn info(&self) -> Result<Stanza> {
        let answer = self.run(self.command().args(["--output=json", "info"]))?;
        let all: Vec<Stanza> = serde_json::from_str(&answer).context("pgbackrest info answers no JSON")?;
        all.into_iter().next().with_context(|| format!("pgbackrest knows no stanza {}", self.stanza))
    }

    /// Its report. pgBackRest ends well whatever it found (2.45), so that what it says is read.
    pub(crate) fn verify(&self) -> Result<Vec<String>> {
        let report = self.run(self.command().args(["--output=text", "--verbose", "verify"]))?;
        let lines: Vec<String> = report.lines().map(|line| line.trim().to_owned()).collect();
        ensure!(
            is_whole(&lines),
            "the repository is not whole; take a full backup now (pgbackrest --stanza={0} --type=full backup), then look for what \
             damaged it: {1}",
            self.stanza,
            lines.join("; ")
        );
        Ok(lines)
    }

    /// Whether the newest segment is what was archived: its name there ends in its SHA-1. `data` is a data folder of its cluster.
    pub(crate) fn is_newest_whole(&self, stanza: &Stanza, data: &Path) -> Result<bool> {
        let newest = stanza.archive.last().and_then(|archive| Some((archive, archive.max.as_deref()?)));
        let (archive, name) = newest.context("nothing is archived")?;
        let folder = format!("archive/{}/{}/{}", self.stanza, archive.id, name.get(..16).unwrap_or_default());
        // Without a stanza of its own: it is in the path.
        let mut list = Command::new(&self.pgbackrest);
        let listed =
            self.run(list.args(["--log-level-console=off", "--log-level-stderr=warn", "repo-ls", &folder]))?;
        let place = tempfile::tempdir().context("no temporary folder")?;
        let file = place.path().join(name);
        let mut get = self.command();
        get.arg(format!("--pg1-path={}", data.display())).args(["archive-get", name]).arg(&file);
        if self.run(&mut get).is_err() {
            return Ok(false);
        }
        let sum = Command::new("sha1sum").arg(&file).output().context("cannot run sha1sum")?;
        let sum =
            String::from_utf8_lossy(&sum.stdout).split_whitespace().next().unwrap_or_default().to_owned();
        Ok(sum.len() == SHA1_DIGITS && listed.contains(&format!("{name}-{sum}")))
    }

    /// What it answers, unless it fails.
    pub(crate) fn run(&self, command: &mut Command) -> Result<String> {
        let output = command
            .output()
            .with_context(|| format!("cannot run {}: is pgBackRest installed?", self.pgbackrest))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("pgbackrest: {}", said.lines().map(str::trim).collect::<Vec<_>>().join(" "));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn is_whole(report: &[String]) -> bool {
    let is_zero = |line: &String| {
        let numbers = line.split(", ").filter_map(|part| part.rsplit_once(": "));
        numbers.filter(|(what, _)| !what.starts_with("total")).all(|(_, number)| number == "0")
    };
    let counts = ["missing:", "checksum invalid:", "size invalid:", "other:"];
    report.iter().any(|line| line == "status: ok")
        && report.iter().filter(|line| counts.iter().any(|count| line.starts_with(count))).all(is_zero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_read_from_its_name_and_compared_with_a_position() {
        let third = Segment::parse("000000010000000000000003").map(|segment| segment.number);
        assert_eq!(third, Some(3));
        let later = Segment::parse("0000000200000001000000FF.00000028.backup");
        assert_eq!(later, Some(Segment { timeline: 2, number: 511 }));
        assert!(later > Segment::parse("000000010000000900000001"), "a later timeline is later");
        assert_eq!(Segment::parse("00000002.history"), None);
        let fourth = Segment { timeline: 1, number: 4 };
        assert_eq!(fourth.is_reached_by("0/4000000"), Some(false));
        assert_eq!(fourth.is_reached_by("0/4000028"), Some(true));
        assert_eq!(fourth.is_reached_by("1/0"), Some(true));
        assert_eq!(fourth.is_reached_by("nothing"), None);
    }

    #[test]
    fn a_report_with_one_bad_file_is_not_that_of_a_whole_repository() {
        let of = |text: &str| is_whole(&text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>());
        assert!(of("stanza: mps\nstatus: ok"));
        assert!(of("stanza: mps\nstatus: ok\n  missing: 0, checksum invalid: 0, size invalid: 0, other: 0"));
        assert!(!of("stanza: mps\nstatus: ok\n  missing: 0, checksum invalid: 1, size invalid: 0, other: 0"));
        assert!(!of("stanza: mps\nstatus: error\n  other: 1"));
        assert!(!of(""), "silence is no report");
    }
}
