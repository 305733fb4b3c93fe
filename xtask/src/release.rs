//! `cargo xtask release`: everything that an installation needs, in one folder and one archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use crate::build;
use crate::cache::compiled;
use crate::files;
use crate::process;
use crate::report;
use crate::repository::Repository;
use crate::setup::{self, Need};

/// Make a release: the program, workerd, the edge, the web site and the migrations in one folder, and its archive
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask release\n  cargo xtask release --out /tmp/releases --no-archive\n\n`mps serve --release FOLDER` runs it, `mps deploy FOLDER` rolls it over what runs."
)]
pub(crate) struct Options {
    /// The folder that gets mps-<version>/ and mps-<version>.tar.gz
    #[arg(long, default_value = "dist", value_name = "FOLDER")]
    out: PathBuf,
    /// What it is called; the version of Cargo.toml and the commit when left out
    #[arg(long, value_name = "TEXT")]
    version: Option<String>,
    /// The folder only
    #[arg(long)]
    no_archive: bool,
}

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let out = repository.root().join(&options.out);
    let folder = build(repository, &out, options.version.as_deref())?;
    report::progress(&folder.display().to_string());
    if !options.no_archive {
        let name = folder.file_name().unwrap_or_default().display();
        let archive = out.join(format!("{name}.tar.gz"));
        // Names and times that do not depend on who made it.
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-C"]);
        process::must(tar.arg(&out).arg("-czf").arg(&archive).arg(name.to_string()))?;
        let sum =
            process::capture(Command::new("sha256sum").current_dir(&out).arg(format!("{name}.tar.gz")))?;
        fs::write(out.join(format!("{name}.tar.gz.sha256")), format!("{sum}\n")).context("its sum")?;
        report::progress(&archive.display().to_string());
    }
    Ok(())
}

/// Builds all of it and makes the folder `mps-<version>`; where it is.
pub(crate) fn build(repository: &Repository, out: &Path, version: Option<&str>) -> Result<PathBuf> {
    setup::ensure(repository, Need::BUILD)?;
    report::step("compiled dependencies", || compiled::restore(repository))?;
    build::package(repository)?;
    build::edge(repository)?;
    build::www(repository)?;
    let program = program(repository)?;
    let version = match version {
        Some(version) => version.to_owned(),
        None => self::version(repository)?,
    };
    let folder = out.join(format!("mps-{version}"));
    make(repository, &folder, &version, &program)?;
    Ok(folder)
}

/// The operator's program as it is installed.
fn program(repository: &Repository) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repository.root()).args(["build", "--profile", "native", "-p", "mps-cli"]);
    process::must(cargo.arg("--target-dir").arg(repository.join("target")))?;
    Ok(repository.join("target/native/mps"))
}

fn version(repository: &Repository) -> Result<String> {
    let manifest = fs::read_to_string(repository.join("Cargo.toml")).context("no Cargo.toml")?;
    let manifest: toml::Table = manifest.parse().context("Cargo.toml is malformed")?;
    let number = manifest["workspace"]["package"]["version"].as_str().context("Cargo.toml has no version")?;
    let commit = git(repository, &["rev-parse", "--short=12", "HEAD"])?;
    let is_changed = !git(repository, &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    let changed = if is_changed { ".changed" } else { "" };
    Ok(format!("{number}+{commit}{changed}"))
}

fn git(repository: &Repository, arguments: &[&str]) -> Result<String> {
    process::capture(Command::new("git").current_dir(repository.root()).args(arguments))
}

/// In UTC, as RFC 3339 has it: whatever is made of the commit later says the same.
fn commit_time(repository: &Repository) -> Result<String> {
    let format = "--date=format-local:%Y-%m-%dT%H:%M:%SZ";
    let mut command = Command::new("git");
    command.current_dir(repository.root()).env("TZ", "UTC");
    process::capture(command.args(["show", "--no-patch", "--format=%cd", format, "HEAD"]))
}

/// Makes the folder of what was built, with this program.
pub(crate) fn make(repository: &Repository, folder: &Path, version: &str, program: &Path) -> Result<()> {
    if folder.exists() {
        let is_release = folder.join("release.json").is_file();
        if !is_release {
            bail!("{} is there and no release: move it away", folder.display());
        }
        fs::remove_dir_all(folder).with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    for (from, to) in [
        (program.to_owned(), "bin/mps"),
        (repository.npm_bin("workerd").canonicalize().context("no workerd")?, "bin/workerd"),
        (repository.join("edge/workerd.capnp"), "edge/workerd.capnp"),
        (repository.join("edge/build/index.js"), "edge/build/index.js"),
        (repository.join("edge/build/index_bg.wasm"), "edge/build/index_bg.wasm"),
        (repository.join("edge/openapi.json"), "edge/openapi.json"),
        (repository.join("supabase/tests/bootstrap.sql"), "postgres/bootstrap.sql"),
    ] {
        place(&from, &folder.join(to))?;
    }
    for (from, to) in [("supabase/migrations", "migrations"), ("www/dist", "www")] {
        let from = repository.join(from);
        let all = files::walk(&from)?;
        if all.is_empty() {
            bail!("{} is empty: `cargo xtask build` makes it", from.display());
        }
        for file in all {
            place(&file, &folder.join(to).join(file.strip_prefix(&from)?))?;
        }
    }
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        place(&repository.join(licence), &folder.join(licence))?;
    }
    // Last: a folder without it is not whole.
    let about = json!({"version": version, "commit": git(repository, &["rev-parse", "HEAD"])?, "time": commit_time(repository)?});
    fs::write(folder.join("release.json"), format!("{about:#}\n")).context("cannot write release.json")
}

/// A copy: what is built later in the same place is none of this release's.
fn place(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().context("a file in a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    fs::copy(from, to).map(drop).with_context(|| format!("cannot put {} into the release", from.display()))
}
