//! The stages that are one check each: format, lints, rules, generated files, types.

use anyhow::Result;

use super::TestContext;
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

pub(super) fn fmt(context: &TestContext) -> Result<Tally> {
    let mut command = runner::cargo(context.repository);
    let finished = process::run(command.args(["fmt", "--all", "--check"]), true)?;
    Ok(Tally::of(finished.status.success()))
}

pub(super) fn tidy(context: &TestContext) -> Result<Tally> {
    let mut total = Tally::default();
    for finding in tidy::check(context.repository)? {
        total += Tally::of(finding.violations.is_empty());
        if !finding.violations.is_empty() {
            tidy::show(&finding);
        }
    }
    Ok(total)
}

pub(super) fn codegen(context: &TestContext) -> Result<Tally> {
    codegen::codegen(context.repository.root(), true)?;
    Ok(Tally::of(true))
}

pub(super) fn schema(context: &mut TestContext) -> Result<Tally> {
    let repository = context.repository;
    schema::check(context.cluster()?.cluster(), repository)?;
    Ok(Tally::of(true))
}

/// The native crates, then the wasm crates for their target. Debian's compiler brings no clippy, so there the wasm
/// crates are linted for this machine instead.
pub(super) fn clippy(context: &TestContext) -> Result<Tally> {
    let mut native = runner::cargo(context.repository);
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
        let mut wasm = runner::cargo(context.repository);
        wasm.args(["clippy", "--quiet", "--target", TARGET]);
        for package in WASM_CRATES {
            wasm.args(["-p", package]);
        }
        total += Tally::of(process::run(wasm.args(["--", "-D", "warnings"]), true)?.status.success());
    }
    Ok(total)
}

/// ESLint over everything, then the types of each TypeScript project; the site's are those of the built package.
pub(super) fn lint(context: &TestContext) -> Result<Tally> {
    build::package(context.repository)?;
    let mut eslint =
        build::node(context.repository, &["node_modules/eslint/bin/eslint.js", "--max-warnings=0", "."])?;
    let mut total = Tally::of(process::run(&mut eslint, true)?.status.success());
    for project in TYPESCRIPT {
        let mut tsc =
            build::node(context.repository, &["node_modules/typescript/bin/tsc", "--noEmit", "-p", project])?;
        total += Tally::of(process::run(&mut tsc, true)?.status.success());
    }
    Ok(total)
}

/// What no documentation says of the package.
pub(super) fn docs(context: &TestContext) -> Result<Tally> {
    let sdk = process::run(&mut docs::sdk(context.repository, &["--emit", "none"])?, true)?;
    Ok(Tally::of(sdk.status.success()))
}
