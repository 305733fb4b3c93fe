//! `mps secrets`: what MPS must keep to itself. It is kept encrypted, changed with an overlap, and rendered for what runs MPS.

mod audit;
mod catalog;
mod document;
mod init;
mod input;
mod list;
mod mode;
mod render;
mod steps;
mod store;
mod strength;
mod token;
mod value;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

pub(crate) use self::catalog::DATABASE_URL;
#[cfg(test)]
pub(crate) use self::catalog::former_names_for_edge;
pub(crate) use self::catalog::names_for_edge;
use self::catalog::{KINDS, Kind};
use self::document::{Document, parse_overlap, shown};
use self::render::Engine;
use self::store::{IfMissing, Store};
pub(crate) use self::token::sign;
pub(crate) use self::value::Secret;
use self::value::SecretText;
use crate::config::{self, Config};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Options {
    /// The configuration: its section `secrets` says where they are kept
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/mps/mps.yml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Begin: make the age identity and the store where there are none, generate what can be generated. Nothing is overwritten
    #[command(after_help = "Example: mps secrets init --config production.yml")]
    Init,
    /// Set a secret from standard input or a file; from now on only this value counts
    #[command(
        after_help = "Examples:\n  mps secrets set SUPABASE_SECRET_KEY          asks, and does not show what is typed\n  \
                            mps secrets set WECHAT_PRIVATE_KEY --from-file apiclient_key.pem\n  \
                            pass show mps/supabase | mps secrets set SUPABASE_SECRET_KEY"
    )]
    Set {
        #[command(flatten)]
        name: Name,
        /// A file with the value
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
        /// Only to say why it is refused
        #[arg(hide = true)]
        typed: Vec<String>,
    },
    /// Print one secret
    #[command(after_help = "Example: mps secrets get METRICS_TOKEN --reveal > /etc/prometheus/mps.token")]
    Get {
        #[command(flatten)]
        name: Name,
        /// Say that you want it shown
        #[arg(long)]
        reveal: bool,
    },
    /// Name the secrets, when each was set, and which overlap; never a value
    #[command(after_help = "Example: mps secrets list --json")]
    List,
    /// Replace a secret; the value before counts beside it while they overlap
    #[command(
        after_help = "Examples:\n  mps secrets rotate OPS_TOKEN\n  mps secrets rotate SUPABASE_JWT_SECRET --overlap 24h\n  \
                            mps secrets rotate OPS_TOKEN --overlap 0             it has leaked\n  \
                            mps secrets rotate WECHAT_API_V3_KEY < new.key\n\n\
                            It prints what must be restarted, and in which order."
    )]
    Rotate {
        #[command(flatten)]
        name: Name,
        /// How long both count: 30m, 24h, 7d; 0 for not at all
        #[arg(long, value_parser = parse_overlap)]
        overlap: Option<TimeDelta>,
        /// Take the new value from standard input, where mps would generate one
        #[arg(long)]
        given: bool,
        /// A file with the new value
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
    /// Forget the value before: after its overlap, or now if it has leaked
    #[command(after_help = "Example: mps secrets drop-previous SUPABASE_JWT_SECRET")]
    DropPrevious {
        #[command(flatten)]
        name: Name,
    },
    /// Forget a secret altogether
    #[command(after_help = "Example: mps secrets remove ALIPAY_PRIVATE_KEY --yes")]
    Remove {
        /// Its name, known or not
        name: String,
        /// Say that you mean it
        #[arg(long)]
        yes: bool,
    },
    /// Find what is old, weak, missing, unused, readable by others or overlapping for too long. Exit code 1 when there is any
    #[command(after_help = "Example: mps secrets audit --json")]
    Audit,
    /// Write the secrets as what runs MPS reads them, to standard output
    #[command(
        after_help = "Examples:\n  (umask 077; mps secrets render --for env > /run/mps/secrets.env)\n  \
                            mps secrets render --for kubernetes | kubectl apply --server-side -f -\n  \
                            mps secrets render --for cloudflare | wrangler secret bulk\n  \
                            (umask 077; mps secrets render --for postgrest > /run/mps/postgrest.env)"
    )]
    Render {
        /// For what
        #[arg(long = "for", value_name = "ENGINE")]
        engine: Engine,
    },
}

#[derive(Args)]
struct Name {
    /// Which secret
    #[arg(value_parser = AnyName)]
    name: String,
}

/// Takes any text, and has names to complete: clap would repeat what is no name, and it may be a value that came too early.
#[derive(Clone)]
struct AnyName;

impl TypedValueParser for AnyName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        let invalid = || clap::Error::new(ErrorKind::InvalidUtf8).with_cmd(command);
        value.to_str().map(str::to_owned).ok_or_else(invalid)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(KINDS.iter().map(|kind| PossibleValue::new(kind.name))))
    }
}

impl Name {
    fn kind(&self) -> Result<&'static Kind> {
        Kind::find(&self.name).ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            anyhow!(
                "that is no secret of MPS (it is not repeated, it might be a value): {}",
                names.join(", ")
            )
        })
    }
}

/// What the edge is handed beside its configuration. A value whose overlap is over is not among it.
pub(crate) fn variables(config: &Config) -> Result<BTreeMap<String, Secret>> {
    render::variables(config, &Store::open(config)?.read()?, now())
}

/// One of them: from the environment, where somebody set it for this once, else from the store of a configuration.
pub(crate) fn find(config: Option<&Path>, name: &str) -> Result<Secret> {
    if let Ok(text) = env::var(name)
        && !text.is_empty()
    {
        return Ok(Secret::new(text));
    }
    let Some(file) = config else {
        bail!("{name} is not set: in the environment, or in the secrets of --config")
    };
    of_store(&config::read(file)?, name)
}

fn of_store(config: &Config, name: &str) -> Result<Secret> {
    value(&Store::open(config)?.read()?, name)
}

/// Makes the store of a configuration where there is none, and what can be generated.
pub(crate) fn begin(config: &Config, output: &Output) -> Result<()> {
    init::run(config, &Store::open(config)?, now(), output)
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    let config = config::read(&options.config)?;
    let store = Store::open(&config).with_context(|| options.config.display().to_string())?;
    match &options.command {
        Command::Init => init::run(&config, &store, now(), output)?,
        Command::Set { name, from_file, typed } => {
            if !typed.is_empty() {
                bail!(
                    "a value on the command line is in the shell's history and was in the list of processes: change it where it comes from, \
                     then hand the new one to standard input or --from-file"
                );
            }
            set(name.kind()?, from_file.as_deref(), &store, output)?;
        }
        Command::Get { name, reveal } => get(name.kind()?.name, *reveal, &store, output)?,
        Command::List => list::run(&config, &store.read()?, now(), output),
        Command::Rotate { name, overlap, given, from_file } => {
            let source = match from_file {
                None if name.kind()?.is_generated() && !given => Source::Generated,
                file => Source::Given(file.as_deref()),
            };
            rotate(name.kind()?, *overlap, &source, &store, output)?;
        }
        Command::DropPrevious { name } => drop_previous(name.kind()?.name, &store, output)?,
        Command::Remove { name, yes } => remove(name, *yes, &store, output)?,
        Command::Audit => return audit(&options.config, &config, &store, output),
        Command::Render { engine } => {
            if std::io::stdout().is_terminal() {
                bail!("every secret would be on the screen: hand it to a file or a program, as --help shows");
            }
            let text = render::render(*engine, &config, &store.read()?, now(), output.is_json)?;
            print(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn now() -> DateTime<Utc> {
    let now = DateTime::<Utc>::from(SystemTime::now());
    DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now)
}

fn value(document: &Document, name: &str) -> Result<Secret> {
    let entry = document.get(name).ok_or_else(|| anyhow!("{name} is not set: `mps secrets set {name}`"))?;
    Ok(entry.value.clone())
}

/// Not by `println`: what it holds on to is not zeroed.
fn print(text: &SecretText) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot write to the standard output")
}

fn checked(kind: &Kind, value: Secret) -> Result<Secret> {
    match (kind.check)(value.expose()) {
        Ok(()) => Ok(value),
        Err(weakness) => {
            bail!("{}: {weakness}; {} is the least. Nothing was changed", kind.name, kind.minimum)
        }
    }
}

fn set(kind: &Kind, file: Option<&Path>, store: &Store, output: &Output) -> Result<()> {
    let name = kind.name;
    // Read before the store is locked: somebody may take their time to type it.
    let value = checked(kind, input::read(name, file)?)?;
    let had_one = store.update(IfMissing::Refuse, |document| {
        let had_one = document.get(name).is_some();
        document.set(name, value.clone(), now());
        Ok(had_one)
    })?;
    output.result(&json!({"name": name, "replaced": had_one}), || {
        let before = if had_one {
            ". What was there before counts no more: `mps secrets rotate` lets both count for a while."
        } else {
            ""
        };
        format!("{name} is set{before}")
    });
    Ok(())
}

fn get(name: &str, reveal: bool, store: &Store, output: &Output) -> Result<()> {
    #[derive(Serialize)]
    struct Shown<'a> {
        name: &'a str,
        value: &'a Secret,
    }
    if !reveal {
        bail!("{name} would be shown here, and stay in what keeps this output: say --reveal if you mean it");
    }
    let value = value(&store.read()?, name)?;
    let mut text = SecretText::with_room_for(value.expose().len() * 2 + 256);
    if output.is_json {
        text.json(&Shown { name, value: &value })?;
    } else {
        text.line(&[value.expose()]);
    }
    print(&text)
}

/// Where a new value comes from.
enum Source<'a> {
    Generated,
    Given(Option<&'a Path>),
}

fn rotate(
    kind: &Kind,
    overlap: Option<TimeDelta>,
    source: &Source,
    store: &Store,
    output: &Output,
) -> Result<()> {
    let name = kind.name;
    let overlap = match (kind.overlap(), overlap) {
        (None, Some(asked)) if asked > TimeDelta::zero() => {
            bail!(
                "of {name} only one value can count at a time: leave --overlap out; the steps say how nothing is lost meanwhile"
            )
        }
        (usual, asked) => asked.or(usual).filter(|overlap| *overlap > TimeDelta::zero()),
    };
    let value = match source {
        Source::Generated => Secret::generate()?,
        Source::Given(file) => checked(kind, input::read(name, *file)?)?,
    };
    let (until, steps) = store.update(IfMissing::Refuse, |document| {
        let until = document.rotate(name, value.clone(), now(), overlap)?;
        Ok((until, steps::after_rotation(kind, document, until)))
    })?;
    output.result(&json!({"name": name, "overlap_until": until.map(shown), "steps": steps}), || {
        let both = until.map_or_else(String::new, |until| {
            format!(", and the value before counts until {}", shown(until))
        });
        format!("{name} is rotated{both}. Now, in this order:\n{}", steps.join("\n"))
    });
    Ok(())
}

fn drop_previous(name: &str, store: &Store, output: &Output) -> Result<()> {
    let dropped = store.update(IfMissing::Refuse, |document| Ok(document.drop_previous(name)))?;
    output.result(&json!({"name": name, "dropped": dropped}), || {
        let told = if dropped {
            "the value before is forgotten. Render anew for whatever was handed both."
        } else {
            "there was none"
        };
        format!("{name}: {told}")
    });
    Ok(())
}

fn remove(name: &str, yes: bool, store: &Store, output: &Output) -> Result<()> {
    if !yes {
        bail!("{name} would be gone for good: say --yes if you mean it");
    }
    if !store.update(IfMissing::Refuse, |document| Ok(document.remove(name)))? {
        bail!("there is no {name}");
    }
    output.result(&json!({"name": name, "removed": true}), || format!("{name} is forgotten"));
    Ok(())
}

/// What is wrong with those of a configuration, and with who may write that.
pub(crate) fn audit_of(file: &Path, config: &Config) -> Result<Vec<audit::Finding>> {
    audit_of_store(file, config, &Store::open(config)?)
}

fn audit_of_store(file: &Path, config: &Config, store: &Store) -> Result<Vec<audit::Finding>> {
    let mut found = audit::of_store(config, store, now())?;
    found.extend(audit::of_configuration(file)?);
    Ok(found)
}

fn audit(file: &Path, config: &Config, store: &Store, output: &Output) -> Result<ExitCode> {
    let found = audit_of_store(file, config, store)?;
    output.result(&json!({"findings": found}), || {
        if found.is_empty() {
            return format!("{}: nothing to say against it", store.place());
        }
        let lines =
            found.iter().map(|finding| format!("{}: {}\n  {}", finding.about, finding.what, finding.fix));
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT_SECRET: &str = "jX3-hR9_kQ2wLz7vB4nM8pT1cY6sD0fG5";

    /// Of an installation with a file of its own.
    fn config(folder: &Path) -> Config {
        let yaml = include_str!("../../../deploy/config/environments/production.yml");
        Config::parse(&yaml.replace("/etc/mps/", &format!("{}/", folder.display()))).unwrap()
    }

    #[test]
    fn what_starts_edges_is_given_what_counts_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let store = Store::open(&config).unwrap();
        let secret = |text: &str| Secret::new(text.to_owned());
        store.prepare().unwrap();
        let url = "postgresql://mps@db.example/mps";
        let written = store.update(IfMissing::Create, |document| {
            let (hour, long_ago) = (Some(TimeDelta::hours(1)), DateTime::UNIX_EPOCH);
            for name in ["SUPABASE_SECRET_KEY", "METRICS_TOKEN", "WECHAT_API_V3_KEY", "UNKNOWN"] {
                document.set(name, secret(name), now());
            }
            document.set(DATABASE_URL, secret(url), now());
            document.set("OPS_TOKEN", secret("former"), long_ago);
            document.rotate("OPS_TOKEN", secret("new"), long_ago, hour)?;
            document.set("SUPABASE_JWT_SECRET", secret(JWT_SECRET), now());
            document.rotate("SUPABASE_JWT_SECRET", secret("newer"), now(), hour)
        });
        written.unwrap();
        let variables = variables(&config).unwrap();
        let told: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(
            told,
            [
                ("METRICS_TOKEN", "METRICS_TOKEN"),
                ("OPS_TOKEN", "new"),
                ("SUPABASE_JWT_SECRET", "newer"),
                ("SUPABASE_JWT_SECRET_PREVIOUS", JWT_SECRET),
                ("SUPABASE_SECRET_KEY", "SUPABASE_SECRET_KEY"),
            ]
        );
        assert_eq!(of_store(&config, DATABASE_URL).unwrap().expose(), url);
        store.update(IfMissing::Refuse, |document| Ok(document.remove(DATABASE_URL))).unwrap();
        assert!(
            of_store(&config, DATABASE_URL)
                .err()
                .unwrap()
                .to_string()
                .contains("mps secrets set DATABASE_URL")
        );
        store.update(IfMissing::Refuse, |document| Ok(document.remove("METRICS_TOKEN"))).unwrap();
        let missing = super::variables(&config).err().unwrap().to_string();
        assert!(missing.contains("not set: METRICS_TOKEN"), "{missing}");
    }
}
