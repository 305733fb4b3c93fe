//! What a step made of inputs of one hash: the next checkout with the same inputs takes a copy.

use std::fs;

use anyhow::{Context, Result};

use super::tree::{self, Way};
use super::{Lock, Shelf};
use crate::repository::Repository;

/// Entries of one step: the branches that somebody goes between.
const KEPT: usize = 3;

/// Puts what was made of these inputs where the step would have put it; whether there was any. An output that the entry has not is not
/// there afterwards either.
pub(crate) fn restore(repository: &Repository, step: &str, hash: &str, outputs: &[&str]) -> Result<bool> {
    let _lock = Lock::take()?;
    let Some(entry) = shelf(step)?.find(hash) else { return Ok(false) };
    for output in outputs {
        let (from, to) = (entry.join(output), repository.join(output));
        // Nothing of a former build stays beside it.
        if to.is_dir() {
            fs::remove_dir_all(&to).with_context(|| format!("cannot remove {}", to.display()))?;
        }
        tree::put(&from, &to, &|_| Way::Copy)?;
    }
    Ok(true)
}

/// Keeps what was made of these inputs.
pub(crate) fn keep(repository: &Repository, step: &str, hash: &str, outputs: &[&str]) -> Result<()> {
    let _lock = Lock::take()?;
    shelf(step)?.put(hash, |entry| {
        outputs
            .iter()
            .try_for_each(|output| tree::put(&repository.join(output), &entry.join(output), &|_| Way::Copy))
    })
}

fn shelf(step: &str) -> Result<Shelf> {
    Shelf::named(&format!("built/{}", step.replace(' ', "-")), KEPT)
}
