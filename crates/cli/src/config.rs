//! `mps config`: one typed configuration, of which everything else is rendered. A secret is never in it.

mod check;
mod model;
mod nginx;
mod reference;
mod render;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

pub(crate) use self::check::findings_of_secrets;
pub(crate) use self::model::{Config, Secrets, SecretsFile, SecretsVault};
use crate::output::Output;
use crate::secrets::{self, Secret};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Name every key that is unknown, missing, malformed, weak, or of no effect
    #[command(after_help = "Example: mps config check deploy/config/environments/production.yml")]
    Check {
        /// The configuration
        file: PathBuf,
    },
    /// Show what holds, with what was left out
    #[command(after_help = "Example: mps config show production.yml --json")]
    Show {
        /// The configuration
        file: PathBuf,
    },
    /// Write it as what runs MPS reads it
    #[command(after_help = "Examples:\n  mps config render production.yml --for workerd > edge.env\n  \
                            mps config render staging.yml --for wrangler > wrangler.toml\n  \
                            mps config render production.yml --for kubernetes | kubectl apply -f -\n  \
                            mps config render production.yml --for nginx --out /etc/mps/nginx")]
    Render {
        /// The configuration
        file: PathBuf,
        /// For what
        #[arg(long = "for", value_name = "ENGINE")]
        engine: Engine,
        /// Where to write, instead of the standard output: a folder for nginx, else a file
        #[arg(long, value_name = "PATH")]
        out: Option<PathBuf>,
    },
    /// Print the page that describes every key
    #[command(after_help = "Example: mps config reference > docs/operations/configuration.md")]
    Reference,
    /// Print the JSON Schema that editors check it by
    #[command(after_help = "Example: mps config schema > deploy/config/schema.json")]
    Schema,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Lines of NAME=value, as systemd, compose and `--env-file` read them
    Workerd,
    /// wrangler.toml with its vars
    Wrangler,
    /// What `kubectl apply` takes
    Kubernetes,
    /// The files of deploy/nginx
    Nginx,
    /// PostgREST's variables, for a database of one's own
    Postgrest,
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    match &options.command {
        Command::Check { file } => {
            let findings = check::findings(&read(file)?);
            output.result(&json!({"findings": findings}), || match findings.as_slice() {
                [] => format!("{}: nothing to say against it", file.display()),
                _ => findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            });
            Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Show { file } => {
            let config = read(file)?;
            let text = serde_saphyr::to_string(&config).context("it cannot be written")?;
            output.result(&config, || text);
            Ok(ExitCode::SUCCESS)
        }
        Command::Render { file, engine, out } => {
            let config = read(file)?;
            if let Some(finding) = check::findings(&config).first() {
                bail!("{}: {finding}; `mps config check` names all", file.display());
            }
            render_for(*engine, &config, out.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Reference => {
            print!("{}", render::reference());
            Ok(ExitCode::SUCCESS)
        }
        Command::Schema => {
            println!("{}", render::schema());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Reads and parses one.
pub(crate) fn read(file: &Path) -> Result<Config> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Config::parse(&text).with_context(|| file.display().to_string())
}

/// Refuses one that something is wrong with.
pub(crate) fn must_be_right(config: &Config) -> Result<()> {
    match check::findings(config).first() {
        Some(finding) => bail!("the configuration: {finding}; `mps config check` names all"),
        None => Ok(()),
    }
}

/// What the edge is told by it, and by the secrets that it names; refused while something is wrong with it.
pub(crate) fn edge_variables(config: &Config) -> Result<BTreeMap<String, Secret>> {
    must_be_right(config)?;
    let mut all: BTreeMap<String, Secret> = render::variables(config)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Secret::new(value)))
        .collect();
    // Where no store is named they come as variables.
    if config.secrets.is_some() {
        all.extend(secrets::variables(config)?);
    }
    Ok(all)
}

fn render_for(engine: Engine, config: &Config, out: Option<&Path>) -> Result<()> {
    let text = match (engine, out) {
        (Engine::Nginx, Some(folder)) => return nginx::write(config, folder),
        (Engine::Nginx, None) => bail!("nginx has several files: say where with --out FOLDER"),
        (Engine::Workerd, _) => render::environment(config)?,
        (Engine::Wrangler, _) => render::wrangler(config)?,
        (Engine::Kubernetes, _) => render::config_map(config),
        (Engine::Postgrest, _) => render::postgrest(config),
    };
    match out {
        None => print!("{text}"),
        Some(path) => fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?,
    }
    Ok(())
}
