//! `mps diagnose`: what is wrong, in what, and what to do about it. It looks, and changes nothing.

mod database;
mod machine;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::config::{self, Config};
use crate::database::Database;
use crate::output::Output;
use crate::secrets;
use crate::web::Web;

/// Who does not answer by then is not there.
const ANSWER_MAX: Duration = Duration::from_secs(4);

#[derive(Args)]
#[command(
    long_about = "Find what is wrong\n\nAsks each edge, the database (its own checks of clock, jobs, seals and books, connections, locks, open transactions, \
                  replication, the archive, indexes, dead rows, settings that could lose money), and this machine (certificate, disk, \
                  secrets). Each finding says what to do. Nothing is changed.",
    after_help = "Examples:\n  mps diagnose --config /etc/mps/mps.yml\n  mps diagnose --edge http://127.0.0.1:8787 --no-database\n  \
                  mps diagnose --json | jq '.findings[] | select(.area == \"database\")'\n\n\
                  Exit codes: 0 nothing was found, 1 something was, 2 the command line is wrong."
)]
pub(crate) struct Options {
    #[command(flatten)]
    database: Database,
    /// An edge; those of the configuration's `proxy.edges` when left out
    #[arg(long = "edge", value_name = "URL")]
    edges: Vec<String>,
    /// Leave the database out
    #[arg(long)]
    no_database: bool,
    /// A folder whose disk must not fill up; may be given several times
    #[arg(long = "disk", value_name = "FOLDER", default_values = ["/var/lib/mps", "/var/log"])]
    disks: Vec<PathBuf>,
}

/// Something to be done.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// edge, database, ledger, machine, secrets
    area: &'static str,
    what: String,
    fix: String,
}

fn found(area: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { area, what: what.into(), fix: fix.into() }
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    let start = Instant::now();
    let file = options.database.config();
    let config = file.map(config::read).transpose()?;
    let edges = edges(options, config.as_ref());
    let web = Web::within(ANSWER_MAX)?;
    // An edge that hangs is not waited for before the others are asked.
    let asked: Vec<_> = edges
        .iter()
        .map(|edge| {
            let (web, edge) = (web.clone(), edge.clone());
            thread::spawn(move || of_edge(&web, &edge))
        })
        .collect();
    let mut findings = Vec::new();
    if !options.no_database {
        findings.extend(database::look(&options.database));
    }
    findings.extend(machine::disks(&options.disks));
    if let (Some(file), Some(config)) = (file, &config) {
        findings.extend(config.proxy.as_ref().and_then(|proxy| machine::certificate(&proxy.certificate)));
        findings.extend(of_secrets(file, config));
    }
    let of_edges = asked.into_iter().map(|edge| edge.join().unwrap_or_default());
    findings.splice(0..0, of_edges.flatten());
    let looked_at = json!({"edges": edges, "database": !options.no_database, "disks": options.disks});
    let seconds = start.elapsed().as_secs_f64();
    output.result(&json!({"findings": findings, "looked_at": looked_at, "seconds": seconds}), || {
        let told = findings.iter().map(|Finding { area, what, fix }| format!("{area}: {what}\n  {fix}"));
        let end = match findings.len() {
            0 => format!("nothing found in {seconds:.1} s; looked at {looked_at}"),
            count => format!("{count} found in {seconds:.1} s"),
        };
        told.chain([end]).collect::<Vec<_>>().join("\n")
    });
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn edges(options: &Options, config: Option<&Config>) -> Vec<String> {
    match config.and_then(|config| config.proxy.as_ref()) {
        Some(proxy) if options.edges.is_empty() => {
            proxy.edges.iter().map(|edge| format!("http://{edge}")).collect()
        }
        _ => options.edges.clone(),
    }
}

fn of_edge(web: &Web, edge: &str) -> Vec<Finding> {
    let ask = |path| web.get(&format!("{}/{path}", edge.trim_end_matches('/')), &[]);
    let health = match ask("health") {
        Err(error) => {
            let fix =
                "Is it running? `systemctl status mps`, or where it runs; its last lines say why it ended.";
            return vec![found("edge", format!("{edge} does not answer: {error:#}"), fix)];
        }
        Ok(health) => health,
    };
    if health.status != 200 {
        let (code, what) = (health.json()["code"].clone(), health.json()["params"]["what"].clone());
        let fix = "The variable it names is missing or malformed: `mps config check`, `mps secrets audit`, then `mps deploy --again`.";
        return vec![found("edge", format!("{edge} answers {} {code} {what}", health.status), fix)];
    }
    match ask("ready") {
        Ok(ready) if ready.status == 200 => Vec::new(),
        Ok(ready) => {
            let code = ready.json()["code"].as_str().unwrap_or_default().to_owned();
            let fix = "It runs and the database does not answer it, or has another schema: what is said of the database here, PostgREST, \
                       `mps migrate status`.";
            vec![found("edge", format!("{edge} is not ready: {} {code}", ready.status), fix)]
        }
        Err(error) => {
            let fix = "It runs and hangs on the database: is PostgREST there, and has it connections left?";
            vec![found("edge", format!("{edge} does not say whether it is ready: {error:#}"), fix)]
        }
    }
}

fn of_secrets(file: &std::path::Path, config: &Config) -> Vec<Finding> {
    match secrets::audit_of(file, config) {
        Ok(found_there) => found_there
            .into_iter()
            .map(|finding| found("secrets", format!("{}: {}", finding.about, finding.what), finding.fix))
            .collect(),
        Err(error) => vec![found(
            "secrets",
            format!("they cannot be read: {error:#}"),
            "Run this as the user of the edges, who owns the identity; `mps secrets list` says the same.",
        )],
    }
}
