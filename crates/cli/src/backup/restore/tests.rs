//! What is refused before anything is written.

use super::*;

fn stanza() -> Result<Stanza> {
    let backup =
        |label: &str, stop: i64| json!({"label": label, "type": "full", "timestamp": {"stop": stop}});
    let all = [backup("first", 1000), backup("second", 2000)];
    Ok(serde_json::from_value(json!({"status": {"code": 0, "message": "ok"}, "backup": all}))?)
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

#[test]
fn a_moment_has_its_time_zone() {
    assert_eq!(parse_moment("latest"), Ok(Moment::Latest));
    assert_eq!(parse_moment("1970-01-01T08:16:40+08:00"), Ok(Moment::At(at(1000))));
    for text in ["2026-11-28T13:44:59", "2026-11-28", "now", ""] {
        assert!(parse_moment(text).is_err(), "{text}");
    }
}

#[test]
fn the_backup_is_the_newest_that_was_whole_by_then() -> Result<()> {
    let of = |to: Moment| backup_before(&stanza()?, to, at(3000));
    assert_eq!(of(Moment::Latest)?, "second");
    assert_eq!(of(Moment::At(at(2001)))?, "second");
    assert_eq!(of(Moment::At(at(2000)))?, "first");
    assert!(of(Moment::At(at(1000))).is_err(), "before the oldest");
    assert!(of(Moment::At(at(3001))).is_err(), "yet to come");
    Ok(())
}

#[test]
fn a_folder_with_anything_in_it_is_refused_and_one_of_ours_is_gone_afterwards() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (full, new) = (place.path().join("full"), place.path().join("new"));
    fs::create_dir(&full)?;
    fs::write(full.join("PG_VERSION"), "15")?;
    assert!(Folder::take(&full).is_err());
    assert_eq!(fs::read_to_string(full.join("PG_VERSION"))?, "15");
    for is_there_before in [false, true] {
        let folder = Folder::take(&new)?;
        assert_eq!(fs::metadata(&new)?.permissions().mode() & 0o777, 0o700);
        fs::create_dir_all(new.join("base/1"))?;
        fs::write(new.join("PG_VERSION"), "15")?;
        folder.empty()?;
        assert_eq!(new.exists(), is_there_before);
        fs::create_dir_all(&new)?;
    }
    assert!(Folder::take(Path::new("data")).is_err(), "from wherever one stands");
    Ok(())
}
