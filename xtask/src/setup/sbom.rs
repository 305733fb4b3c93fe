//! What lists the parts of an image: a program of CycloneDX for crates, one for npm packages, debsbom for Debian's packages and for all together.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::files;
use crate::process;
use crate::report::{self, Outcome};
use crate::repository::{on_path, tool_folder};
use crate::setup::python::Environment;
use crate::setup::tools::{self, Speed};

/// debsbom, and the library of CycloneDX with its schemas.
pub(crate) const DEBSBOM: Environment =
    Environment { name: "debsbom", requirements: include_str!("debsbom.txt"), takes: "about 20 s" };

const CARGO: (&str, &str) = ("cargo-cyclonedx", "0.5.9");

/// Every package of one version, what they need themselves included; those for XML are left out.
const NPM: &str = include_str!("cyclonedx-npm.txt");
const NPM_PROGRAM: &str = "node_modules/@cyclonedx/cyclonedx-npm/bin/cyclonedx-npm-cli.js";

/// The program for crates in the cache, whether it is there yet or not.
pub(crate) fn of_cargo() -> Result<PathBuf> {
    let (name, version) = CARGO;
    Ok(tool_folder(name, version)?.join("bin").join(name))
}

/// The script for npm packages.
pub(crate) fn of_npm() -> Result<PathBuf> {
    Ok(npm_folder()?.join(NPM_PROGRAM))
}

fn npm_folder() -> Result<PathBuf> {
    tool_folder("cyclonedx-npm", &files::hash("".as_ref(), &[], NPM)?[..12])
}

pub(crate) fn ensure() -> Result<()> {
    report::step(DEBSBOM.name, || DEBSBOM.ensure())?;
    report::step("cyclonedx-npm", ensure_npm)?;
    report::step(CARGO.0, ensure_cargo)
}

fn ensure_cargo() -> Result<Outcome> {
    let ((name, version), program) = (CARGO, of_cargo()?);
    if program.is_file() {
        return Ok(Outcome::Cached(version.to_owned()));
    }
    let folder = tool_folder(name, version)?;
    let way = tools::install(name, version, &folder, &tools::target()?, (&[], Speed::SoonThere))?;
    ensure!(program.is_file(), "cargo install {name} made no {}", program.display());
    Ok(Outcome::Done(format!("{version}, {way}")))
}

fn ensure_npm() -> Result<Outcome> {
    let (folder, packages) = (npm_folder()?, NPM.lines());
    let count = packages.clone().count();
    if of_npm()?.is_file() {
        return Ok(Outcome::Cached(format!("{count} packages")));
    }
    let Some(npm) = on_path("npm") else {
        bail!("npm is missing: install Node.js 20 or newer (apt-get install nodejs npm)");
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut command = Command::new(npm);
    command.args(["install", "--no-save", "--omit=optional", "--omit=peer", "--no-audit", "--no-fund"]);
    process::must(command.arg("--prefix").arg(&folder).args(packages))?;
    ensure!(of_npm()?.is_file(), "npm installed no cyclonedx-npm");
    Ok(Outcome::Done(format!("{count} packages")))
}

#[cfg(test)]
mod tests {
    use super::NPM;

    #[test]
    fn every_npm_package_has_one_version() {
        assert!(NPM.lines().any(|line| line.starts_with("@cyclonedx/cyclonedx-npm@")));
        for line in NPM.lines() {
            let (name, version) = line.rsplit_once('@').unwrap_or_default();
            assert!(!name.is_empty() && version.starts_with(|first: char| first.is_ascii_digit()), "{line}");
        }
    }
}
