//! Starting the test runners and counting what they ran.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::tally::{self, Tally};
use crate::build;
use crate::files;
use crate::process;
use crate::report;
use crate::repository::{Repository, on_path};

/// `cargo`, not pinned to the toolchain this program was built with.
pub(crate) fn cargo(repository: &Repository) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(repository.root()).env("CARGO_TERM_COLOR", "never");
    command
}

/// Which tests.
#[derive(Clone, Copy, Default)]
pub(super) struct Selection<'a> {
    pub(super) packages: &'a [&'a str],
    /// Those with this in their name, when it is given.
    pub(super) filter: Option<&'a str>,
    /// But those with this in their name.
    pub(super) left_out: Option<&'a str>,
}

/// Runs tests: with cargo-nextest where it is installed, else one test program after another.
pub(super) fn rust_tests(
    repository: &Repository,
    selection: Selection,
    environment: &[(&str, String)],
) -> Result<Tally> {
    let Selection { packages, filter, left_out } = selection;
    if on_path("cargo-nextest").is_none() {
        return libtest(repository, selection, environment);
    }
    let mut command = cargo(repository);
    command.args(["nextest", "run", "--no-fail-fast", "--status-level", "fail", "--no-tests", "pass"]);
    // All are built whichever are run: each selection of packages would build their dependencies anew, with other features.
    let chosen: Vec<String> = packages.iter().map(|package| format!("package(={package})")).collect();
    let left_out = left_out.map_or(String::new(), |name| format!(" - test({name})"));
    command.args(["--workspace", "--filterset", &format!("({}){left_out}", chosen.join(" + "))]).args(filter);
    for (name, value) in environment {
        command.env(name, value);
    }
    let finished = process::run(&mut command, true)?;
    Ok(tally::nextest(&finished.output).with_exit(finished.status.success()))
}

/// The same selection of packages and features as for cargo-nextest, so that nothing is compiled twice for the two.
fn libtest(repository: &Repository, selection: Selection, environment: &[(&str, String)]) -> Result<Tally> {
    let mut compiler = cargo(repository);
    compiler.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-run"]);
    compiler.args(["--message-format", "json-render-diagnostics"]);
    let said = process::run(&mut compiler, false)?;
    if !said.status.success() {
        bail!("the tests do not compile:\n{}", said.extract());
    }
    let mut total = Tally::default();
    for program in test_programs(&said.output, selection.packages) {
        report::progress(&program.name);
        let mut command = Command::new(&program.executable);
        command.current_dir(&program.folder).env("CARGO_MANIFEST_DIR", &program.folder);
        command.args(selection.filter).args(selection.left_out.iter().flat_map(|name| ["--skip", name]));
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let finished = process::run(&mut command, true)?;
        total += tally::libtest(&finished.output).with_exit(finished.status.success());
    }
    Ok(total)
}

/// A compiled test program.
struct TestProgram {
    /// Its package and itself.
    name: String,
    executable: PathBuf,
    /// Its package's, where cargo runs it.
    folder: PathBuf,
}

/// Those of the packages, of what cargo said that it compiled: a line of JSON each.
fn test_programs(output: &str, packages: &[&str]) -> Vec<TestProgram> {
    let read = |line: &str| -> Option<TestProgram> {
        let message: Value = serde_json::from_str(line).ok()?;
        let (manifest, target) = (message["manifest_path"].as_str()?, message["target"]["name"].as_str()?);
        if message["profile"]["test"] != true {
            return None;
        }
        let package = package_of(message["package_id"].as_str()?);
        packages.contains(&package).then_some(TestProgram {
            name: format!("{package} {target}"),
            executable: message["executable"].as_str()?.into(),
            folder: Path::new(manifest).parent()?.to_owned(),
        })
    };
    output.lines().filter_map(read).collect()
}

/// `mps-core` of `path+file:///somewhere/crates/core#mps-core@0.1.0`, and of `path+file:///somewhere/mps-core#0.1.0`.
fn package_of(id: &str) -> &str {
    let (place, rest) = id.rsplit_once('#').unwrap_or(("", id));
    match rest.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next().unwrap_or(place),
    }
}

/// Runs these test files, and shows what they print.
pub(crate) fn rust_files(
    repository: &Repository,
    files: &[&str],
    environment: &[(&str, String)],
) -> Result<Tally> {
    let mut command = cargo(repository);
    command.args(["test", "--workspace"]);
    for file in files {
        command.args(["--test", file]);
    }
    command.args(["--", "--nocapture", "--test-threads=1"]);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let finished = process::run(&mut command, true)?;
    Ok(tally::libtest(&finished.output).with_exit(finished.status.success()))
}

/// Runs the examples in the documentation of every crate; cargo-nextest leaves them out. Of every crate, for the reason above.
pub(super) fn rust_examples(repository: &Repository) -> Result<Tally> {
    let mut command = cargo(repository);
    command.args(["test", "--workspace", "--quiet", "--doc", "--no-fail-fast"]);
    let finished = process::run(&mut command, true)?;
    Ok(tally::libtest(&finished.output).with_exit(finished.status.success()))
}

/// Compiles a program of the workspace as its tests are compiled, in debug.
pub(crate) fn build_program(repository: &Repository, selection: [&str; 2]) -> Result<()> {
    let mut command = cargo(repository);
    process::must(command.args(["build", "--quiet", "--workspace"]).args(selection)).map(drop)
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

#[cfg(test)]
mod tests {
    use super::{package_of, test_programs};

    #[test]
    fn the_test_programs_of_the_packages_are_found_in_what_cargo_says() {
        let line = |id: &str, is_test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"{id}","manifest_path":"/x/crates/core/Cargo.toml","target":{{"name":"vectors"}},"profile":{{"test":{is_test}}},"executable":"/x/target/vectors-1"}}"#
            )
        };
        let output = [
            "not JSON".to_owned(),
            line("path+file:///x/crates/core#mps-core@0.1.0", true),
            line("path+file:///x/crates/core#mps-core@0.1.0", false),
            line("path+file:///x/tests/mps-db#0.1.0", true),
        ]
        .join("\n");
        let found = test_programs(&output, &["mps-core"]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].name.as_str(), found[0].folder.to_str()),
            ("mps-core vectors", Some("/x/crates/core"))
        );
        assert_eq!(package_of("path+file:///x/tests/mps-db#0.1.0"), "mps-db");
    }
}
