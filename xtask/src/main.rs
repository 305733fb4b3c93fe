//! Every script of the repository: `cargo xtask --help`.

mod bench;
mod build;
mod cache;
mod codegen;
mod dev;
mod docs;
mod files;
mod forecast;
mod fuzz;
mod lanes;
mod long;
mod process;
mod release;
mod report;
mod repository;
mod schema;
mod services;
mod setup;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::repository::Repository;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Every script of the repository", version = None, disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Setup(setup::Options),
    Build(build::Options),
    Dev(dev::Options),
    Release(release::Options),
    Test(test::Options),
    Storm(long::Storm),
    DiffRules(long::DiffRules),
    Docs(docs::Options),
    Fuzz(fuzz::Options),
    Bench(bench::Options),
    Schema(schema::Options),
    /// Check who may know whom, and the rules of style that no compiler holds
    #[command(after_help = "Example: cargo xtask tidy")]
    Tidy,
    /// Write the copies of spec/*.toml in Rust, TypeScript and pgTAP
    #[command(after_help = "Example: cargo xtask codegen --check")]
    Codegen {
        /// Write nothing; fail when a copy is stale
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    process::watch_signals();
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let repository = Repository::find()?;
    match command {
        Command::Setup(options) => setup::run(&repository, &options),
        Command::Build(options) => build::run(&repository, &options),
        Command::Release(options) => release::run(&repository, &options),
        Command::Dev(options) => dev::run(&repository, &options),
        Command::Storm(options) => long::storm(&repository, &options),
        Command::DiffRules(options) => long::diff_rules(&repository, &options),
        Command::Fuzz(options) => fuzz::run(&repository, &options),
        Command::Docs(options) => docs::run(&repository, &options),
        Command::Bench(options) => bench::run(&repository, &options),
        Command::Schema(options) => schema::run(&repository, &options),
        Command::Test(options) => test::run(&repository, &options),
        Command::Tidy => tidy::run(&repository),
        Command::Codegen { check } => {
            if !check {
                // The edge, which writes its document, builds with a code that is new in spec/.
                codegen::codegen(repository.root(), false)?;
                codegen::openapi(&repository)?;
            }
            codegen::codegen(repository.root(), check)
        }
    }
}
