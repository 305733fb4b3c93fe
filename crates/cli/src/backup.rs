//! `mps backup`: whether the backups of one's own PostgreSQL are there and whole, and back from them. pgBackRest makes and reads them;
//! here is what an operator asks of them, and what the books say afterwards.

mod books;
mod repository;
mod restore;
mod server;
mod status;

use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Result, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

pub(crate) use self::books::violations;
use self::repository::Repository;
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell whether there is a recent backup, and whether what was committed since is in the archive
    Status(status::Options),
    /// Read every file of the repository and hold it against its checksum
    #[command(
        after_help = "Example: sudo -u postgres mps backup verify\n\nExit codes: 0 every file is whole, 1 one is not or is missing."
    )]
    Verify(Repository),
    /// Restore to a moment into an empty data folder, start it in private, and check the books
    Restore(restore::Options),
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    refuse_root()?;
    match &options.command {
        Command::Status(options) => status::run(options, output),
        Command::Verify(repository) => {
            let report = repository.verify()?;
            output.result(&json!({"ok": true, "report": report}), || {
                format!("every file of the repository is whole\n{}", report.join("\n"))
            });
            Ok(ExitCode::SUCCESS)
        }
        Command::Restore(options) => restore::run(options, output),
    }
}

/// PostgreSQL's programs refuse to run as root, and what root writes into a repository or a data folder their owner cannot read.
fn refuse_root() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        bail!("not as root: run it as whom PostgreSQL runs as, `sudo -u postgres mps backup …`");
    }
    Ok(())
}

fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// As it is told.
fn shown(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}
