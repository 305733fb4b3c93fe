//! Compiled dependencies: a new checkout begins with those of the last one. What the workspace itself compiles stays where it is,
//! for it knows its folder, and cargo takes it for fresh by times that mean nothing in another checkout.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::tree::{self, Way};
use super::{Lock, Shelf};
use crate::files;
use crate::process;
use crate::report::Outcome;
use crate::repository::Repository;

/// Entries of other dependencies than the present ones, for whoever goes between two branches.
const KEPT: usize = 2;

/// A larger one has more in it that nobody needs any longer than what a new checkout would have to compile.
const BASE_BYTES_MAX: u64 = 8 << 30;

/// In the target folder, once it was filled.
const STAMP: &str = ".mps-dependencies";

/// What cargo has of one profile and platform: a list of units, their files, and what their build scripts wrote.
const UNITS: &str = ".fingerprint";
const FILES: &str = "deps";
const SCRIPTS: &str = "build";

/// The workspace as cargo knows it.
struct Workspace {
    target: PathBuf,
    packages: BTreeSet<String>,
    /// Their libraries, as compiled files are named.
    libraries: BTreeSet<String>,
}

/// Gives a target folder that was never filled the dependencies in the cache, unless it has others already.
pub(crate) fn restore(repository: &Repository) -> Result<Outcome> {
    let Some(workspace) = Workspace::of(repository)? else {
        return Ok(Outcome::Cached("CARGO_TARGET_DIR".to_owned()));
    };
    let stamp = workspace.target.join(STAMP);
    if stamp.exists() {
        return Ok(Outcome::Cached("target".to_owned()));
    }
    let _lock = Lock::take()?;
    let (shelf, (compiler, dependencies)) = (shelf()?, key(repository)?);
    let same = shelf.find(&format!("{compiler}-{dependencies}"));
    let Some(entry) = same.clone().or_else(|| similar(&shelf, &compiler)) else {
        return Ok(Outcome::Done("none yet".to_owned()));
    };
    // Two sets of the same dependencies in one folder fit together only by chance: rustc then finds "a possibly newer version".
    if !units(&workspace.target, |unit| workspace.is_dependency(unit)).is_subset(&units(&entry, |_| true)) {
        return Ok(Outcome::Cached("target, which has others".to_owned()));
    }
    for profile in profiles(&entry) {
        // Also what is there already: a unit that is newer than those that depend on it has them compiled again.
        tree::copy(&entry.join(&profile), &workspace.target.join(&profile), &way)?;
    }
    fs::write(&stamp, &dependencies).with_context(|| format!("cannot write {}", stamp.display()))?;
    let what = if same.is_some() { "of the last checkout" } else { "of a checkout with others" };
    Ok(Outcome::Done(what.to_owned()))
}

/// Keeps the dependencies that this checkout compiled, when it has some that the cache has not.
pub(crate) fn keep(repository: &Repository) -> Result<Outcome> {
    let Some(workspace) = Workspace::of(repository)? else {
        return Ok(Outcome::Cached("CARGO_TARGET_DIR".to_owned()));
    };
    let _lock = Lock::take()?;
    let (shelf, (compiler, dependencies)) = (shelf()?, key(repository)?);
    let key = format!("{compiler}-{dependencies}");
    let had = shelf.find(&key).map(|entry| units(&entry, |_| true)).unwrap_or_default();
    let has = units(&workspace.target, |unit| workspace.is_dependency(unit));
    if has.is_subset(&had) {
        return Ok(Outcome::Cached(format!("{} units", had.len())));
    }
    let Some(_locks) = locks(&workspace.target) else {
        return Ok(Outcome::Done("cargo is at work in this checkout, not kept".to_owned()));
    };
    shelf.put(&key, |entry| {
        profiles(&workspace.target).iter().try_for_each(|profile| workspace.keep(profile, entry))
    })?;
    let stamp = workspace.target.join(STAMP);
    fs::write(&stamp, &dependencies).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(Outcome::Done(format!("{} units", has.len())))
}

impl Workspace {
    /// None where somebody has chosen another target folder: then what is in it is theirs.
    fn of(repository: &Repository) -> Result<Option<Self>> {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(repository.root()).args(["metadata", "--format-version=1", "--no-deps"]);
        let metadata: Value = serde_json::from_str(&process::capture(&mut cargo)?)
            .context("cargo metadata answered no JSON")?;
        let target = PathBuf::from(metadata["target_directory"].as_str().unwrap_or_default());
        if target != repository.join("target") {
            return Ok(None);
        }
        let (mut packages, mut libraries) = (BTreeSet::new(), BTreeSet::new());
        for package in metadata["packages"].as_array().into_iter().flatten() {
            packages.extend(package["name"].as_str().map(str::to_owned));
            for target in package["targets"].as_array().into_iter().flatten() {
                libraries
                    .extend(target["name"].as_str().map(|name| format!("lib{}", name.replace('-', "_"))));
            }
        }
        Ok(Some(Self { target, packages, libraries }))
    }

    /// Whether `name-0123456789abcdef` is not of the workspace.
    fn is_dependency(&self, unit: &str) -> bool {
        !self.packages.contains(without_hash(unit))
    }

    /// Whether a file among all compiled ones is a library that is not of the workspace. Programs and tests always are.
    fn is_of_dependency(&self, file: &Path) -> bool {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let kind = file.extension().unwrap_or_default().to_string_lossy();
        let is_library = matches!(&*kind, "rlib" | "rmeta" | "so" | "dylib");
        is_library && stem.starts_with("lib") && !self.libraries.contains(without_hash(&stem))
    }

    fn keep(&self, profile: &str, entry: &Path) -> Result<()> {
        let (from, to) = (self.target.join(profile), entry.join(profile));
        for part in [UNITS, SCRIPTS] {
            for unit in names(&from.join(part)).iter().filter(|unit| self.is_dependency(unit)) {
                tree::copy(&from.join(part).join(unit), &to.join(part).join(unit), &way)?;
            }
        }
        fs::create_dir_all(to.join(FILES))?;
        for name in names(&from.join(FILES)) {
            let file = from.join(FILES).join(&name);
            if self.is_of_dependency(&file) {
                tree::file(&file, &to.join(FILES).join(&name), way(&file))?;
            }
        }
        Ok(())
    }
}

fn shelf() -> Result<Shelf> {
    Shelf::named("dependencies", KEPT)
}

/// The newest entry of the same compiler, unless it has grown too large to begin with.
fn similar(shelf: &Shelf, compiler: &str) -> Option<PathBuf> {
    let is_of_compiler = |entry: &PathBuf| {
        entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{compiler}-")))
    };
    let entry = shelf.by_age().into_iter().rev().find(is_of_compiler)?;
    (tree::size(&entry) <= BASE_BYTES_MAX).then_some(entry)
}

/// Which compiler, and which dependencies with which profiles.
fn key(repository: &Repository) -> Result<(String, String)> {
    const HEX_DIGITS: usize = 12;
    let compiler = process::capture(Command::new("rustc").arg("-vV"))?;
    let mut compiler = files::hash(repository.root(), &[], &compiler)?;
    let mut dependencies = files::hash(repository.root(), &["Cargo.lock", "Cargo.toml"], "")?;
    compiler.truncate(HEX_DIGITS);
    dependencies.truncate(HEX_DIGITS);
    Ok((compiler, dependencies))
}

/// `debug`, `wasm32-unknown-unknown/release` and so on: each folder that cargo keeps units in.
fn profiles(target: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for name in names(target) {
        if target.join(&name).join(UNITS).is_dir() {
            found.push(name);
            continue;
        }
        let below = names(&target.join(&name)).into_iter().map(|profile| format!("{name}/{profile}"));
        found.extend(below.filter(|profile| target.join(profile).join(UNITS).is_dir()));
    }
    found
}

/// Every unit, by profile.
fn units(target: &Path, is_wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let of = |profile: &String| {
        let wanted = names(&target.join(profile).join(UNITS)).into_iter().filter(|unit| is_wanted(unit));
        wanted.map(|unit| format!("{profile}/{unit}")).collect::<Vec<_>>()
    };
    profiles(target).iter().flat_map(of).collect()
}

/// Cargo's own locks, which it holds while it compiles; none when it does.
fn locks(target: &Path) -> Option<Vec<File>> {
    let mut held = Vec::new();
    for profile in profiles(target) {
        if let Ok(file) = File::open(target.join(profile).join(".cargo-lock")) {
            file.try_lock().ok()?;
            held.push(file);
        }
    }
    Some(held)
}

/// The compiler and the linker put libraries and programs in the place of former ones; the rest is small.
fn way(file: &Path) -> Way {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_library = [".rlib", ".rmeta", ".so", ".dylib"].iter().any(|end| name.ends_with(end));
    let is_script =
        !name.contains('.') && (name.starts_with("build-script-") || name.starts_with("build_script_"));
    if is_library || is_script { Way::Link } else { Way::Copy }
}

fn without_hash(unit: &str) -> &str {
    unit.rsplit_once('-').map_or(unit, |(name, _)| name)
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{Way, Workspace, profiles, units, way};

    fn workspace(target: PathBuf) -> Workspace {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Workspace { target, packages: names(&["mps-core", "xtask"]), libraries: names(&["libmps_core"]) }
    }

    fn lay(target: &Path, files: &[&str]) -> anyhow::Result<()> {
        for file in files {
            let path = target.join(file);
            fs::create_dir_all(path.parent().unwrap_or(target))?;
            fs::write(path, file)?;
        }
        Ok(())
    }

    #[test]
    fn dependencies_are_kept_and_the_workspace_itself_is_not() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (target, entry) = (folder.path().join("target"), folder.path().join("entry"));
        let of_dependencies = [
            "debug/.fingerprint/serde-core-0123456789abcdef/lib-serde_core",
            "debug/build/libc-1/out/text",
            "debug/deps/libserde_core-0.rlib",
            "wasm32-unknown-unknown/release/.fingerprint/std-2/lib-std",
            "wasm32-unknown-unknown/release/deps/libstd-2.rmeta",
        ];
        let of_workspace = [
            "debug/.fingerprint/mps-core-1/lib-mps_core",
            "debug/build/xtask-1/out/text",
            "debug/deps/libmps_core-1.rlib",
            "debug/deps/vectors-1",
            "debug/deps/vectors-1.d",
            "debug/incremental/serde/x",
            "debug/xtask",
        ];
        lay(&target, &of_dependencies)?;
        lay(&target, &of_workspace)?;
        let workspace = workspace(target.clone());
        assert_eq!(profiles(&target), ["debug", "wasm32-unknown-unknown/release"]);
        assert_eq!(units(&target, |unit| workspace.is_dependency(unit)).len(), 2);
        for profile in profiles(&target) {
            workspace.keep(&profile, &entry)?;
        }
        for file in of_dependencies {
            assert!(entry.join(file).is_file(), "{file}");
        }
        for file in of_workspace {
            assert!(!entry.join(file).exists(), "{file}");
        }
        Ok(())
    }

    #[test]
    fn what_cargo_writes_to_is_never_one_file_in_two_folders() {
        for copied in [
            "invoked.timestamp",
            "lib-serde",
            "lib-serde.json",
            "dep-lib-serde",
            "output",
            "root-output",
            "x.d",
        ] {
            assert!(way(Path::new(copied)) == Way::Copy, "{copied}");
        }
        for linked in ["libserde-0.rlib", "libserde-0.rmeta", "libserde_derive-0.so", "build-script-build"] {
            assert!(way(Path::new(linked)) == Way::Link, "{linked}");
        }
    }
}
