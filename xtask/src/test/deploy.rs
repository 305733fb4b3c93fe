//! The stage `deploy`: what wrangler would send to Cloudflare, without sending it.

use std::os::unix::fs::symlink;
use std::process::Command;

use anstream::println;
use anyhow::{Context, Result};

use super::TestContext;
use super::tally::Tally;
use super::web::operators_program;
use crate::build;
use crate::process::{self, Finished};
use crate::repository::Repository;

/// A Worker may be larger; ours starts quickly because it is not.
const GZIP_KIB_MAX: f64 = 1024.0;

const PROGRAM: &str = "../node_modules/wrangler/bin/wrangler.js";

/// The bindings, classes, limits and times of wrangler.toml are read, the modules are collected and measured.
pub(super) fn stage(context: &TestContext) -> Result<Tally> {
    let repository = context.repository;
    build::edge(repository)?;
    let finished = dry_run(repository)?;
    let mut total = Tally::of(finished.status.success());
    if !finished.status.success() {
        println!("{}", finished.extract());
        return Ok(total);
    }
    for binding in ["env.LIMITER", "env.METRICS"] {
        total += Tally::of(finished.output.contains(binding));
    }
    let size = gzip_kib(&finished.output).context("wrangler does not tell the Worker's size")?;
    println!("the Worker has {size:.0} KiB in gzip, at most {GZIP_KIB_MAX:.0}");
    total += Tally::of(size <= GZIP_KIB_MAX);
    total += rendered(repository)?;
    Ok(total)
}

/// An environment on Cloudflare as `mps` renders it, with secrets beside it, as docs/operations/cloudflare-and-supabase.md deploys it.
fn rendered(repository: &Repository) -> Result<Tally> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    symlink(repository.join("edge/build"), folder.path().join("build")).context("no link to the build")?;
    let (configuration, secrets) = (folder.path().join("wrangler.toml"), folder.path().join("secrets.json"));
    std::fs::write(&secrets, r#"{"SUPABASE_SECRET_KEY": "of-a-test"}"#).context("no file of secrets")?;
    let mut mps = Command::new(operators_program(repository)?);
    let staging = repository.join("deploy/config/environments/staging.yml");
    mps.args(["config", "render"]).arg(staging).args(["--for", "wrangler", "--out"]).arg(&configuration);
    process::must(&mut mps)?;
    let mut command = wrangler(repository)?;
    command.arg("--config").arg(&configuration).arg("--secrets-file").arg(&secrets);
    let finished = process::run(&mut command, false)?;
    let is_taken = finished.status.success();
    if !is_taken {
        println!("{}", finished.extract());
    }
    let binds = |name: &str| Tally::of(finished.output.contains(name));
    let mut total = Tally::of(is_taken);
    total += binds("env.LIMITER");
    total += binds("env.PUBLIC_URL (\"https://api.staging.mps.example.com\")");
    total += binds("env.SUPABASE_SECRET_KEY (\"(hidden)\")");
    Ok(total)
}

/// What the built Worker weighs.
pub(crate) fn gzip_kib_of(repository: &Repository) -> Result<f64> {
    gzip_kib(&dry_run(repository)?.output).context("wrangler does not tell the Worker's size")
}

fn dry_run(repository: &Repository) -> Result<Finished> {
    let mut command = wrangler(repository)?;
    process::run(&mut command, false)
}

fn wrangler(repository: &Repository) -> Result<Command> {
    let mut command = build::node(repository, &[PROGRAM, "deploy", "--dry-run"])?;
    command.current_dir(repository.join("edge")).env("WRANGLER_SEND_METRICS", "false").env("CI", "1");
    Ok(command)
}

fn gzip_kib(output: &str) -> Option<f64> {
    let (_, rest) = output.split_once("gzip: ")?;
    let (number, unit) = rest.split_once(' ')?;
    unit.starts_with("KiB").then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::gzip_kib;

    #[test]
    fn the_size_is_what_wrangler_says_in_gzip() {
        let output = "Total Upload: 1242.20 KiB / gzip: 462.33 KiB\nYour Worker has access to";
        assert_eq!(gzip_kib(output), Some(462.33));
        assert_eq!(gzip_kib("Total Upload: 1 MiB / gzip: 2 MiB\n"), None);
    }
}
