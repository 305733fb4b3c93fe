//! postrust, a gateway that speaks PostgREST's dialect before a plain PostgreSQL: what the edge is measured in front of.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::report::Outcome;
use crate::repository::tool_folder;
use crate::setup::tools::{self, Speed};

const PACKAGE: &str = "postrust-server";
const VERSION: &str = "3.1.0";

/// The program in the cache, whether it is there yet or not.
pub(crate) fn program() -> Result<PathBuf> {
    Ok(tool_folder("postrust", VERSION)?.join("bin/postrust"))
}

pub(crate) fn ensure() -> Result<Outcome> {
    let program = program()?;
    if program.is_file() {
        return Ok(Outcome::Cached(VERSION.to_owned()));
    }
    let way = tools::install(
        PACKAGE,
        VERSION,
        &tool_folder("postrust", VERSION)?,
        &tools::target()?,
        (&[], Speed::Quick),
    )?;
    ensure!(program.is_file(), "cargo install {PACKAGE} made no {}", program.display());
    Ok(Outcome::Done(format!("{VERSION}, {way}")))
}
