//! `cargo xtask fuzz`: the parsers of tests/fuzz under libFuzzer, one after the other, with the coverage each one came to.
//!
//! The stable compiler instruments code as well as a nightly one: libFuzzer wants counters of the compiler's back end, no sanitizer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anstream::println;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::process;
use crate::report;
use crate::repository::{Repository, on_path};

/// Try every parser on millions of inputs, led by the coverage they reach
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask fuzz\n  cargo xtask fuzz --target payment_code --runs 1000000\n  cargo xtask fuzz --list"
)]
pub(crate) struct Options {
    /// Try these parsers only
    #[arg(long, value_name = "TARGET", value_delimiter = ',')]
    target: Vec<String>,
    /// How many inputs each
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// No longer than this each: a frame takes a thousand times as long as an amount
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Which inputs
    #[arg(long, value_name = "N", default_value_t = 20_261_123)]
    seed: u32,
    /// Show the targets
    #[arg(long)]
    list: bool,
}

const TARGETS: &str = "tests/fuzz/src/lib.rs";

/// What libFuzzer reads: a counter an edge, where each lies, and what was compared with what.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let known = targets(&fs::read_to_string(repository.join(TARGETS)).context("the targets are gone")?);
    if options.list {
        for (name, _) in &known {
            println!("{name}");
        }
        return Ok(());
    }
    if let Some(name) = options.target.iter().find(|name| known.iter().all(|(known, _)| known != *name)) {
        bail!("there is no target {name}: see `cargo xtask fuzz --list`");
    }
    let program = build(repository)?;
    let folder = repository.join("target/fuzz-corpus");
    let mut rows = Vec::new();
    for (name, bytes_max) in &known {
        if options.target.is_empty() || options.target.contains(name) {
            rows.push(try_target(&program, &folder.join(name), name, bytes_max, options)?);
        }
    }
    println!("\n| Target | Runs | Seconds | Runs/s | Edges | Inputs kept |\n|---|---:|---:|---:|---:|---:|");
    for row in &rows {
        println!("{row}");
    }
    println!("\n{} targets, no crash", rows.len());
    Ok(())
}

/// `name: path, bytes_max;` of the list.
fn targets(source: &str) -> Vec<(String, String)> {
    let lines =
        source.lines().skip_while(|line| *line != "targets! {").skip(1).take_while(|line| *line != "}");
    let parse = |line: &str| {
        let (name, rest) = line.trim().strip_suffix(';')?.split_once(": ")?;
        let (_, bytes_max) = rest.split_once(", ")?;
        Some((name.to_owned(), bytes_max.to_owned()))
    };
    lines.filter_map(parse).collect()
}

/// The program, of instrumented code but for the programs that cargo runs itself: those are of no target.
fn build(repository: &Repository) -> Result<PathBuf> {
    ensure!(
        on_path("c++").is_some(),
        "a C++ compiler is missing, for libFuzzer: apt-get install g++, or xcode-select --install"
    );
    let version = process::capture(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    report::progress("building the targets, instrumented (the first time takes minutes)");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repository.root()).env("RUSTFLAGS", FLAGS.join(" "));
    cargo.args(["build", "-p", "mps-fuzz", "--features", "libfuzzer", "--profile", "fuzz", "--target", host]);
    process::must(cargo.arg("--target-dir").arg(repository.join("target")))?;
    Ok(repository.join(&format!("target/{host}/fuzz/mps-fuzz")))
}

/// What one target came to.
struct Row {
    name: String,
    runs: u64,
    elapsed: Duration,
    edges: String,
    inputs: String,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a speed for people")]
        let speed = self.runs as f64 / seconds.max(0.001);
        let Self { name, runs, edges, inputs, .. } = self;
        write!(f, "| {name} | {runs} | {seconds:.0} | {speed:.0} | {edges} | {inputs} |")
    }
}

/// Its corpus stays: the next run begins where this one ended.
fn try_target(program: &Path, corpus: &Path, name: &str, bytes_max: &str, options: &Options) -> Result<Row> {
    fs::create_dir_all(corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    report::progress(&format!("{name}: {} runs, or {} minutes of them", options.runs, options.minutes));
    let crash = corpus.with_extension("crash-");
    let mut command = Command::new(program);
    command.arg(corpus).env("MPS_FUZZ_TARGET", name).env("MPS_FUZZ_CORPUS", corpus);
    command.args([&format!("-runs={}", options.runs), &format!("-seed={}", options.seed)]);
    command.args([
        &format!("-max_total_time={}", options.minutes * 60),
        &format!("-max_len={bytes_max}"),
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]);
    command.arg(format!("-artifact_prefix={}", crash.display()));
    let start = Instant::now();
    let finished = process::run(&mut command, false)?;
    if !finished.status.success() {
        bail!(
            "{name} broke; its input is beside {}, add it to tests/fuzz/seeds/{name}.txt:\n{}",
            corpus.display(),
            finished.extract()
        );
    }
    let elapsed = start.elapsed();
    let done = finished.output.lines().rev().find(|line| line.contains("DONE")).unwrap_or_default();
    let after =
        |word| done.split_whitespace().skip_while(|part| *part != word).nth(1).unwrap_or("?").to_owned();
    let runs = done.trim_start_matches('#').split_whitespace().next().and_then(|runs| runs.parse().ok());
    let row = Row {
        name: name.to_owned(),
        runs: runs.with_context(|| format!("{name}: libFuzzer told nothing:\n{}", finished.extract()))?,
        elapsed,
        edges: after("cov:"),
        inputs: after("corp:"),
    };
    report::verdict(true, &format!("{name}: {} edges", row.edges), elapsed);
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn the_targets_are_read_from_their_list() {
        let source = "use x;\ntargets! {\n    amount: core::amount, 32;\n    body: mps_edge::fuzz::body, 1024;\n}\nfn y() {}\n";
        let expected = [("amount", "32"), ("body", "1024")];
        assert_eq!(targets(source), expected.map(|(name, most)| (name.to_owned(), most.to_owned())));
    }
}
