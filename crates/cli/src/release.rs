//! A release: all that one version of MPS needs to run, in one folder, as `cargo xtask release` makes it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// What must be there, from its folder.
const FILES: [&str; 4] =
    ["bin/workerd", "edge/workerd.capnp", "edge/build/index.js", "edge/build/index_bg.wasm"];

/// What it says of itself.
#[derive(Deserialize)]
struct About {
    version: String,
}

/// A folder that holds a whole one.
#[derive(Clone)]
pub(crate) struct Release {
    folder: PathBuf,
    version: String,
}

impl Release {
    /// Of a link it is what the link says now: one that is moved later moves nothing of this.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let shown = folder.display();
        let folder = folder.canonicalize().with_context(|| format!("there is no release at {shown}"))?;
        let about = fs::read_to_string(folder.join("release.json"))
            .with_context(|| format!("{shown} is no release: it has no release.json"))?;
        let about: About = serde_json::from_str(&about).with_context(|| format!("{shown}/release.json"))?;
        let is_name = |text: &str| {
            !text.is_empty()
                && !text.starts_with('.')
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-_".contains(&byte))
        };
        if !is_name(&about.version) {
            bail!("{shown}/release.json: its version is no name for a folder");
        }
        if let Some(missing) = FILES.iter().find(|file| !folder.join(file).is_file()) {
            bail!("{shown} is not whole: {missing} is missing");
        }
        Ok(Self { folder, version: about.version })
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn workerd(&self) -> PathBuf {
        self.folder.join("bin/workerd")
    }

    /// What workerd reads.
    pub(crate) fn worker(&self) -> PathBuf {
        self.folder.join("edge/workerd.capnp")
    }

    /// Every name that its edge is given from the environment.
    pub(crate) fn variables(&self) -> Result<Vec<String>> {
        let path = self.worker();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(names_in(&text).map(str::to_owned).collect())
    }
}

fn names_in(worker: &str) -> impl Iterator<Item = &str> {
    worker.split("fromEnvironment = \"").skip(1).filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(version: &str) -> Result<tempfile::TempDir> {
        let folder = tempfile::tempdir()?;
        for file in FILES {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            fs::write(path, "")?;
        }
        fs::write(folder.path().join("release.json"), format!(r#"{{"version": "{version}"}}"#))?;
        Ok(folder)
    }

    #[test]
    fn a_whole_one_is_opened_and_what_is_missing_is_named() -> Result<()> {
        let folder = made("0.1.0+a")?;
        assert_eq!(Release::open(folder.path())?.version(), "0.1.0+a");
        for file in FILES.into_iter().chain(["release.json"]) {
            let folder = made("1")?;
            fs::remove_file(folder.path().join(file))?;
            let error = Release::open(folder.path()).err().map(|error| error.to_string());
            assert!(error.is_some_and(|text| text.contains(file)), "{file}");
        }
        Ok(())
    }

    #[test]
    fn a_version_is_no_path() -> Result<()> {
        for version in ["", "..", "a/b", ".x", "a b"] {
            assert!(Release::open(made(version)?.path()).is_err(), "{version}");
        }
        Ok(())
    }

    #[test]
    fn every_variable_is_in_the_edges_readme() {
        let readme = include_str!("../../../edge/README.md");
        let names: Vec<&str> = names_in(include_str!("../../../edge/workerd.capnp")).collect();
        assert!(names.len() > 20);
        for name in names {
            assert!(readme.contains(&format!("`{name}`")), "{name}");
        }
    }
}
