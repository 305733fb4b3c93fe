//! Programs written in Python or carried by its packages: each set in a virtual environment of its own in the cache, every package of one
//! version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::files;
use crate::process;
use crate::report::{self, Outcome};
use crate::repository::{on_path, tool_folder};
use crate::setup::system::{self, Package};

const PYTHON: Package = Package {
    title: "Python 3.11 or newer with venv",
    debian: &["python3", "python3-venv"],
    homebrew: &["python"],
};

/// Whether a Python will do; exits with 1 when not.
const CHECK: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";

/// Written last: what an interrupted installation left would be taken for a whole one.
const COMPLETE: &str = "complete";

/// One environment.
pub(crate) struct Environment {
    pub(crate) name: &'static str,
    /// A line for each package, what they need themselves included: `name==version`.
    pub(crate) requirements: &'static str,
    /// What an installation takes.
    pub(crate) takes: &'static str,
}

impl Environment {
    /// Other requirements are another folder.
    fn folder(&self) -> Result<PathBuf> {
        let hash = files::hash(Path::new(""), &[], self.requirements)?;
        tool_folder(self.name, &hash[..12])
    }

    /// A program in the cache, whether it is there yet or not.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf> {
        Ok(self.folder()?.join("bin").join(name))
    }

    /// The version of a package.
    fn version(&self, package: &str) -> Option<&str> {
        self.requirements.lines().filter_map(|line| line.split_once("==")).find_map(|(name, version)| {
            let is_it = name.eq_ignore_ascii_case(package);
            is_it.then_some(version)
        })
    }

    fn describe(&self) -> String {
        let packages = || format!("{} packages", self.requirements.lines().count());
        self.version(self.name).map_or_else(packages, str::to_owned)
    }

    pub(crate) fn ensure(&self) -> Result<Outcome> {
        let folder = self.folder()?;
        let runs = process::succeeds(Command::new(self.program("python")?).args(["-c", ""]));
        if runs && folder.join(COMPLETE).is_file() {
            return Ok(Outcome::Cached(self.describe()));
        }
        if find_python().is_none() {
            system::install(&PYTHON)?;
        }
        let Some(python) = find_python() else {
            bail!("no {} found: install one and run this again", PYTHON.title);
        };
        report::progress(&format!("pip install {} ({})", self.name, self.takes));
        let _ = fs::remove_dir_all(&folder);
        process::must(Command::new(python).args(["-m", "venv"]).arg(&folder))?;
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, self.requirements)
            .with_context(|| format!("cannot write {}", requirements.display()))?;
        let mut pip = Command::new(self.program("python")?);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]);
        process::must(pip.arg(&requirements)).with_context(|| format!("cannot install {}", self.name))?;
        fs::write(folder.join(COMPLETE), "")
            .with_context(|| format!("cannot write to {}", folder.display()))?;
        Ok(Outcome::Done(self.describe()))
    }
}

fn find_python() -> Option<PathBuf> {
    let python = on_path("python3")?;
    process::succeeds(Command::new(&python).args(["-c", CHECK])).then_some(python)
}

#[cfg(test)]
mod tests {
    use super::Environment;
    use crate::setup::{linters, schemathesis};

    const ALL: [&Environment; 3] = [&schemathesis::ENVIRONMENT, &linters::LINTERS, &linters::CHECKOV];

    #[test]
    fn every_requirement_has_one_version() {
        for Environment { name, requirements, .. } in ALL {
            assert!(requirements.lines().count() > 5, "{name}");
            for line in requirements.lines() {
                let (package, version) = line.split_once("==").unwrap_or_default();
                assert!(!package.is_empty() && !version.is_empty(), "{name}: {line}");
            }
        }
    }

    #[test]
    fn other_requirements_are_another_folder() -> anyhow::Result<()> {
        let of = |requirements| Environment { name: "a", requirements, takes: "a moment" }.folder();
        assert_eq!(of("a==1")?, of("a==1")?);
        assert_ne!(of("a==1")?, of("a==2")?);
        Ok(())
    }

    #[test]
    fn an_environment_is_told_by_the_version_of_what_it_is_named_after() {
        let of = |name| Environment { name, requirements: "b==1\nA==2", takes: "a moment" }.describe();
        assert_eq!((of("a").as_str(), of("tools").as_str()), ("2", "2 packages"));
    }
}
