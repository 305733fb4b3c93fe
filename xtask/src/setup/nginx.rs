//! nginx, which stands in front of the edges, and what its tests ask it with.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::report::Outcome;
use crate::repository::on_path;
use crate::setup::system::{self, Package};

const PACKAGE: Package = Package {
    title: "nginx with curl and openssl",
    debian: &["nginx", "curl", "openssl"],
    homebrew: &["nginx", "curl", "openssl"],
};

/// Debian has it where only the superuser looks.
const PLACE: &str = "/usr/sbin/nginx";

fn find() -> Option<PathBuf> {
    let place = PathBuf::from(PLACE);
    on_path("nginx").or_else(|| place.is_file().then_some(place))
}

pub(crate) fn ensure() -> Result<Outcome> {
    let has_others = || ["curl", "openssl"].iter().all(|name| on_path(name).is_some());
    if let Some(path) = find().filter(|_| has_others()) {
        return Ok(Outcome::Cached(path.display().to_string()));
    }
    let way = system::install(&PACKAGE)?;
    Ok(Outcome::Done(format!("{way}, {}", require()?.display())))
}

/// The program, when setup has seen to it.
pub(crate) fn require() -> Result<PathBuf> {
    find().context("no nginx found: run `cargo xtask setup --tests`")
}
