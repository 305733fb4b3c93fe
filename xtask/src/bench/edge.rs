//! `cargo xtask bench edge`: charges through the edge against the same calls of PostgREST's, in alternating rounds over one database.

mod doors;
mod soak;
mod stand;
mod start;

use std::path::PathBuf;

use anstream::println;
use anyhow::{Context, Result, ensure};
use clap::Args;

use self::stand::{Load, Stand, Target, Timing, charges};
use super::books::Books;
use super::machine;
use super::pairs::{Pair, median};
use crate::repository::Repository;
use crate::services::postgres::{Cluster, Keeping};
use crate::setup::{self, Need};
use crate::test::database::prepare_migrated;
use crate::test::deploy;
use crate::{build, report};

const CLIENTS: u64 = 16;
/// Of the maximum, for a long time.
const SOAK_SHARE: f64 = 0.8;

/// With somebody at the door, and without.
const DOOR_SECONDS: u64 = 20;

/// Refused before the database is asked.
const REFUSED: &[(&str, &str)] = &[
    ("bad_token", "a token that somebody else signed"),
    ("malformed_code", "a code with a letter"),
    ("wrong_check_digit", "a wrong check digit"),
    ("missing_key", "no Idempotency-Key"),
];

/// Charges through the edge against direct RPC, refusals, a soak, memory, start-up, size
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bench edge\n  cargo xtask bench edge --soak 15m\n  cargo xtask bench edge --against ../before/edge/build"
)]
pub(crate) struct Options {
    /// Rounds of each kind; medians are told
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// How long to charge at 80 % of the maximum, in seconds or, with an m, minutes
    #[arg(long, value_name = "LENGTH", default_value = "20s", value_parser = parse_seconds)]
    soak: u64,
    /// Cards, each with a live code; the soak needs as many as it charges. By default enough for 500 a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(4_000..=9_000_000))]
    size: Option<u64>,
    /// Measure against another build of the edge only: the folder of its index.js
    #[arg(long, value_name = "FOLDER")]
    against: Option<PathBuf>,
}

fn parse_seconds(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    seconds.filter(|seconds| (1..=86_400).contains(seconds)).ok_or_else(|| "20s, or 15m".to_owned())
}

pub(super) fn run(repository: &Repository, options: &Options) -> Result<()> {
    setup::ensure(repository, Need::BUILD)?;
    setup::ensure(repository, &[Need::Postgres, Need::Postrust])?;
    build::edge(repository)?;
    report::progress("starting a private PostgreSQL with durable commits and applying the migrations");
    let installation = setup::postgres::require()?;
    let cluster = Cluster::start_keeping(Keeping::EveryCommit, &installation, repository, "bench-postgres")?;
    prepare_migrated(&cluster, repository)?;
    let size = options.size.unwrap_or(options.soak * 500 + 10_000).max(30_000);
    let books = Books::load(&cluster, repository, size)?;
    cluster.execute("postgres", "checkpoint")?;
    let other = options.against.as_ref().map(|path| path.canonicalize()).transpose();
    let other = other.context("there is no such folder")?;
    let mut stand = Stand::start(repository, &cluster, books, stand::build(repository)?, other.as_deref())?;
    // The first requests of a process compile what later ones run.
    for target in [Target::Direct, Target::Edge, Target::Other].iter().take(2 + usize::from(other.is_some()))
    {
        stand.ask(*target, charges(CLIENTS, 600))?;
    }
    let table = match &other {
        Some(_) => against_other(&mut stand, options.rounds)?,
        None => whole(&mut stand, options, size)?,
    };
    stand.check()?;
    println!(
        "\n{}. `cargo xtask bench edge --rounds {} --soak {}s`; {} charges, all in the books once.\n",
        machine::describe(&cluster)?,
        options.rounds,
        options.soak,
        stand.charged()
    );
    println!("| What | Measured | Against | Ratio (range of the rounds) | Goal |\n|---|---|---|---|---|");
    for line in table {
        println!("{line}");
    }
    Ok(())
}

/// All of it in short, without a measurement: each load, and whether its answers were right.
pub(crate) fn try_out(repository: &Repository, cluster: &Cluster) -> Result<Vec<(String, Result<()>)>> {
    const SIZE: u64 = 2_000;
    const SOAK_SECONDS: u64 = 5;
    const SOAK_RATE: f64 = 20.0;
    let books = Books::load(cluster, repository, SIZE)?;
    let mut stand = Stand::start(repository, cluster, books, stand::build_for_tests(repository)?, None)?;
    let mut results = vec![];
    for (name, target) in [("charges through the edge", Target::Edge), ("charges past it", Target::Direct)] {
        results.push((name.to_owned(), stand.ask(target, charges(CLIENTS, 200)).map(drop)));
    }
    for (way, name) in REFUSED {
        let load = Load { way, clients: CLIENTS, count: 200, per_second: None };
        results.push((format!("refused: {name}"), stand.ask(Target::Edge, load).map(drop)));
    }
    results.push(("a soak".to_owned(), soak::run(&mut stand, SOAK_SECONDS, SOAK_RATE).map(drop)));
    results.push(("the books".to_owned(), stand.check()));
    Ok(results)
}

/// The lines of the table.
fn whole(stand: &mut Stand, options: &Options, size: u64) -> Result<Vec<String>> {
    let rounds = options.rounds;
    let (edge, direct) = (Target::Edge, Target::Direct);
    let alone = Duel { one: (edge, charges(1, 400)), other: (direct, charges(1, 400)) };
    let latency = alone.fight(stand, "Charge, 1 client", rounds)?;
    let busy = Duel { one: (edge, charges(CLIENTS, 1_500)), other: (direct, charges(CLIENTS, 1_500)) };
    let throughput = busy.fight(stand, "Charges, 16 clients", rounds)?;
    let rates = throughput.pair(|timing| timing.per_second);
    let mut table = vec![
        latency.pair(|timing| timing.median).difference_line("Charge, 1 client", "direct RPC", "≤ 3 ms more"),
        rates.line("Charges, 16 clients", "/s", "direct RPC", "≥ 75 %"),
    ];
    for (way, name) in REFUSED {
        let refused = Load { way, clients: CLIENTS, count: 6_000, per_second: None };
        let duel = Duel { one: (edge, refused), other: (edge, charges(CLIENTS, 1_000)) };
        let name = format!("Refused, 16 clients: {name}");
        let pair = duel.fight(stand, &name, rounds.min(3))?.pair(|timing| timing.per_second);
        table.push(pair.line(&name, "/s", "charges", "≥ 600 %"));
    }
    if let Some(pair) = throughput.processor_pair() {
        table.push(pair.line("Processor of workerd a charge", " ms", "of postrust", "≤ 1.0 ms"));
    }
    table.extend(soak(stand, options.soak, SOAK_SHARE * median(&rates.measured), size)?);
    table.extend(doors::lines(stand, DOOR_SECONDS)?);
    let (of_edge, of_empty) = start::times(stand.repository(), rounds.max(5))?;
    let starts = Pair { measured: of_edge, against: of_empty };
    table.push(starts.difference_line("Cold start to the first answer", "an empty Worker", "≤ 1000 ms"));
    let size = deploy::gzip_kib_of(stand.repository())?;
    table.push(format!("| Worker, gzip | {size:.0} KiB | – | – | ≤ 600 KiB |"));
    Ok(table)
}

fn soak(stand: &mut Stand, seconds: u64, per_second: f64, size: u64) -> Result<Vec<String>> {
    #[expect(clippy::cast_precision_loss, reason = "a run is hours at most")]
    let needed = per_second * seconds as f64;
    #[expect(clippy::cast_precision_loss, reason = "millions at most")]
    let available = size as f64;
    ensure!(needed < available, "the soak will charge {needed:.0} codes: say --size {:.0}", needed * 1.1);
    report::progress(&format!("charging {per_second:.0} a second for {seconds} s"));
    let soak = soak::run(stand, seconds, per_second)?;
    let timing = soak.timing;
    let name = format!("Soak, {seconds} s, {} charges", timing.answered);
    let mut lines = vec![format!(
        "| {name} at 80 % of the maximum: p99 | {:.1} ms (longest {:.0} ms) | median: {:.2} ms | **{:.1} times** | ≤ 5 times |",
        timing.p99,
        timing.longest,
        timing.median,
        timing.p99 / timing.median
    )];
    if let Some((first, last)) = soak.thirds() {
        lines.push(format!(
            "| {name}: memory, last third | {:.1} MiB | first third: {:.1} MiB | **{:+.1} %** | ≤ +5 % |",
            last / 1024.0,
            first / 1024.0,
            100.0 * (last / first - 1.0)
        ));
    }
    Ok(lines)
}

/// Before and after: the same load on two builds.
fn against_other(stand: &mut Stand, rounds: u64) -> Result<Vec<String>> {
    let mut table = vec![];
    let mut loads =
        vec![("Charge, 1 client", charges(1, 400)), ("Charges, 16 clients", charges(CLIENTS, 1_500))];
    for (way, name) in &REFUSED[..2] {
        loads.push((name, Load { way, clients: CLIENTS, count: 6_000, per_second: None }));
    }
    for (name, load) in loads {
        let duel = Duel { one: (Target::Edge, load), other: (Target::Other, load) };
        let fought = duel.fight(stand, name, rounds)?;
        let medians = fought.pair(|timing| timing.median);
        table.push(medians.difference_line(&format!("{name}: median"), "the other build", "–"));
        table.push(fought.pair(|timing| timing.per_second).line(name, "/s", "the other build", "–"));
        if let Some(pair) = fought.processor_pair() {
            table.push(pair.line(&format!("{name}: processor of workerd"), " ms", "the other build", "–"));
        }
    }
    Ok(table)
}

/// Two loads in turn.
struct Duel {
    one: (Target, Load),
    other: (Target, Load),
}

/// How each round went.
struct Fought(Vec<(Timing, Timing)>);

impl Duel {
    fn fight(&self, stand: &mut Stand, name: &str, rounds: u64) -> Result<Fought> {
        let mut fought = vec![];
        for round in 1..=rounds {
            let one = stand.ask(self.one.0, self.one.1)?;
            let other = stand.ask(self.other.0, self.other.1)?;
            report::progress(&format!(
                "{name}, round {round} of {rounds}: {} against {}",
                one.tell(),
                other.tell()
            ));
            fought.push((one, other));
        }
        Ok(Fought(fought))
    }
}

impl Fought {
    fn pair(&self, what: impl Fn(&Timing) -> f64) -> Pair {
        let (measured, against) = self.0.iter().map(|(one, other)| (what(one), what(other))).unzip();
        Pair { measured, against }
    }

    fn processor_pair(&self) -> Option<Pair> {
        let pairs = self.0.iter().map(|(one, other)| one.processor.zip(other.processor));
        let (measured, against) = pairs.collect::<Option<Vec<_>>>()?.into_iter().unzip();
        Some(Pair { measured, against })
    }
}

impl Timing {
    fn tell(&self) -> String {
        let processor = self.processor.map_or(String::new(), |millis| format!(", {millis:.2} ms processor"));
        format!("{:.0}/s, {:.2} ms{processor}", self.per_second, self.median)
    }
}

#[cfg(test)]
mod tests {
    use super::parse_seconds;

    #[test]
    fn a_length_is_in_seconds_or_minutes() {
        assert_eq!(parse_seconds("15m"), Ok(900));
        assert_eq!((parse_seconds("20s"), parse_seconds("20")), (Ok(20), Ok(20)));
        for text in ["", "m", "0", "1h", "-1", "99999999999999999999m", "2000m"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
