//! Prometheus and Alertmanager with the tools that check their files; for tests.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::report::Outcome;
use crate::repository::on_path;
use crate::setup::system::{self, Package};

const PACKAGE: Package = Package {
    title: "Prometheus and Alertmanager",
    debian: &["prometheus", "prometheus-alertmanager"],
    homebrew: &["prometheus", "alertmanager"],
};

/// Each by its names, of which Debian has the first.
const PROGRAMS: [&[&str]; 4] =
    [&["prometheus"], &["promtool"], &["prometheus-alertmanager", "alertmanager"], &["amtool"]];

fn find(names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| on_path(name))
}

pub(crate) fn ensure() -> Result<Outcome> {
    if PROGRAMS.iter().all(|names| find(names).is_some()) {
        return Ok(Outcome::Cached(program("prometheus")?.display().to_string()));
    }
    let way = system::install(&PACKAGE)?;
    for names in PROGRAMS {
        find(names).with_context(|| format!("{way} made no {}", names[0]))?;
    }
    Ok(Outcome::Done(way))
}

/// One of the programs, by Debian's name, when setup has seen to it.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let names = PROGRAMS.iter().find(|names| names[0] == name).context("no such program")?;
    find(names).with_context(|| format!("no {name} found: run `cargo xtask setup --tests`"))
}
