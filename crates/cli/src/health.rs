//! `mps health`: whether an edge is well, by an exit code: for containers, which have no other program to ask with.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::output::Output;
use crate::web::Web;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  mps health\n  mps health --ready --url https://pay.example.com\n\nExit codes: 0 it is, 1 it is not or does not answer."
)]
pub(crate) struct Options {
    /// Where the edge is
    #[arg(long, default_value = "http://127.0.0.1:8787", value_name = "URL")]
    url: String,
    /// Whether it also reaches a database with its schema
    #[arg(long)]
    ready: bool,
    /// The authority that vouches for it, in PEM, when it is one of your own
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    let path = if options.ready { "ready" } else { "health" };
    let url = format!("{}/{path}", options.url.trim_end_matches('/'));
    let reply = Web::new(options.cacert.as_deref())?.get(&url, &[])?;
    let is_well = reply.status == 200;
    let answer = reply.json();
    output.result(&json!({"ok": is_well, "status": reply.status, "answer": answer}), || {
        let why = if is_well { "" } else { answer["code"].as_str().unwrap_or_default() };
        format!("{url} {} {why}", reply.status).trim_end().to_owned()
    });
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
