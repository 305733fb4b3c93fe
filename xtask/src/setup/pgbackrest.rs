//! pgBackRest, which makes the backups of a PostgreSQL of one's own.

use anyhow::{Context, Result};

use crate::report::Outcome;
use crate::repository::on_path;
use crate::setup::system::{self, Package};

const PACKAGE: Package = Package { title: "pgBackRest", debian: &["pgbackrest"], homebrew: &["pgbackrest"] };

pub(crate) fn ensure() -> Result<Outcome> {
    if let Some(path) = on_path("pgbackrest") {
        return Ok(Outcome::Cached(path.display().to_string()));
    }
    let way = system::install(&PACKAGE)?;
    let path = on_path("pgbackrest").with_context(|| format!("{way} made no pgbackrest"))?;
    Ok(Outcome::Done(format!("{way}, {}", path.display())))
}
