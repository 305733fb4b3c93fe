//! `cargo xtask setup`: what the other commands need on the machine. Each step looks first, then does the least.

pub(crate) mod chromium;
pub(crate) mod npm;
pub(crate) mod postgres;
mod system;
pub(crate) mod tools;
pub(crate) mod wasm_target;

use anyhow::Result;
use clap::Args;

use crate::report;
use crate::repository::Repository;

/// Install what is missing to build and run MPS
#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask setup\n  cargo xtask setup --tests")]
pub(crate) struct Options {
    /// Also what the tests need: PostgreSQL with pgTAP, Chromium
    #[arg(long)]
    tests: bool,
}

/// What a command needs. Everything a build needs is one need: each step is quick when it is there.
#[derive(Clone, Copy, Default)]
pub(crate) struct Needs {
    pub(crate) wasm_target: bool,
    pub(crate) wasm_tools: bool,
    pub(crate) npm: bool,
    pub(crate) postgres: bool,
    pub(crate) chromium: bool,
}

impl Needs {
    /// What `build` and `dev` need.
    pub(crate) const BUILD: Self =
        Self { wasm_target: true, wasm_tools: true, npm: true, postgres: false, chromium: false };
}

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let needs = Needs { postgres: options.tests, chromium: options.tests, ..Needs::BUILD };
    ensure(repository, needs)
}

/// Sees to each need in turn; the first that cannot be met stops with what to do.
pub(crate) fn ensure(repository: &Repository, needs: Needs) -> Result<()> {
    if needs.wasm_target {
        report::step("wasm32 target", || wasm_target::ensure(repository))?;
    }
    if needs.wasm_tools {
        for tool in tools::TOOLS {
            report::step(tool.name, || tool.ensure(repository))?;
        }
    }
    if needs.npm {
        report::step("npm packages", || npm::ensure(repository))?;
    }
    if needs.postgres {
        report::step("PostgreSQL with pgTAP", postgres::ensure)?;
    }
    if needs.chromium {
        report::step("Chromium", chromium::ensure)?;
    }
    Ok(())
}
