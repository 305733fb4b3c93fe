//! `cargo xtask docs`: the documentation of the npm package and of the crates that others may use, as pages.

use std::process::Command;

use anstream::println;
use anyhow::{Context, Result};
use clap::Args;

use crate::build;
use crate::process;
use crate::report::{self, Outcome};
use crate::repository::Repository;
use crate::setup::{self, Need};
use crate::test::runner;

/// Write the documentation of the npm package and of the crates as pages
#[derive(Args)]
#[command(after_help = "Example: cargo xtask docs")]
pub(crate) struct Options {}

const CRATES: &[&str] = &["mps-core", "mps-client"];

pub(crate) fn run(repository: &Repository, _options: &Options) -> Result<()> {
    setup::ensure(repository, &[Need::Npm])?;
    report::step("npm package", || {
        process::must(&mut sdk(repository, &[])?).context("the package is not documented well enough")?;
        Ok(Outcome::Done(String::new()))
    })?;
    report::step("crates", || {
        process::must(&mut crates(repository)).context("the crates are not documented well enough")?;
        Ok(Outcome::Done(String::new()))
    })?;
    for page in
        ["target/docs/sdk/index.html", "target/doc/mps_core/index.html", "target/doc/mps_client/index.html"]
    {
        println!("  {}", repository.join(page).display());
    }
    Ok(())
}

/// TypeDoc over the package's entries; an export that says nothing about itself is an error.
pub(crate) fn sdk(repository: &Repository, options: &[&str]) -> Result<Command> {
    let mut command =
        build::node(repository, &["node_modules/typedoc/bin/typedoc", "--options", "pkg/typedoc.json"])?;
    command.args(options);
    Ok(command)
}

/// rustdoc over the crates; a warning is an error.
pub(crate) fn crates(repository: &Repository) -> Command {
    let mut command = runner::cargo(repository);
    command.args(["doc", "--quiet", "--no-deps", "--all-features"]).env("RUSTDOCFLAGS", "-D warnings");
    for package in CRATES {
        command.args(["-p", package]);
    }
    command
}
