//! What outlives a checkout, in the user's cache folder: tools, compiled dependencies, built outputs, npm packages.

pub(crate) mod compiled;
pub(crate) mod outputs;
mod tree;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::repository::cache_folder;

/// Holds the cache: whoever writes to it or reads much of it waits for the others.
pub(crate) struct Lock {
    // Held until it is closed.
    _file: File,
}

impl Lock {
    pub(crate) fn take() -> Result<Self> {
        let folder = cache_folder()?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("lock");
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Self { _file: file })
    }
}

/// A folder of the cache that has one entry for each key.
struct Shelf {
    folder: PathBuf,
    /// How many entries stay: the newest.
    kept: usize,
}

impl Shelf {
    fn named(name: &str, kept: usize) -> Result<Self> {
        Ok(Self { folder: cache_folder()?.join(name), kept })
    }

    /// The entry of that key, when there is one; it counts as new from now on.
    fn find(&self, key: &str) -> Option<PathBuf> {
        let entry = self.folder.join(key);
        entry.is_dir().then(|| {
            touch(&entry);
            entry
        })
    }

    /// Lays an entry down whole or not at all, in place of one of the same key, and removes the oldest beyond `kept`.
    fn put(&self, key: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let aside = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.folder)?;
        let new = aside.path().join("entry");
        fs::create_dir(&new)?;
        fill(&new)?;
        let entry = self.folder.join(key);
        if entry.exists() {
            fs::rename(&entry, aside.path().join("former"))?;
        }
        fs::rename(&new, &entry).with_context(|| format!("cannot write {}", entry.display()))?;
        touch(&entry);
        let by_age = self.by_age();
        for old in &by_age[..by_age.len().saturating_sub(self.kept)] {
            fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        Ok(())
    }

    /// The entries, the newest last.
    fn by_age(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let is_entry =
            |path: &PathBuf| path.file_name().is_none_or(|name| name.as_encoded_bytes()[0] != b'.');
        let mut found: Vec<(SystemTime, PathBuf)> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(is_entry)
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        found.sort();
        found.into_iter().map(|(_, path)| path).collect()
    }
}

/// Best effort: an entry that looks older than it is goes sooner.
fn touch(entry: &Path) {
    if let Ok(folder) = File::open(entry) {
        let _ = folder.set_modified(SystemTime::now());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::Shelf;

    #[test]
    fn a_shelf_keeps_the_entries_that_were_used_last() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let shelf = Shelf { folder: folder.path().join("shelf"), kept: 2 };
        for (age, key) in [(3, "a"), (2, "b")] {
            shelf.put(key, |entry| Ok(fs::write(entry.join("file"), key)?))?;
            let time = SystemTime::now() - Duration::from_secs(age * 60);
            fs::File::open(shelf.folder.join(key))?.set_modified(time)?;
        }
        assert!(shelf.find("a").is_some());
        shelf.put("c", |entry| Ok(fs::write(entry.join("file"), "c")?))?;
        assert!(shelf.find("a").is_some() && shelf.find("c").is_some());
        assert!(shelf.find("b").is_none());
        Ok(())
    }

    #[test]
    fn an_entry_that_could_not_be_filled_is_not_there_and_the_former_one_stays() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let shelf = Shelf { folder: folder.path().join("shelf"), kept: 2 };
        shelf.put("a", |entry| Ok(fs::write(entry.join("file"), "first")?))?;
        assert!(shelf.put("a", |_| anyhow::bail!("no room")).is_err());
        assert_eq!(fs::read_to_string(shelf.folder.join("a/file"))?, "first");
        assert_eq!(shelf.by_age().len(), 1);
        Ok(())
    }
}
