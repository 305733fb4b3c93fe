//! Starting the test runners and counting what they ran.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::tally::{self, Tally};
use crate::build;
use crate::files;
use crate::process;
use crate::repository::{Repository, on_path};

/// `cargo`, not pinned to the toolchain this program was built with.
pub(crate) fn cargo(repository: &Repository) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(repository.root()).env("CARGO_TERM_COLOR", "never");
    command
}

/// Runs the tests of these packages: with cargo-nextest where it is installed, else with cargo test.
pub(super) fn rust_tests(
    repository: &Repository,
    packages: &[&str],
    environment: &[(&str, String)],
    filter: Option<&str>,
) -> Result<Tally> {
    let with_nextest = on_path("cargo-nextest").is_some();
    let mut command = cargo(repository);
    if with_nextest {
        command.args(["nextest", "run", "--no-fail-fast", "--status-level", "fail", "--no-tests", "pass"]);
        // All are built whichever are run: each selection of packages would build their dependencies anew, with other features.
        let chosen: Vec<String> = packages.iter().map(|package| format!("package(={package})")).collect();
        command.args(["--workspace", "--filterset", &chosen.join(" + ")]).args(filter);
    } else {
        command.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]);
        for package in packages {
            command.args(["-p", package]);
        }
        command.args(filter);
    }
    for (name, value) in environment {
        command.env(name, value);
    }
    let finished = process::run(&mut command, true)?;
    let tally =
        if with_nextest { tally::nextest(&finished.output) } else { tally::libtest(&finished.output) };
    Ok(tally.with_exit(finished.status.success()))
}

/// Runs these test files of a package, and shows what they print.
pub(crate) fn rust_files(
    repository: &Repository,
    package: &str,
    files: &[&str],
    environment: &[(&str, String)],
) -> Result<Tally> {
    let mut command = cargo(repository);
    command.args(["test", "-p", package]);
    for file in files {
        command.args(["--test", file]);
    }
    command.args(["--", "--nocapture", "--test-threads=1"]);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let finished = process::run(&mut command, true)?;
    Ok(tally::libtest(&finished.output).with_exit(finished.status.success()))
}

/// Runs the examples in the documentation of these packages; cargo-nextest leaves them out.
pub(super) fn rust_examples(repository: &Repository, packages: &[&str]) -> Result<Tally> {
    let mut command = cargo(repository);
    command.args(["test", "--quiet", "--doc", "--no-fail-fast"]);
    for package in packages {
        command.args(["-p", package]);
    }
    let finished = process::run(&mut command, true)?;
    Ok(tally::libtest(&finished.output).with_exit(finished.status.success()))
}

/// Runs every `*.test.*` of a folder with node:test: a readable report to the terminal, a countable one to a file.
pub(super) fn node_tests(
    repository: &Repository,
    folder: &Path,
    environment: &[(&str, String)],
) -> Result<Tally> {
    let mut tests = files::walk(&repository.root().join(folder))?;
    tests.retain(|path| is_node_test(path));
    if tests.is_empty() {
        // Without files node:test would look for some by itself.
        return Ok(Tally::default());
    }
    let report = tempfile::NamedTempFile::new().context("no temporary file")?;
    let mut command =
        build::node(repository, &["--test", "--test-reporter=spec", "--test-reporter-destination=stdout"])?;
    command.current_dir(repository.root().join(folder));
    command
        .arg("--test-reporter=tap")
        .arg(format!("--test-reporter-destination={}", report.path().display()));
    command.args(tests);
    for (name, value) in environment {
        command.env(name, value);
    }
    let finished = process::run(&mut command, true)?;
    let output = std::fs::read_to_string(report.path()).context("node:test left no report")?;
    Ok(tally::node(&output).with_exit(finished.status.success()))
}

fn is_node_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".test.ts", ".test.js", ".test.mjs"].iter().any(|end| name.ends_with(end))
}
