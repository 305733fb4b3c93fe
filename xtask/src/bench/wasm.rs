//! `cargo xtask bench wasm`: the npm package against libraries that do the same, in alternating rounds, and what it weighs.

use anstream::println;
use anyhow::Result;
use clap::Args;

use super::machine;
use crate::repository::Repository;
use crate::setup::{self, Need, chromium};
use crate::{build, process};

/// Codes drawn and prices computed against other libraries, cold starts in Node.js and Chromium, sizes of the entries
#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask bench wasm\n  cargo xtask bench wasm --rounds 3")]
pub(crate) struct Options {
    /// Rounds of each kind; medians are told
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
}

pub(super) fn run(repository: &Repository, options: &Options) -> Result<()> {
    setup::ensure(repository, Need::BUILD)?;
    setup::ensure(repository, &[Need::Chromium])?;
    build::package(repository)?;
    let mut command = build::node(repository, &["tests/bench/wasm.ts"])?;
    command.env("MPS_CHROMIUM", chromium::require()?);
    command.env("MPS_BENCH_ROUNDS", options.rounds.to_string());
    let tables = process::must(&mut command)?;
    let version = process::capture(std::process::Command::new(repository.node()).arg("--version"))?;
    println!(
        "\n{}, Node.js {version}. `cargo xtask bench wasm --rounds {}`.\n",
        machine::processors()?,
        options.rounds
    );
    println!("{tables}");
    Ok(())
}
