//! `cargo xtask storm` and `cargo xtask diff-rules`: tests of tests/db in the length one asks for, on a private PostgreSQL.

use anyhow::{Result, bail};
use clap::Args;

use crate::repository::Repository;
use crate::setup::{self, Need};
use crate::test::database::TestCluster;
use crate::test::runner;

/// Call every money RPC from 16 connections that hang up at random, then hold answers and books against each other
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask storm\n  cargo xtask storm --seed 7 --ops 1000000 --one-hang-up-in 64"
)]
pub(crate) struct Storm {
    /// Which storm
    #[arg(long, value_name = "N", default_value_t = 20_261_123)]
    seed: u64,
    /// How many calls
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    ops: u64,
    /// Cut off one call in so many: a fresh connection costs as much as several calls
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    one_hang_up_in: u32,
}

/// Compare the core with SQL on prices, points, levels, codes, one-time passwords and fingerprints
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask diff-rules\n  cargo xtask diff-rules --seed 7 --cases 1000000"
)]
pub(crate) struct DiffRules {
    /// Which cases
    #[arg(long, value_name = "N", default_value_t = 20_261_123)]
    seed: u64,
    /// How many of each rule
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    cases: u64,
}

pub(crate) fn storm(repository: &Repository, options: &Storm) -> Result<()> {
    let asked = [
        ("MPS_STORM_SEED", options.seed),
        ("MPS_STORM_OPERATIONS", options.ops),
        ("MPS_STORM_ONE_HANG_UP_IN", options.one_hang_up_in.into()),
    ];
    run(repository, &["storm"], &asked)
}

pub(crate) fn diff_rules(repository: &Repository, options: &DiffRules) -> Result<()> {
    let asked = [("MPS_DIFF_SEED", options.seed), ("MPS_DIFF_CASES", options.cases)];
    run(repository, &["core_agrees_with_sql", "core_prices_as_sql"], &asked)
}

fn run(repository: &Repository, files: &[&str], asked: &[(&str, u64)]) -> Result<()> {
    setup::ensure(repository, &[Need::Postgres])?;
    let cluster = TestCluster::start(repository)?;
    let mut environment = vec![("MPS_TEST_PG_URL", cluster.cluster().url("postgres"))];
    environment.extend(asked.iter().map(|(name, number)| (*name, number.to_string())));
    let tally = runner::rust_files(repository, files, &environment)?;
    if tally.failed > 0 || tally.passed == 0 {
        bail!("{tally}; the logs of the database are in {}", repository.logs()?.display());
    }
    Ok(())
}
