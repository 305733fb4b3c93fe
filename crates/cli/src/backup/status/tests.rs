//! Each way in which backups can be too old and an archive behind.

use anyhow::Result;

use super::*;

const NOW: i64 = 1_795_900_000;

fn at(seconds_ago: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(NOW - seconds_ago, 0).unwrap_or_default()
}

fn bounds() -> Bounds {
    Bounds { backup: TimeDelta::hours(26), full: TimeDelta::days(8), archive: TimeDelta::seconds(120) }
}

fn stanza(backups: &[(&str, i64, bool)]) -> Result<Stanza> {
    let backup = |(kind, seconds_ago, error): &(&str, i64, bool)| json!({"label": "x", "type": kind, "timestamp": {"stop": NOW - seconds_ago}, "error": error});
    let backups: Vec<_> = backups.iter().map(backup).collect();
    let archive = json!([{"id": "15-1", "max": "000000010000000000000003"}]);
    let stanza = json!({"status": {"code": 0, "message": "ok"}, "archive": archive, "backup": backups});
    Ok(serde_json::from_value(stanza)?)
}

fn found(backups: &[(&str, i64, bool)]) -> Result<Vec<String>> {
    let findings = of_backups(&stanza(backups)?, "mps", &bounds(), at(0));
    Ok(findings.into_iter().map(|finding| finding.what).collect())
}

#[test]
fn a_backup_that_is_missing_old_or_damaged_is_found() -> Result<()> {
    assert!(found(&[("full", 7 * 86400, false), ("diff", 3600, false)])?.is_empty());
    assert_eq!(found(&[])?, ["there is no backup"]);
    let old = found(&[("full", 7 * 86400, false), ("diff", 27 * 3600, false)])?;
    assert_eq!(old, ["the newest backup is 27 h old, more than 26 h"]);
    let no_full = found(&[("full", 9 * 86400, false), ("diff", 3600, false)])?;
    assert_eq!(no_full, ["no full backup is younger than 192 h"]);
    assert_eq!(found(&[("full", 3600, true)])?, ["x has pages whose checksum is wrong"]);
    Ok(())
}

fn archiver() -> Archiver {
    Archiver {
        newest: Some("000000010000000000000003.00000028.backup".to_owned()),
        archived_at: Some(at(20)),
        failed_at: Some(at(3600)),
        is_on: true,
        timeout_seconds: 30,
        waiting: 0,
        oldest_waiting_since: None,
    }
}

fn first(archiver: &Archiver) -> String {
    let there = Segment::parse("000000010000000000000003");
    let found = of_archive(archiver, there, &bounds(), at(0));
    assert!(found.len() < 2, "{found:?}");
    found.into_iter().next().map_or(String::new(), |finding| finding.what)
}

#[test]
fn an_archive_that_is_off_slow_failing_or_elsewhere_is_found() {
    assert_eq!(first(&archiver()), "");
    assert!(first(&Archiver { is_on: false, ..archiver() }).contains("archive_mode is off"));
    for timeout_seconds in [0, 61] {
        assert!(first(&Archiver { timeout_seconds, ..archiver() }).contains("archive_timeout"));
    }
    let failing = Archiver { failed_at: Some(at(10)), ..archiver() };
    assert!(first(&failing).contains("the archive command fails"));
    let waiting = Archiver { waiting: 3, oldest_waiting_since: Some(at(121)), ..archiver() };
    assert_eq!(first(&waiting), "3 finished segments wait, the oldest for 121 s");
    assert_eq!(first(&Archiver { waiting: 1, oldest_waiting_since: Some(at(119)), ..archiver() }), "");
    let elsewhere = Archiver { newest: Some("000000010000000000000004".to_owned()), ..archiver() };
    assert!(first(&elsewhere).contains("the repository does not have it"));
}
