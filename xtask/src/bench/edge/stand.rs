//! What a measurement of the edge stands on: books in a durable PostgreSQL, postrust before it, the edge before that, and the program
//! that asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::books::Books;
use crate::process::{self, free_port};
use crate::report;
use crate::repository::Repository;
use crate::services::edge::{Edge, Settings};
use crate::services::keys::Keys;
use crate::services::postgres::Cluster;
use crate::services::postrust::Postrust;
use crate::test::runner;

/// Limits stay on, for they are part of a charge; nobody reaches these.
const LIMITS: &[(&str, &str)] = &[
    ("RATE_LIMIT_USER", "1000000/60"),
    ("RATE_LIMIT_PAYMENT", "1000000/10"),
    ("RATE_LIMIT_ADDRESS", "1000000/10"),
    ("OPS_TOKEN", OPS_TOKEN),
];

/// Of a private edge that lives for minutes.
pub(crate) const OPS_TOKEN: &str = "the-token-of-one-who-measures-0000000001";

const SHOPS: u64 = 1_000;

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The edge of this checkout.
    Edge,
    /// Another build of it.
    Other,
    /// postrust itself.
    Direct,
}

/// What of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// A way of mps-load; `charge` is a charge in the target's way.
    pub(crate) way: &'static str,
    pub(crate) clients: u64,
    pub(crate) count: u64,
    /// As quickly as the clients can when `None`.
    pub(crate) per_second: Option<f64>,
}

/// A charge, as quickly as so many clients can.
pub(crate) fn charges(clients: u64, count: u64) -> Load {
    Load { way: "charge", clients, count, per_second: None }
}

/// How a load went; times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) answered: u64,
    pub(crate) per_second: f64,
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) longest: f64,
    /// Of the target's process, for each answer; `None` where the machine does not tell.
    pub(crate) processor: Option<f64>,
}

pub(crate) struct Stand<'a> {
    // Dropped in this order: who asks before who is asked.
    edge: Edge,
    other: Option<Edge>,
    postrust: Postrust,
    books: Books<'a>,
    repository: &'a Repository,
    keys: Keys,
    program: PathBuf,
    folder: TempDir,
    charged: u64,
}

impl<'a> Stand<'a> {
    /// Starts all of it, `program` to ask; `other` is the folder of another build of the edge.
    pub(crate) fn start(
        repository: &'a Repository,
        cluster: &'a Cluster,
        books: Books<'a>,
        program: PathBuf,
        other: Option<&Path>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let mut keys = Keys::random()?;
        let mut token = Command::new(&program);
        // A PostgREST that has no Supabase around it knows our own back end by a token.
        keys.secret = process::capture(token.arg("service-token").env("MPS_JWT_SECRET", &keys.jwt_secret))?;
        let logs = repository.logs()?;
        report::progress("starting postrust and the edge");
        let url = cluster.url(books.database());
        let postrust = Postrust::start(&url, &keys.jwt_secret, logs.join("bench-postrust.log"))?;
        let rest_url = postrust.url();
        let mut variables = vec![("SUPABASE_REST_URL", rest_url.as_str()), ("SUPABASE_JWKS_URL", "off")];
        variables.extend(LIMITS);
        let settings = |port| Settings { port, supabase_url: &rest_url, keys: &keys, origins: "" };
        let mut edge =
            Edge::start_with(repository, &settings(free_port(0)?), &variables, logs.join("bench-edge.log"))?;
        edge.wait_until_ready()?;
        let mut other = match other {
            Some(build) => {
                let log = logs.join("bench-other-edge.log");
                Some(Edge::start_build(repository, build, &settings(free_port(0)?), &variables, log)?)
            }
            None => None,
        };
        if let Some(other) = &mut other {
            other.wait_until_ready()?;
        }
        Ok(Self { edge, other, postrust, books, repository, keys, program, folder, charged: 0 })
    }

    pub(crate) fn repository(&self) -> &Repository {
        self.repository
    }

    /// Asks; one answer that is not the expected one is an error.
    pub(crate) fn ask(&mut self, target: Target, load: Load) -> Result<Timing> {
        let is_charge = load.way == "charge";
        let first = if is_charge { self.books.take_codes(load.count)? } else { 0 };
        let way = match target {
            _ if !is_charge => load.way,
            Target::Direct => "direct",
            Target::Edge | Target::Other => "edge",
        };
        let plan = json!({
            "address": format!("127.0.0.1:{}", self.port(target)?), "way": way,
            "jwt_secret": self.keys.jwt_secret, "publishable_key": self.keys.publishable,
            "clients": load.clients, "first": first, "count": load.count, "shops": SHOPS,
            "per_second": load.per_second,
        });
        // In a file of ours: a command line is everybody's to read.
        let file = self.folder.path().join("plan.json");
        fs::write(&file, plan.to_string()).context("the plan cannot be written")?;
        let before = self.processor_millis(target);
        let told = process::must(Command::new(&self.program).arg(&file))?;
        let spent = self.processor_millis(target).zip(before).map(|(after, before)| after - before);
        let told: Value = serde_json::from_str(told.trim()).context("mps-load told no result")?;
        let number = |name: &str| told[name].as_f64().with_context(|| format!("mps-load told no {name}"));
        let answered = told["answered"].as_u64().context("mps-load told no number of answers")?;
        ensure!(answered == load.count, "{answered} of {} were answered", load.count);
        if is_charge {
            self.charged += answered;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of a run are small")]
        let processor = spent.map(|millis| millis / answered as f64);
        Ok(Timing {
            answered,
            per_second: number("per_second")?,
            median: number("median_ms")?,
            p99: number("p99_ms")?,
            longest: number("max_ms")?,
            processor,
        })
    }

    /// All services run, every charge is in the books once, and the books are right.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.edge.service().check_alive()?;
        self.postrust.service().check_alive()?;
        let booked = self.books.charges()?;
        ensure!(booked == self.charged, "{} charges were answered, {booked} are in the books", self.charged);
        self.books.check()
    }

    pub(crate) fn charged(&self) -> u64 {
        self.charged
    }

    /// The process of the edge.
    pub(crate) fn edge_id(&mut self) -> u32 {
        self.edge.service().id()
    }

    pub(crate) fn port(&self, target: Target) -> Result<u16> {
        match target {
            Target::Edge => Ok(self.edge.port()),
            Target::Direct => Ok(self.postrust.port()),
            Target::Other => Ok(self.other.as_ref().context("there is no other edge")?.port()),
        }
    }

    fn processor_millis(&mut self, target: Target) -> Option<f64> {
        let id = match target {
            Target::Edge => self.edge.service().id(),
            Target::Other => self.other.as_mut()?.service().id(),
            Target::Direct => self.postrust.service().id(),
        };
        processor_millis(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }
}

/// Builds the program that asks, quick enough not to be what is measured.
pub(crate) fn build(repository: &Repository) -> Result<PathBuf> {
    compile(repository, "load", &["--profile", "load", "-p", "mps-load"])
}

/// The same as the tests are compiled, for its answers alone.
pub(crate) fn build_for_tests(repository: &Repository) -> Result<PathBuf> {
    compile(repository, "debug", &["--workspace", "--bin", "mps-load"])
}

fn compile(repository: &Repository, folder: &str, options: &[&str]) -> Result<PathBuf> {
    report::step("the load generator", || {
        let mut cargo = runner::cargo(repository);
        // The path below must be where cargo writes, whatever the caller's settings.
        cargo.args(["build", "--quiet"]).args(options).arg("--target-dir");
        process::must(cargo.arg(repository.join("target")))?;
        Ok(report::Outcome::Done(String::new()))
    })?;
    Ok(repository.join("target").join(folder).join("mps-load"))
}

/// User and system time of a process with all its threads (proc(5): fields 14 and 15, in hundredths of a second).
fn processor_millis(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11).map(|field| field.parse::<f64>().ok());
    Some((fields.next()?? + fields.next()??) * 10.0)
}

#[cfg(test)]
mod tests {
    use super::processor_millis;

    #[test]
    fn the_processor_time_is_that_of_user_and_system_whatever_the_program_is_called() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 500 0 0 0 123 45 0 0 20 0 9 0 100 1000 50";
        assert_eq!(processor_millis(stat), Some(1680.0));
        assert_eq!(processor_millis(""), None);
    }
}
