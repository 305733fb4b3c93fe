//! The cargo programs of the wasm builds, in the user's cache folder by version, so that a fresh clone finds them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use toml::{Table, Value};

use crate::process;
use crate::report::{self, Outcome};
use crate::repository::{Repository, cache_folder, tool_folder};

/// A program that must be of the same version as a library in Cargo.lock.
pub(crate) struct Tool {
    /// The program.
    pub(crate) name: &'static str,
    /// The package on crates.io that has it.
    package: &'static str,
    /// The library whose version it must have.
    library: &'static str,
    /// Left out is what only downloads.
    options: &'static [&'static str],
}

pub(crate) const WASM_BINDGEN: Tool = Tool {
    name: "wasm-bindgen",
    package: "wasm-bindgen-cli",
    library: "wasm-bindgen",
    options: &["--bin", "wasm-bindgen", "--no-default-features"],
};

pub(crate) const WORKER_BUILD: Tool = Tool {
    name: "worker-build",
    package: "worker-build",
    library: "worker",
    options: &["--bin", "worker-build"],
};

pub(crate) const TOOLS: &[&Tool] = &[&WASM_BINDGEN, &WORKER_BUILD];

impl Tool {
    /// The program in the cache, whether it is there yet or not.
    pub(crate) fn program(&self, repository: &Repository) -> Result<PathBuf> {
        let version = locked_version(repository, self.library)?;
        Ok(tool_folder(self.name, &version)?.join("bin").join(self.name))
    }

    pub(crate) fn ensure(&self, repository: &Repository, target: &TempDir) -> Result<Outcome> {
        let version = locked_version(repository, self.library)?;
        let program = self.program(repository)?;
        if program.is_file() {
            return Ok(Outcome::Cached(version));
        }
        let folder = tool_folder(self.name, &version)?;
        let way = install(self.package, &version, &folder, target, (self.options, Speed::SoonThere))?;
        ensure!(program.is_file(), "cargo install {} made no {}", self.package, program.display());
        Ok(Outcome::Done(format!("{version}, {way}")))
    }
}

/// Where tools are compiled: they share what they are made of, and afterwards nobody needs it.
pub(super) fn target() -> Result<TempDir> {
    let folder = cache_folder()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let target = tempfile::Builder::new().prefix("tools-target-").tempdir_in(&folder);
    target.with_context(|| format!("cannot write to {}", folder.display()))
}

/// What matters more of a program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speed {
    /// That it is compiled soon: it works for seconds, and for five in place of two is compiled in half the time.
    SoonThere,
    /// That it is quick: it is measured.
    Quick,
}

/// With the dependencies its authors tried; where one of those was withdrawn since, with newer ones.
pub(super) fn install(
    package: &str,
    version: &str,
    folder: &Path,
    target: &TempDir,
    (options, speed): (&[&str], Speed),
) -> Result<String> {
    report::progress(&format!("cargo install {package} {version}"));
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let command = |locked: bool| {
        let mut command = Command::new("cargo");
        // Away from the checkout, whose cargo settings are not meant for it.
        command.current_dir(env::temp_dir()).env("CARGO_TARGET_DIR", target.path());
        command.env("CARGO_TERM_COLOR", "never");
        command.args(["install", package, "--version", &format!("={version}"), "--root"]).arg(folder);
        command.args(options);
        if speed == Speed::SoonThere {
            command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0").env("CARGO_PROFILE_RELEASE_LTO", "false");
        }
        if locked {
            command.arg("--locked");
        }
        command
    };
    if process::run(&mut command(true), false)?.status.success() {
        return Ok("cargo install --locked".to_owned());
    }
    report::progress("its locked dependencies do not build any more; once more with present ones");
    process::must(&mut command(false)).with_context(|| format!("cannot install {package}"))?;
    Ok("cargo install".to_owned())
}

/// The version of a package in Cargo.lock.
fn locked_version(repository: &Repository, package: &str) -> Result<String> {
    let text =
        fs::read_to_string(repository.join("Cargo.lock")).context("Cargo.lock is missing: check it out")?;
    find_version(&text, package)?.with_context(|| format!("Cargo.lock has no package {package}"))
}

fn find_version(lock: &str, package: &str) -> Result<Option<String>> {
    let lock: Table = lock.parse().context("Cargo.lock is malformed")?;
    let packages = lock.get("package").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let found = packages.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(package));
    Ok(found.and_then(|entry| entry.get("version")?.as_str()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::find_version;

    #[test]
    fn a_tool_has_the_version_of_its_library_in_the_lock() -> anyhow::Result<()> {
        let lock = "[[package]]\nname = \"worker-macros\"\nversion = \"0.1.0\"\n[[package]]\nname = \"worker\"\nversion = \"0.8.7\"\n";
        assert_eq!(find_version(lock, "worker")?.as_deref(), Some("0.8.7"));
        assert_eq!(find_version(lock, "work")?, None);
        Ok(())
    }
}
