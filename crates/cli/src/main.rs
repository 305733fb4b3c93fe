//! `mps`: what an operator does with MPS, from a shell. It knows no rule of money: the database has those.

mod config;
mod output;
mod secrets;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::output::Output;

/// Run the Member Payment System: its configuration, its secrets, and what is rendered from both
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong.\n\n\
                  Examples:\n  mps config check deploy/config/environments/production.yml\n  \
                  mps config render production.yml --for nginx --out /etc/mps/nginx\n  \
                  mps secrets init\n  \
                  mps completion bash > /etc/bash_completion.d/mps"
)]
struct Arguments {
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the configuration, show it, render it for what runs MPS
    Config(config::Options),
    /// Keep the secrets, rotate them, hand them to what runs MPS
    Secrets(secrets::Options),
    /// Print the completion of a shell
    Completion {
        /// Which shell
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output { is_json: arguments.json };
    let outcome = match arguments.command {
        Command::Config(options) => config::run(&options, &output),
        Command::Secrets(options) => secrets::run(&options, &output),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "mps", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|error| {
        output.failure(&error);
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Arguments::command().debug_assert();
    }
}
