//! `mps jobs`: what the edges do by the clock, where nobody else starts it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::output::{Output, say};
use crate::secrets;
use crate::serve::{Jobs, now};
use crate::web::Web;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// An edge may start later than this program.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(crate) struct Options {
    /// Where an edge is; the next is asked when one does not answer
    #[arg(long, default_value = "http://127.0.0.1:8787", value_name = "URL")]
    edge: Vec<String>,
    /// The configuration whose secrets have `OPS_TOKEN`, where the environment has none
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the jobs and when each is due (UTC)
    #[command(after_help = "Example: OPS_TOKEN=… mps jobs list")]
    List,
    /// Run one now, and wait for its end
    #[command(after_help = "Example: OPS_TOKEN=… mps jobs run verify_ledger")]
    Run {
        /// Its name
        name: String,
    },
    /// Start each when it is due, until SIGTERM: where edges run that nobody's `mps serve` looks after
    #[command(after_help = "Example: OPS_TOKEN=… mps jobs --edge http://mps-edge:8787 watch\n\n\
                            Two of them do nothing twice: the database lets one run of a job work at a time.")]
    Watch,
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    let token = secrets::find(options.config.as_deref(), "OPS_TOKEN")?;
    let edges: Vec<String> = options.edge.iter().map(|edge| edge.trim_end_matches('/').to_owned()).collect();
    let ask = || Jobs::at(edges.clone(), token.expose(), Web::new(None)?);
    match &options.command {
        Command::List => {
            let jobs = ask()?;
            let rows = jobs.list().iter().map(|job| json!({"name": job.name, "schedule": job.schedule}));
            output.result(&json!(rows.collect::<Vec<_>>()), || {
                let lines = jobs.list().iter().map(|job| format!("{:<14} {}", job.schedule, job.name));
                lines.collect::<Vec<_>>().join("\n")
            });
        }
        Command::Run { name } => {
            let (status, answer) = ask()?.run(name)?;
            ensure!(
                status == 200,
                "the edge answers {status} {}",
                answer["code"].as_str().unwrap_or_default()
            );
            output.result(&answer, || format!("{name}: {} in {} calls", answer["total"], answer["calls"]));
        }
        Command::Watch => watch(ask)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn watch(ask: impl Fn() -> Result<Arc<Jobs>>) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("signals cannot be watched")?;
    }
    let pause = |length: Duration| {
        let mut left = length;
        while !left.is_zero() && !stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK_EVERY.min(left));
            left = left.saturating_sub(LOOK_EVERY);
        }
    };
    let mut minute = now();
    let mut jobs = None;
    while !stop.load(Ordering::Relaxed) {
        let Some(known) = &jobs else {
            match ask() {
                Ok(answered) => {
                    say(&format!("{} jobs are started when they are due", answered.list().len()));
                    jobs = Some(answered);
                }
                Err(error) => {
                    say(&format!("{error:#}; asked again in {} s", ASK_AGAIN_AFTER.as_secs()));
                    pause(ASK_AGAIN_AFTER);
                }
            }
            continue;
        };
        let present = now();
        known.start_those_due(minute.until(present), say);
        minute = present;
        pause(LOOK_EVERY);
    }
    Ok(())
}
