//! `mps maintenance`: the page that people see while somebody is at work, and what a database wants now and then.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use postgres::Client;
use serde_json::json;

use crate::backup::violations;
use crate::config;
use crate::database::{Database, act_as_service, told};
use crate::output::{Output, say};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// From now on people see a page and programs are answered 503 with Retry-After; what is under way finishes
    #[command(
        after_help = "Example: mps maintenance on && mps migrate up && mps maintenance off\n\nProviders' notifications are refused too, and come again."
    )]
    On(Where),
    /// Open again
    #[command(after_help = "Example: mps maintenance off")]
    Off(Where),
    /// Tell which it is; exit code 0 open, 1 closed
    #[command(after_help = "Example: mps maintenance status --json")]
    Status(Where),
    /// Tend the database beside the charges: statistics, broken indexes, dead rows, then the books and seals
    #[command(
        after_help = "Example: mps maintenance run --config /etc/mps/mps.yml\n\nNo step holds a lock that a charge waits for. \
                      Exit codes: 0 done and the books are right, 1 a step failed or something is wrong with the books."
    )]
    Run(Database),
}

#[derive(Args)]
struct Where {
    /// The configuration: its `proxy.maintenance_file` is looked at by nginx
    #[arg(long, default_value = "/etc/mps/mps.yml", value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    match &options.command {
        Command::On(place) => {
            let file = file(&place.config)?;
            let mut text = fs::File::options().create(true).append(true).open(&file);
            if text.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound)
                && let Some(folder) = file.parent()
            {
                fs::create_dir_all(folder)?;
                text = fs::File::create(&file);
            }
            text.with_context(|| format!("cannot make {}", file.display()))?;
            tell(output, true, &file);
        }
        Command::Off(place) => {
            let file = file(&place.config)?;
            match fs::remove_file(&file) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                done => done.with_context(|| format!("cannot remove {}", file.display()))?,
            }
            tell(output, false, &file);
        }
        Command::Status(place) => {
            let file = file(&place.config)?;
            let is_closed =
                file.try_exists().with_context(|| format!("cannot look at {}", file.display()))?;
            tell(output, is_closed, &file);
            return Ok(if is_closed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        Command::Run(database) => return tend(&mut database.connect()?, output),
    }
    Ok(ExitCode::SUCCESS)
}

fn file(config: &Path) -> Result<PathBuf> {
    match config::read(config)?.proxy {
        Some(proxy) => Ok(proxy.maintenance_file.into()),
        None => bail!("{} has no `proxy`: on Cloudflare there is no such page", config.display()),
    }
}

fn tell(output: &Output, is_closed: bool, file: &Path) {
    output.result(&json!({"is_closed": is_closed, "file": file}), || {
        if is_closed {
            format!("closed: {} is there. `mps maintenance off` opens again", file.display())
        } else {
            "open".to_owned()
        }
    });
}

/// What is done, each as one statement of its own: `vacuum` and `reindex concurrently` want no transaction around them.
fn tend(database: &mut Client, output: &Output) -> Result<ExitCode> {
    database.batch_execute("set lock_timeout = '500ms'").map_err(|error| told(&error))?;
    act_as_service(database)?;
    let mut steps = vec!["analyze".to_owned()];
    for row in database.query(BROKEN_INDEXES, &[]).map_err(|error| told(&error))? {
        steps.push(format!("reindex index concurrently {}", row.get::<_, String>(0)));
    }
    for row in database.query(DEAD_ROWS, &[]).map_err(|error| told(&error))? {
        steps.push(format!("vacuum (skip_locked) {}", row.get::<_, String>(0)));
    }
    let mut done = Vec::new();
    for step in steps {
        let start = Instant::now();
        database.batch_execute(&step).map_err(|error| told(&error).context(step.clone()))?;
        let seconds = start.elapsed().as_secs_f64();
        say(&format!("{step} ({seconds:.1} s)"));
        done.push(json!({"step": step, "seconds": seconds}));
    }
    say("the books and the seals");
    let violations = violations(database)?;
    output.result(&json!({"steps": done, "violations": violations}), || match violations.as_slice() {
        [] => "done; the books and the seals are right".to_owned(),
        _ => {
            format!("{}\nLet nobody repair anything by hand before it is understood.", violations.join("\n"))
        }
    });
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const BROKEN_INDEXES: &str = "select i.indexrelid::regclass::text from pg_index i where not i.indisvalid
    and i.indrelid::regclass::text not like 'pg_toast.%'";

const DEAD_ROWS: &str = "select t.relid::regclass::text from pg_stat_user_tables t
    where t.n_dead_tup > 10000 and t.n_dead_tup > 0.1 * t.n_live_tup order by t.n_dead_tup desc limit 20";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_closed_while_the_file_is_there_and_each_may_be_said_twice() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("mps.yml");
        let file = folder.path().join("run/mps/maintenance");
        let production = include_str!("../../../deploy/config/environments/production.yml");
        let named = format!("proxy:\n  maintenance_file: {}", file.display());
        fs::write(&config, production.replace("\nproxy:", &format!("\n{named}")))?;
        let place = || Where { config: config.clone() };
        let output = Output { is_json: false };
        let said = |command: Command| run(&Options { command }, &output);
        for _ in 0..2 {
            said(Command::On(place()))?;
            assert!(file.exists());
        }
        assert_eq!(said(Command::Status(place()))?, ExitCode::FAILURE);
        for _ in 0..2 {
            said(Command::Off(place()))?;
            assert!(!file.exists());
        }
        assert_eq!(said(Command::Status(place()))?, ExitCode::SUCCESS);
        Ok(())
    }

    #[test]
    fn where_there_is_no_proxy_there_is_no_page() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("mps.yml");
        fs::write(&config, include_str!("../../../deploy/config/environments/staging.yml"))?;
        let refused = run(&Options { command: Command::On(Where { config }) }, &Output { is_json: false });
        assert!(refused.is_err_and(|error| error.to_string().contains("no `proxy`")));
        Ok(())
    }
}
