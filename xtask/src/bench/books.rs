//! A database full of members, cards, past payments and live codes, and `pgbench` driven against it.

use anyhow::{Context, Result, ensure};

use crate::process;
use crate::report;
use crate::repository::Repository;
use crate::services::postgres::Cluster;
use crate::test::database::MIGRATED;

const LOAD: &str = "xtask/src/bench/load.sql";
const CHARGE: &str = "xtask/src/bench/charge.pgbench";
const PAGE: &str = "xtask/src/bench/page.pgbench";

/// `pgbench`'s own tables, 1 000 000 accounts.
const PGBENCH: &str = "bench_pgbench";
const PGBENCH_SCALE: &str = "10";

/// How many take part, and in how many transactions together.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) clients: u64,
    pub(super) transactions: u64,
}

/// One loaded database. Codes are numbered; each is charged once, in order.
pub(super) struct Books<'a> {
    cluster: &'a Cluster,
    repository: &'a Repository,
    database: String,
    size: u64,
    codes_used: u64,
    codes_issued: u64,
}

impl<'a> Books<'a> {
    /// As many cards, past payments and live codes as `size` says.
    pub(super) fn load(cluster: &'a Cluster, repository: &'a Repository, size: u64) -> Result<Self> {
        report::progress(&format!("loading {size} cards, past payments and live codes"));
        let database = format!("bench_{size}");
        cluster.copy(MIGRATED, &database)?;
        let mut load = cluster.psql(&database);
        load.args(["-o", "/dev/null", "--single-transaction", "-v", &format!("size={size}"), "-f"]);
        process::must(load.arg(repository.join(LOAD)))?;
        cluster.execute(&database, "vacuum analyze")?;
        Ok(Self { cluster, repository, database, size, codes_used: 0, codes_issued: size })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Charges at so many of the thousand merchants; the answer is charges a second.
    pub(super) fn charge(&mut self, load: Load, merchants: u64) -> Result<f64> {
        let base = self.take_codes(load.transactions)?;
        let mut command = self.cluster.tool("pgbench", &self.database);
        command.arg("-f").arg(self.repository.join(CHARGE));
        for (name, value) in [("base", base), ("i", 0), ("clients", load.clients), ("shops", merchants)] {
            command.args(["-D", &format!("{name}={value}")]);
        }
        rate(&mut command, load)
    }

    /// The number of the first of so many live codes, of a card each.
    pub(super) fn take_codes(&mut self, count: u64) -> Result<u64> {
        ensure!(count <= self.size, "a card has one live code: {count} are too many");
        self.top_up_codes()?;
        let base = self.codes_used;
        // Taken even when the round fails half-way: a code is never tried twice.
        self.codes_used += count;
        Ok(base)
    }

    /// How many charges this run has booked.
    pub(super) fn charges(&self) -> Result<u64> {
        Ok(self.ask("select count(*) from app.idempotency_keys where key like 'key-%'")?.parse()?)
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// A new code for each card whose code was charged, so that every round finds as many live ones.
    fn top_up_codes(&mut self) -> Result<()> {
        let end = self.codes_used + self.size;
        if end > self.codes_issued {
            let (first, last) = (self.codes_issued, end - 1);
            let statement = format!("select bench.issue_codes({first}, {last}, {})", self.size);
            self.cluster.execute(&self.database, &statement)?;
            self.codes_issued = end;
        }
        Ok(())
    }

    /// Reads the page of the busiest merchant that follows a transaction, or the first; pages a second.
    pub(super) fn read_page(&self, before: Option<&str>, load: Load) -> Result<f64> {
        let mut command = self.cluster.tool("pgbench", &self.database);
        command.arg("-f").arg(self.repository.join(PAGE));
        rate(command.args(["-D", &format!("before={}", before.unwrap_or("newest"))]), load)
    }

    /// The last transaction of the page before that one, and the number of that page: the deepest full one when there are fewer.
    pub(super) fn page_start(&self, page: u64) -> Result<(u64, String)> {
        let merchant = "merchant_id = bench.id(3, 1000)";
        let full: u64 =
            self.ask(&format!("select count(*) / 50 from app.transactions where {merchant}"))?.parse()?;
        let page = page.min(full);
        let skipped = (page.max(2) - 1) * 50 - 1;
        let of = format!("from app.transactions where {merchant} order by id desc");
        Ok((page, self.ask(&format!("select id {of} offset {skipped} limit 1"))?))
    }

    /// How many rules of the books are violated: none, or the run measured something else.
    pub(super) fn check(&self) -> Result<()> {
        report::progress(&format!("verifying the books of {} cards", self.size));
        let statement =
            "select set_config('request.jwt.claims', '{\"role\":\"service_role\"}', false) is null";
        let found = self.ask(&format!("{statement}; select count(*) from public.verify_ledger()"))?;
        ensure!(
            found.ends_with('0') && found.lines().last() == Some("0"),
            "verify_ledger found {found} violations"
        );
        Ok(())
    }

    fn ask(&self, statement: &str) -> Result<String> {
        process::capture(self.cluster.psql(&self.database).args(["-At", "-c", statement]))
    }
}

/// Makes the tables that `pgbench` brings itself.
pub(super) fn load_pgbench(cluster: &Cluster) -> Result<()> {
    report::progress("loading pgbench's own accounts");
    cluster.create(PGBENCH)?;
    process::must(cluster.tool("pgbench", PGBENCH).args(["-i", "-q", "-s", PGBENCH_SCALE])).map(drop)
}

/// `pgbench -N`: one update, one select, one insert a transaction; transactions a second.
pub(super) fn simple_updates(cluster: &Cluster, load: Load) -> Result<f64> {
    rate(cluster.tool("pgbench", PGBENCH).arg("-N"), load)
}

/// Runs `pgbench` with prepared statements, as PostgREST has them.
fn rate(command: &mut std::process::Command, load: Load) -> Result<f64> {
    let clients = load.clients.to_string();
    let each = (load.transactions / load.clients).to_string();
    command.args(["-n", "-M", "prepared", "-c", &clients, "-j", &clients, "-t", &each]);
    let told = process::must(command)?;
    told.lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("pgbench told no rate:\n{told}"))
}
