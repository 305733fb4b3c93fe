//! Where things are: the checkout, its own state folder, the user's cache of tools.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The checkout this command works on.
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The checkout this program was built from, which `cargo xtask` always is; the working folder does not matter.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask has no parent folder")?
            .to_path_buf();
        ensure!(
            root.join("Cargo.toml").is_file(),
            "the checkout {} is gone; run `cargo xtask` inside a checkout",
            root.display()
        );
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A path under `.mps`, the git-ignored folder of what this command keeps between runs.
    pub(crate) fn state(&self, path: &str) -> PathBuf {
        self.root.join(".mps").join(path)
    }

    /// The folder of service logs, made when it is missing.
    pub(crate) fn logs(&self) -> Result<PathBuf> {
        let folder = self.state("logs");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// A program of an npm package.
    pub(crate) fn npm_bin(&self, name: &str) -> PathBuf {
        self.root.join("node_modules/.bin").join(name)
    }

    /// The Node.js that package.json pins; the machine's own may be too old for the tools.
    pub(crate) fn node(&self) -> PathBuf {
        self.npm_bin("node")
    }
}

/// What outlives a checkout, so that a fresh clone finds it.
pub(crate) fn cache_folder() -> Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => env::home_dir()
            .context("no home folder: set XDG_CACHE_HOME to a folder for tools")?
            .join(".cache"),
    };
    Ok(cache.join("mps"))
}

/// The folder of one tool of one version.
pub(crate) fn tool_folder(name: &str, version: &str) -> Result<PathBuf> {
    Ok(cache_folder()?.join("tools").join(format!("{name}-{version}")))
}

/// The first program of that name on PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}
