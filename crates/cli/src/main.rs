//! `mps`: what an operator does with MPS, from a shell. It knows no rule of money: the database has those.

mod admin;
mod auth;
mod backup;
mod child;
mod config;
mod database;
mod deploy;
mod diagnose;
mod health;
mod init;
mod jobs;
mod maintenance;
mod migrate;
mod output;
mod release;
mod secrets;
mod serve;
mod smoke;
mod web;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::output::Output;

/// Run the Member Payment System: its configuration, its secrets, its edges, its database's schema
#[derive(Parser)]
#[command(
    name = "mps",
    version,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong.\n\n\
                  Examples:\n  mps config check /etc/mps/mps.yml\n  mps secrets init\n  mps migrate up\n  \
                  mps serve --config /etc/mps/mps.yml\n  mps deploy mps-0.2.0.tar.gz\n  \
                  mps smoke --url https://pay.example.com --merchant SMOKE01\n  \
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
    /// Run the edges of this machine on workerd until SIGTERM or Ctrl-C
    Serve(serve::Options),
    /// Begin an installation: write its configuration and generate its secrets
    Init(init::Options),
    /// Keep the secrets, rotate them, hand them to what runs MPS
    Secrets(secrets::Options),
    /// Exchange the edges that run for those of another release
    Deploy(deploy::Options),
    /// Bring the database to the schema of a release
    Migrate(migrate::Options),
    /// Tell by the exit code whether an edge is well
    Health(health::Options),
    /// Find what is wrong, and what to do about it
    Diagnose(diagnose::Options),
    /// Close for people while somebody is at work; tend the database
    Maintenance(maintenance::Options),
    /// Pay, pay again and give back against a running installation
    Smoke(smoke::Options),
    /// Make the first admin; look at members, cards, merchants, books; do what an admin may
    Admin(admin::Options),
    /// Whether the backups of one's own PostgreSQL are there and whole; back from them
    Backup(backup::Options),
    /// What the edges do by the clock
    Jobs(jobs::Options),
    /// Print the manual page
    Man,
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
        Command::Init(options) => init::run(&options, &output),
        Command::Secrets(options) => secrets::run(&options, &output),
        Command::Serve(options) => serve::run(&options),
        Command::Deploy(options) => deploy::run(&options, &output),
        Command::Migrate(options) => migrate::run(&options, &output),
        Command::Health(options) => health::run(&options, &output),
        Command::Diagnose(options) => diagnose::run(&options, &output),
        Command::Maintenance(options) => maintenance::run(&options, &output),
        Command::Smoke(options) => smoke::run(&options, &output),
        Command::Admin(options) => admin::run(&options, &output),
        Command::Backup(options) => backup::run(&options, &output),
        Command::Jobs(options) => jobs::run(&options, &output),
        Command::Man => clap_mangen::Man::new(Arguments::command())
            .render(&mut std::io::stdout())
            .map(|()| ExitCode::SUCCESS)
            .map_err(Into::into),
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
