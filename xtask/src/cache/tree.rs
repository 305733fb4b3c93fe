//! Copies of folders: with their times, which cargo goes by, and without writing twice what nobody writes to.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

/// How a file gets into the copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Copy,
    /// One file in two folders, for what is replaced and never written to; where that cannot be, a copy.
    Link,
}

/// Puts a file or a folder there, if it exists.
pub(super) fn put(from: &Path, to: &Path, way: &dyn Fn(&Path) -> Way) -> Result<()> {
    if from.is_dir() {
        return copy(from, to, way);
    }
    if from.is_file() {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        file(from, to, way(from))?;
    }
    Ok(())
}

/// Copies everything below a folder into another, which may have some of it already; `way` decides for each file.
pub(super) fn copy(from: &Path, to: &Path, way: &dyn Fn(&Path) -> Way) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&source, &target, way)?;
        } else if kind.is_symlink() {
            let _ = fs::remove_file(&target);
            symlink(fs::read_link(&source)?, &target)
                .with_context(|| format!("cannot write {}", target.display()))?;
        } else {
            file(&source, &target, way(&source))?;
        }
    }
    Ok(())
}

/// Puts one file there, in place of what is there.
pub(super) fn file(source: &Path, target: &Path, way: Way) -> Result<()> {
    // Never written through: it may be a second name of a file that somebody else has.
    let _ = fs::remove_file(target);
    if way == Way::Link && fs::hard_link(source, target).is_ok() {
        return Ok(());
    }
    copy_with_time(source, target)
        .with_context(|| format!("cannot copy {} to {}", source.display(), target.display()))
}

fn copy_with_time(source: &Path, target: &Path) -> io::Result<()> {
    fs::copy(source, target)?;
    let modified = fs::metadata(source)?.modified()?;
    File::open(target)?.set_modified(modified)
}

/// The bytes of all files below a folder.
pub(super) fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .filter_map(io::Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    use super::{Way, copy, size};

    #[test]
    fn a_copy_has_the_links_the_times_and_the_bytes_and_what_is_written_to_it_stays_in_it()
    -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("below"))?;
        fs::write(from.join("below/file"), "text")?;
        symlink("below/file", from.join("link"))?;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        fs::File::open(from.join("below/file"))?.set_modified(time)?;
        fs::create_dir_all(&to)?;
        fs::write(to.join("link"), "in the way")?;
        copy(&from, &to, &|_| Way::Copy)?;
        assert_eq!(fs::read_to_string(to.join("link"))?, "text");
        assert_eq!(fs::metadata(to.join("below/file"))?.modified()?, time);
        fs::write(to.join("below/file"), "other text")?;
        assert_eq!(fs::read_to_string(from.join("below/file"))?, "text");
        assert!(size(&to) > size(&from));
        Ok(())
    }

    #[test]
    fn putting_a_file_in_place_of_a_linked_one_leaves_the_other_as_it_was() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        for (at, text) in [(&one, "1"), (&two, "2")] {
            fs::create_dir(at)?;
            fs::write(at.join("file"), text)?;
        }
        let third = folder.path().join("three");
        copy(&one, &third, &|_| Way::Link)?;
        copy(&two, &third, &|_| Way::Copy)?;
        assert_eq!(
            (fs::read_to_string(one.join("file"))?, fs::read_to_string(third.join("file"))?),
            ("1".into(), "2".into())
        );
        Ok(())
    }
}
