//! A Chromium for the browser tests; they never download one.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::report::Outcome;
use crate::repository::on_path;
use crate::setup::system::{self, Package};

const PACKAGE: Package =
    Package { title: "Chromium", debian: &["chromium"], homebrew: &["--cask", "google-chrome"] };

const NAMES: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const MACOS_APPLICATIONS: &[&str] = &[
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// The browser that `MPS_CHROMIUM` names, else the first one found.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(chosen) = env::var_os("MPS_CHROMIUM").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(chosen));
    }
    let installed = NAMES.iter().find_map(|name| on_path(name));
    installed.or_else(|| MACOS_APPLICATIONS.iter().map(PathBuf::from).find(|path| path.is_file()))
}

pub(crate) fn ensure() -> Result<Outcome> {
    if let Some(path) = find() {
        return Ok(Outcome::Cached(path.display().to_string()));
    }
    let way = system::install(&PACKAGE)?;
    Ok(Outcome::Done(format!("{way}, {}", require()?.display())))
}

/// The browser, when setup has seen to it.
pub(crate) fn require() -> Result<PathBuf> {
    find().context("no Chromium found: install Chromium or Chrome, or set MPS_CHROMIUM to its program")
}
