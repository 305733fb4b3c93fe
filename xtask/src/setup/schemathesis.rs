//! schemathesis, which makes requests of every shape from openapi.json: a Python program in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::report::{self, Outcome};
use crate::repository::{on_path, tool_folder};
use crate::setup::system::{self, Package};

/// It and everything it needs, each of one version.
const REQUIREMENTS: &str = include_str!("schemathesis.txt");

const PYTHON: Package = Package {
    title: "Python 3.10 or newer with venv",
    debian: &["python3", "python3-venv"],
    homebrew: &["python"],
};

/// Whether a Python will do; exits with 1 when not.
const CHECK: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";

fn version() -> &'static str {
    let line = REQUIREMENTS.lines().find_map(|line| line.strip_prefix("schemathesis=="));
    line.unwrap_or_default()
}

/// The program in the cache, whether it is there yet or not.
pub(crate) fn program() -> Result<PathBuf> {
    Ok(tool_folder("schemathesis", version())?.join("bin/schemathesis"))
}

pub(crate) fn ensure() -> Result<Outcome> {
    let program = program()?;
    if works(&program) {
        return Ok(Outcome::Cached(version().to_owned()));
    }
    let folder = tool_folder("schemathesis", version())?;
    if find_python().is_none() {
        system::install(&PYTHON)?;
    }
    let python =
        find_python().context("no Python 3.10 or newer with venv found: install one and run this again")?;
    report::progress(&format!("pip install schemathesis {} (about 1 minute)", version()));
    // What an interrupted installation left would be taken for a whole one.
    let _ = fs::remove_dir_all(&folder);
    process::must(Command::new(python).args(["-m", "venv"]).arg(&folder))?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS)
        .with_context(|| format!("cannot write {}", requirements.display()))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]);
    process::must(pip.arg(&requirements)).context("cannot install schemathesis")?;
    Ok(Outcome::Done(version().to_owned()))
}

fn works(program: &Path) -> bool {
    program.is_file() && process::succeeds(Command::new(program).arg("--version"))
}

fn find_python() -> Option<PathBuf> {
    let python = on_path("python3")?;
    process::succeeds(Command::new(&python).args(["-c", CHECK])).then_some(python)
}

#[cfg(test)]
mod tests {
    use super::{REQUIREMENTS, version};

    #[test]
    fn every_requirement_has_one_version() {
        assert!(!version().is_empty());
        for line in REQUIREMENTS.lines() {
            let (name, version) = line.split_once("==").unwrap_or_default();
            assert!(!name.is_empty() && !version.is_empty(), "{line}");
        }
    }
}
