//! PostgreSQL 15 or newer with pgTAP and `plpgsql_check`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::report::Outcome;
use crate::repository::on_path;
use crate::setup::system::{self, Package};

const MAJOR_MIN: u32 = 15;

/// What the tests start.
const PROGRAMS: &[&str] = &["initdb", "postgres", "psql", "pg_dump", "pg_isready"];

const PACKAGE: Package = Package {
    title: "PostgreSQL 15 or newer with pgTAP",
    debian: &["postgresql", "postgresql-contrib", "pgtap"],
    homebrew: &["postgresql@17", "pgtap"],
};

/// The extensions the tests create, beside those that come with PostgreSQL.
const PGTAP: &str = "pgtap";
const PLPGSQL_CHECK: &str = "plpgsql_check";

/// The programs of one PostgreSQL that has what the tests need.
pub(crate) struct Installation {
    bin: PathBuf,
    major: u32,
}

impl Installation {
    /// The newest installation that will do.
    pub(crate) fn find() -> Option<Self> {
        Self::newest_with(&[PGTAP, PLPGSQL_CHECK])
    }

    fn newest_with(extensions: &[&str]) -> Option<Self> {
        let mut found: Vec<Self> = candidates().into_iter().filter_map(Self::at).collect();
        found.retain(|installation| extensions.iter().all(|extension| installation.has(extension)));
        found.sort_by_key(|installation| installation.major);
        found.pop()
    }

    pub(crate) fn bin(&self) -> &Path {
        &self.bin
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    fn at(bin: PathBuf) -> Option<Self> {
        let version = process::capture(Command::new(bin.join("postgres")).arg("--version")).ok()?;
        let major = major(&version).filter(|major| *major >= MAJOR_MIN)?;
        Some(Self { bin, major })
    }

    fn has(&self, extension: &str) -> bool {
        let control = format!("{extension}.control");
        extension_folders(&self.bin, self.major).iter().any(|folder| folder.join(&control).is_file())
    }
}

/// Finds PostgreSQL, or installs it.
pub(crate) fn ensure() -> Result<Outcome> {
    if let Some(installation) = Installation::find() {
        return Ok(Outcome::Cached(format!("{} in {}", installation.major, installation.bin.display())));
    }
    let mut ways = Vec::new();
    if Installation::newest_with(&[PGTAP]).is_none() {
        ways.push(system::install(&PACKAGE)?);
    }
    if let Some(installation) = Installation::newest_with(&[PGTAP])
        && !installation.has(PLPGSQL_CHECK)
    {
        ways.push(install_plpgsql_check(installation.major)?);
    }
    let installation = require()?;
    Ok(Outcome::Done(format!(
        "{}, {} in {}",
        ways.join(", "),
        installation.major,
        installation.bin.display()
    )))
}

/// Its package is named after the PostgreSQL that it is for.
fn install_plpgsql_check(major: u32) -> Result<String> {
    let debian = format!("postgresql-{major}-plpgsql-check");
    system::install(&Package { title: "plpgsql_check for PostgreSQL", debian: &[&debian], homebrew: &[] })
}

/// The installation, when setup has seen to it.
pub(crate) fn require() -> Result<Installation> {
    Installation::find().with_context(|| {
        format!(
            "no PostgreSQL {MAJOR_MIN} or newer with pgTAP and plpgsql_check found (looked at pg_config, /usr/lib/postgresql, \
             /usr/pgsql-*, Homebrew); install all three and run this again"
        )
    })
}

fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(config) = on_path("pg_config")
        && let Ok(bin) = process::capture(Command::new(config).arg("--bindir"))
    {
        folders.push(PathBuf::from(bin));
    }
    // A link may stand alone; the other programs are beside what it points at.
    let linked = on_path("postgres").and_then(|path| fs::canonicalize(path).ok());
    folders.extend(linked.and_then(|path| path.parent().map(Path::to_path_buf)));
    for parent in ["/usr/lib/postgresql", "/usr", "/opt/homebrew/opt", "/usr/local/opt"] {
        let Ok(entries) = fs::read_dir(parent) else { continue };
        folders.extend(entries.filter_map(Result::ok).map(|entry| entry.path().join("bin")));
    }
    folders.retain(|bin| PROGRAMS.iter().all(|program| bin.join(program).is_file()));
    folders
}

/// Where an installation keeps its extensions: as its `pg_config` says, else as Debian and Homebrew lay it out.
fn extension_folders(bin: &Path, major: u32) -> Vec<PathBuf> {
    let told =
        process::capture(Command::new(bin.join("pg_config")).arg("--sharedir")).ok().map(PathBuf::from);
    told.into_iter()
        .chain([PathBuf::from(format!("/usr/share/postgresql/{major}")), bin.join("../share/postgresql")])
        .map(|share| share.join("extension"))
        .collect()
}

/// 15 of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; also of `17beta1`.
fn major(version: &str) -> Option<u32> {
    let number =
        version.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_the_first_number() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("something else"), None);
    }
}
