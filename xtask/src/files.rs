//! Walking the checkout and hashing what a step depends on.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Folders that are never input: they are built, installed or kept for one run.
const BUILT: &[&str] = &["node_modules", "dist", "target", "build", ".git", ".mps", ".temp", ".wrangler"];

/// Every file under `path`, or `path` itself when it is one, in order; nothing when it does not exist.
pub(crate) fn walk(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if path.is_file() {
        found.push(path.to_path_buf());
    } else if path.is_dir() {
        visit(path, &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn visit(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let is_built = path.file_name().is_some_and(|name| BUILT.iter().any(|built| name == *built));
        if is_built {
            continue;
        }
        if path.is_dir() {
            visit(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// The SHA-256 of every input's path and contents, and of `extra` (versions and options), in hexadecimal.
pub(crate) fn hash(root: &Path, inputs: &[&str], extra: &str) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(extra.as_bytes());
    for input in inputs {
        for path in walk(&root.join(input))? {
            let contents = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(&path);
            digest.update(name.as_os_str().as_encoded_bytes());
            digest.update(contents.len().to_be_bytes());
            digest.update(contents);
        }
    }
    let mut text = String::new();
    for byte in digest.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
