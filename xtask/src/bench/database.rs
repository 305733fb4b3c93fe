//! `cargo xtask bench db`: charges against `pgbench -N` and against themselves, in alternating rounds on one durable cluster.

use anstream::println;
use anyhow::{Result, ensure};
use clap::Args;

use super::books::{self, Books, Load};
use super::machine;
use super::pairs::alternate;
use crate::repository::Repository;
use crate::services::postgres::{Cluster, Keeping};
use crate::setup::{self, Need};
use crate::test::database::prepare_migrated;
use crate::{process, report};

const SMALL: u64 = 1_000;
const PAGE_DEEP: u64 = 1_000;

/// One charge against pgbench -N, small books against large, one merchant against a thousand, first page against the 1000th
#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask bench db\n  cargo xtask bench db --size 20000 --rounds 3")]
pub(crate) struct Options {
    /// Cards, past payments and live codes of the large books
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(4_000..=9_000_000))]
    size: u64,
    /// Rounds of each kind; medians are told
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
}

pub(super) fn run(repository: &Repository, options: &Options) -> Result<()> {
    setup::ensure(repository, &[Need::Postgres])?;
    let installation = setup::postgres::require()?;
    ensure!(
        process::succeeds(std::process::Command::new(installation.program("pgbench")).arg("--version")),
        "no pgbench beside PostgreSQL in {}: install PostgreSQL's contrib programs",
        installation.bin().display()
    );
    report::progress("starting a private PostgreSQL with durable commits and applying the migrations");
    let cluster = Cluster::start_keeping(Keeping::EveryCommit, &installation, repository, "bench-postgres")?;
    prepare_migrated(&cluster, repository)?;
    books::load_pgbench(&cluster)?;
    let mut small = Books::load(&cluster, repository, SMALL)?;
    let mut large = Books::load(&cluster, repository, options.size)?;
    cluster.execute("postgres", "checkpoint")?;

    let mut table = vec![];
    against_pgbench(&cluster, &mut large, options.rounds, &mut table)?;
    against_size(&mut small, &mut large, options.rounds, &mut table)?;
    against_one_merchant(&mut large, options.rounds, &mut table)?;
    pages(&small, &large, options.rounds, &mut table)?;
    small.check()?;
    large.check()?;

    println!(
        "\n{}. `cargo xtask bench db --size {} --rounds {}`.\n",
        machine::describe(&cluster)?,
        options.size,
        options.rounds
    );
    println!("| What | Measured | Against | Ratio (range of the rounds) | Goal |\n|---|---|---|---|---|");
    for line in table {
        println!("{line}");
    }
    Ok(())
}

fn against_pgbench(cluster: &Cluster, books: &mut Books, rounds: u64, table: &mut Vec<String>) -> Result<()> {
    for (clients, transactions) in [(1, 2_000), (8, 4_000)] {
        let name = format!("Charges, {clients} client{}", if clients == 1 { "" } else { "s" });
        let load = Load { clients, transactions };
        // Twice as many, being about twice as quick: rounds of like length see like neighbours.
        let updates = Load { clients, transactions: 2 * transactions };
        let pair = alternate(
            &name,
            rounds,
            || books.charge(load, 1_000),
            || books::simple_updates(cluster, updates),
        )?;
        table.push(pair.line(&name, "/s", "`pgbench -N`", "≥ 50 %"));
    }
    Ok(())
}

fn against_size(small: &mut Books, large: &mut Books, rounds: u64, table: &mut Vec<String>) -> Result<()> {
    let load = Load { clients: 1, transactions: SMALL };
    let name = format!("Charge, {} cards, payments and codes", large.size());
    let against = format!("{SMALL} of each");
    let pair =
        alternate(&name, rounds, || large.charge(load, 1_000), || small.charge(load, 1_000))?.as_times();
    table.push(pair.line(&name, " ms", &against, "≤ 120 %"));
    Ok(())
}

fn against_one_merchant(books: &mut Books, rounds: u64, table: &mut Vec<String>) -> Result<()> {
    let load = Load { clients: 8, transactions: 4_000 };
    let name = "Charges of one merchant, 8 clients";
    // Both of one database: what the one round leaves, the other finds.
    let books = std::cell::RefCell::new(books);
    let pair = alternate(
        name,
        rounds,
        || books.borrow_mut().charge(load, 1),
        || books.borrow_mut().charge(load, 1_000),
    )?;
    table.push(pair.line(name, "/s", "of 1000 merchants", "≥ 90 %"));
    Ok(())
}

fn pages(small: &Books, large: &Books, rounds: u64, table: &mut Vec<String>) -> Result<()> {
    let load = Load { clients: 1, transactions: 400 };
    let (page, start) = large.page_start(PAGE_DEEP)?;
    let name = format!("Page {page} of a merchant's transactions");
    let pair =
        alternate(&name, rounds, || large.read_page(Some(&start), load), || large.read_page(None, load))?
            .as_times();
    table.push(pair.line(&name, " ms", "page 1", "≤ 150 %"));
    let name = format!("Page 1, {} payments", large.size());
    let pair =
        alternate(&name, rounds, || large.read_page(None, load), || small.read_page(None, load))?.as_times();
    table.push(pair.line(&name, " ms", &format!("{SMALL} payments"), "≤ 150 %"));
    Ok(())
}
