//! What a result was measured on.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};

use crate::process;
use crate::services::postgres::Cluster;

/// One line: cores, processor, how often the disk of the cluster syncs, the server's version.
pub(super) fn describe(cluster: &Cluster) -> Result<String> {
    Ok(format!(
        "{}, {} fdatasync/s (pg_test_fsync), {}",
        processors()?,
        syncs_a_second(cluster)?,
        process::capture(Command::new(cluster.program("postgres")).arg("--version"))?
    ))
}

/// Cores and processor.
pub(super) fn processors() -> Result<String> {
    let cores = thread::available_parallelism().context("the number of cores is unknown")?;
    Ok(format!("{cores} cores, {}", processor()))
}

fn processor() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn syncs_a_second(cluster: &Cluster) -> Result<String> {
    let mut test = Command::new(cluster.program("pg_test_fsync"));
    test.args(["-s", "1", "-f"]).arg(cluster.folder().join("fsync"));
    let told = process::capture(&mut test)?;
    let rate = told
        .lines()
        .find_map(|line| line.trim().strip_prefix("fdatasync")?.split_whitespace().next())
        .and_then(|rate| rate.split('.').next());
    Ok(rate.unwrap_or("unknown").to_owned())
}
