//! Starting the test runners and counting what they ran.

use std::process::Command;

use anyhow::Result;

use super::tally::{self, Tally};
use crate::process;
use crate::repository::{Repository, on_path};

/// `cargo`, not pinned to the toolchain this program was built with.
pub(super) fn cargo(repository: &Repository) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(repository.root()).env("CARGO_TERM_COLOR", "never");
    command
}

/// Runs the tests of these packages: with cargo-nextest where it is installed, else with cargo test.
pub(super) fn rust_tests(
    repository: &Repository,
    packages: &[&str],
    environment: &[(&str, String)],
) -> Result<Tally> {
    let with_nextest = on_path("cargo-nextest").is_some();
    let mut command = cargo(repository);
    if with_nextest {
        command.args(["nextest", "run", "--no-fail-fast", "--status-level", "fail", "--no-tests", "pass"]);
    } else {
        command.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    for package in packages {
        command.args(["-p", package]);
    }
    for (name, value) in environment {
        command.env(name, value);
    }
    let finished = process::run(&mut command, true)?;
    let tally =
        if with_nextest { tally::nextest(&finished.output) } else { tally::libtest(&finished.output) };
    Ok(tally.with_exit(finished.status.success()))
}
