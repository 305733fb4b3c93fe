//! The stage `deploy`: what wrangler would send to Cloudflare, without sending it.

use anstream::println;
use anyhow::{Context, Result};

use super::TestContext;
use super::tally::Tally;
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
    Ok(total)
}

/// What the built Worker weighs.
pub(crate) fn gzip_kib_of(repository: &Repository) -> Result<f64> {
    gzip_kib(&dry_run(repository)?.output).context("wrangler does not tell the Worker's size")
}

fn dry_run(repository: &Repository) -> Result<Finished> {
    let mut command = build::node(repository, &[PROGRAM, "deploy", "--dry-run"])?;
    command.current_dir(repository.join("edge")).env("WRANGLER_SEND_METRICS", "false").env("CI", "1");
    process::run(&mut command, false)
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
