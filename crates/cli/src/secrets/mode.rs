//! Who may read and write a file.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};

/// The permissions of what is there, else `None`.
pub(crate) fn of(path: &Path) -> Result<Option<u32>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.permissions().mode() & 0o777)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", path.display())),
    }
}

/// Reading, writing and executing, by the group and by everybody.
const OTHERS: u32 = 0o077;

/// Whether nobody but its owner may do anything with it.
pub(crate) const fn is_private(mode: u32) -> bool {
    mode & OTHERS == 0
}
