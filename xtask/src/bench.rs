//! `cargo xtask bench`: how fast it is, as ratios of one run, so that they hold on other machines.

mod books;
mod database;
pub(crate) mod edge;
mod machine;
mod pairs;
mod wasm;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::repository::Repository;

/// Measure; nothing else should run on the machine meanwhile
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Db(database::Options),
    Edge(edge::Options),
    Wasm(wasm::Options),
}

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    match &options.what {
        What::Db(options) => database::run(repository, options),
        What::Edge(options) => edge::run(repository, options),
        What::Wasm(options) => wasm::run(repository, options),
    }
}
