//! The stages that are one check each: format, lints, rules, generated files, types.

use anyhow::Result;

use super::Bench;
use super::runner;
use super::tally::Tally;
use crate::build;
use crate::codegen;
use crate::docs;
use crate::process;
use crate::report;
use crate::schema;
use crate::setup::wasm_target::{TARGET, Toolchain};
use crate::tidy;

/// What only runs in a wasm host.
const WASM_CRATES: &[&str] = &["mps-wasm", "mps-scanner", "mps-edge"];

/// The TypeScript projects, tests included.
const TYPESCRIPT: &[&str] =
    &["pkg/tsconfig.check.json", "www", "www/worker", "tests/browser", "tests/bench", "tests/packaging"];

pub(super) fn fmt(bench: &Bench) -> Result<Tally> {
    let mut command = runner::cargo(bench.repository);
    let finished = process::run(command.args(["fmt", "--all", "--check"]), true)?;
    Ok(Tally::of(finished.status.success()))
}

pub(super) fn tidy(bench: &Bench) -> Result<Tally> {
    let mut total = Tally::default();
    for finding in tidy::check(bench.repository)? {
        total += Tally::of(finding.violations.is_empty());
        if !finding.violations.is_empty() {
            tidy::show(&finding);
        }
    }
    Ok(total)
}

pub(super) fn codegen(bench: &Bench) -> Result<Tally> {
    codegen::codegen(bench.repository.root(), true)?;
    Ok(Tally::of(true))
}

pub(super) fn schema(bench: &mut Bench) -> Result<Tally> {
    let repository = bench.repository;
    schema::check(bench.cluster()?.cluster(), repository)?;
    Ok(Tally::of(true))
}

/// The native crates, then the wasm crates for their target. Debian's compiler brings no clippy, so there the wasm
/// crates are linted for this machine instead.
pub(super) fn clippy(bench: &Bench) -> Result<Tally> {
    let mut native = runner::cargo(bench.repository);
    native.args(["clippy", "--quiet", "--workspace", "--all-targets"]);
    let is_native = matches!(Toolchain::require()?, Toolchain::Debian { .. });
    if is_native {
        report::progress("no clippy for wasm32 here: linting every crate for this machine");
    } else {
        native.args(["--exclude", "mps-wasm"]);
    }
    let finished = process::run(native.args(["--", "-D", "warnings"]), true)?;
    let mut total = Tally::of(finished.status.success());
    if !is_native {
        let mut wasm = runner::cargo(bench.repository);
        wasm.args(["clippy", "--quiet", "--target", TARGET]);
        for package in WASM_CRATES {
            wasm.args(["-p", package]);
        }
        total += Tally::of(process::run(wasm.args(["--", "-D", "warnings"]), true)?.status.success());
    }
    Ok(total)
}

/// ESLint over everything, then the types of each TypeScript project; the site's are those of the built package.
pub(super) fn lint(bench: &Bench) -> Result<Tally> {
    build::package(bench.repository)?;
    let mut eslint =
        build::node(bench.repository, &["node_modules/eslint/bin/eslint.js", "--max-warnings=0", "."])?;
    let mut total = Tally::of(process::run(&mut eslint, true)?.status.success());
    for project in TYPESCRIPT {
        let mut tsc =
            build::node(bench.repository, &["node_modules/typescript/bin/tsc", "--noEmit", "-p", project])?;
        total += Tally::of(process::run(&mut tsc, true)?.status.success());
    }
    Ok(total)
}

/// What no documentation says of the package.
pub(super) fn docs(bench: &Bench) -> Result<Tally> {
    let sdk = process::run(&mut docs::sdk(bench.repository, &["--emit", "none"])?, true)?;
    Ok(Tally::of(sdk.status.success()))
}
