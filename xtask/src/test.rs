//! `cargo xtask test`: every stage, going on after a failed one; what each cost, and one line at the end.

mod alerts;
mod backups;
mod checks;
mod costs;
pub(crate) mod database;
pub(crate) mod deploy;
mod images;
mod lane;
mod load;
mod manifests;
pub(crate) mod runner;
mod schemathesis;
mod secrets;
mod tally;
mod web;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anstream::println;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::build;
use crate::cache::compiled;
use crate::process;
use crate::report;
use crate::repository::Repository;
use crate::setup::{self, Need};
use costs::{Cost, Costs};
use database::TestCluster;
use lane::Lane;
use runner::Selection;
use tally::Tally;

/// Run every test, setting up what they need
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --only db\n  cargo xtask test --only fmt --only clippy\n  cargo xtask test --only e2e --filter charge\n  cargo xtask test --long"
)]
pub(crate) struct Options {
    /// Run these stages only
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    only: Vec<Stage>,
    /// Of the Rust tests of a stage, run those with this in their name
    #[arg(long, value_name = "TEXT", requires = "only")]
    filter: Option<String>,
    /// In full length, as every night: a longer storm, more inputs for each parser, requests of every shape as three people, a Worker
    /// that panics
    #[arg(long)]
    long: bool,
    /// Show the stages and what each one checks
    #[arg(long)]
    list: bool,
    /// Where to write what each stage cost, for the run that this one is a part of
    #[arg(long, hide = true, value_name = "FILE")]
    costs: Option<PathBuf>,
}

/// A stage; they run in this order, the quick ones first, but for those that run beside others.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Rust is formatted
    Fmt,
    /// Who may know whom, and the rules of style that no compiler holds
    Tidy,
    /// The copies of spec/*.toml are up to date
    Codegen,
    /// Rust has no warning, native and wasm32
    Clippy,
    /// Core, client, wasm, scanner, edge and xtask by themselves, with the examples of their documentation
    Unit,
    /// pgTAP, then races and vectors, on a private PostgreSQL
    Db,
    /// supabase/schema.sql is what the migrations make
    Schema,
    /// Kubernetes, workflows, container files, nginx, units and shell scripts are what those who read them take, and as safe as they can be
    Manifests,
    /// Every alert fires, stays silent and has its page, by Prometheus' own tools; and a real Alertmanager tells of it by mail and chat
    Alerts,
    /// ESLint and the TypeScript compiler
    Lint,
    /// Every export of the npm package is documented
    Docs,
    /// The npm package in Node.js
    Pkg,
    /// The npm package from its tarball: in Node.js, Deno, Bun, workerd, Vite and plain pages
    Packaging,
    /// wrangler takes the edge as it would deploy it, by itself and as `mps` renders it, and it is small enough
    Deploy,
    /// The edge and the database over HTTP
    E2e,
    /// An installation by the operator's own commands: migrated, behind nginx, exchanged under load build by build and secret by secret
    Operations,
    /// A PostgreSQL with archive and backups by pgBackRest, restored to a moment and after its loss, and its books right each time
    Backups,
    /// Charges by sixteen at a time and a short soak, through the edge and past it, and every one in the books once
    Load,
    /// Requests of every shape to the edge: no failure, no answer that openapi.json does not have
    Schemathesis,
    /// The web site in Chromium
    Browser,
    /// The container images, in a long run only: what is in them, run by podman, under compose and of the Deployments
    Images,
}

/// Of a long run: calls of the storm, cases of each rule that Rust and SQL share, inputs for each parser.
const LENGTHS: &[(&str, u64)] =
    &[("MPS_STORM_OPERATIONS", 100_000), ("MPS_DIFF_CASES", 20_000), ("MPS_FUZZ_RUNS", 100_000)];

/// What stages share: the checkout, and the database once one of them has started it.
struct TestContext<'a> {
    repository: &'a Repository,
    cluster: Option<TestCluster>,
    filter: Option<&'a str>,
    is_long: bool,
}

impl TestContext<'_> {
    /// The private cluster, started at the first call.
    fn cluster(&mut self) -> Result<&TestCluster> {
        if self.cluster.is_none() {
            self.cluster = Some(TestCluster::start(self.repository)?);
        }
        self.cluster.as_ref().ok_or_else(|| anyhow::anyhow!("no cluster"))
    }

    /// How much the tests try that may try any number: in a short run as much as they do by themselves.
    fn lengths(&self) -> Vec<(&'static str, String)> {
        if self.is_long {
            LENGTHS.iter().map(|(variable, number)| (*variable, number.to_string())).collect()
        } else {
            Vec::new()
        }
    }
}

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    if options.list {
        for stage in Stage::value_variants() {
            println!("{:<10} {}", stage.name(), stage.purpose());
        }
        return Ok(());
    }
    let chosen: Vec<Stage> =
        Stage::value_variants().iter().copied().filter(|stage| stage.is_chosen(options)).collect();
    let mut costs = Costs::default();
    let start = Instant::now();
    set_up(repository, &chosen)?;
    if options.costs.is_none() {
        let seconds = start.elapsed().as_secs();
        costs.add(Cost { stage: "setup".to_owned(), tally: Tally::default(), seconds });
    }
    let mut context =
        TestContext { repository, cluster: None, filter: options.filter.as_deref(), is_long: options.long };
    if options.only.is_empty() {
        run_in_two_lanes(&mut context, &chosen, &mut costs)?;
    } else {
        chosen.iter().try_for_each(|stage| stage.run_and_tell(&mut context, &mut costs))?;
    }
    drop(context);
    report::step("compiled dependencies, for the next checkout", || compiled::keep(repository))?;
    if let Some(file) = &options.costs {
        costs.write(file)?;
    }
    let total = costs.total();
    println!("\n{costs}\n{total}");
    if total.failed > 0 {
        bail!("some tests failed; the logs of the services are in {}", repository.logs()?.display());
    }
    Ok(())
}

/// The stages of the npm package and the Worker's build beside those of Rust and SQL: each has long stretches of one processor. Then, when
/// all is built, the pages beside what asks the edge over HTTP: each mostly waits.
fn run_in_two_lanes(context: &mut TestContext, chosen: &[Stage], costs: &mut Costs) -> Result<()> {
    let of = |when: When| chosen.iter().filter(move |stage| stage.when() == when);
    for (here, beside) in [(When::First, When::BesideFirst), (When::Last, When::BesideLast)] {
        let lane = Lane::start(context, &of(beside).map(|stage| stage.name()).collect::<Vec<_>>())?;
        of(here).try_for_each(|stage| stage.run_and_tell(context, costs))?;
        lane.finish(costs)?;
    }
    Ok(())
}

/// A stage that could not run, or ran nothing, counts as one failure.
fn settle(result: Result<Tally>) -> Tally {
    match result {
        Ok(tally) if tally == Tally::default() => {
            report::error(&anyhow::anyhow!("this stage ran no test"));
            Tally { passed: 0, failed: 1 }
        }
        Ok(tally) => tally,
        Err(error) => {
            report::error(&error);
            Tally { passed: 0, failed: 1 }
        }
    }
}

fn set_up(repository: &Repository, chosen: &[Stage]) -> Result<()> {
    report::heading("setup");
    let needs: Vec<Need> = chosen.iter().flat_map(|stage| stage.needs()).copied().collect();
    setup::ensure(repository, &needs)?;
    report::step("compiled dependencies", || compiled::restore(repository))
}

/// When a stage of the whole run has its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Rust and SQL by themselves.
    First,
    /// The npm package and the Worker's build, at the same time.
    BesideFirst,
    /// What needs all of them.
    Last,
    /// The same, at the same time.
    BesideLast,
}

impl Stage {
    fn name(self) -> String {
        self.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
    }

    /// What has to install much is not for every run.
    fn is_chosen(self, options: &Options) -> bool {
        if options.only.is_empty() {
            options.long || self != Self::Images
        } else {
            options.only.contains(&self)
        }
    }

    fn purpose(self) -> String {
        self.to_possible_value()
            .and_then(|value| value.get_help().map(ToString::to_string))
            .unwrap_or_default()
    }

    fn when(self) -> When {
        match self {
            Self::Fmt
            | Self::Tidy
            | Self::Codegen
            | Self::Clippy
            | Self::Unit
            | Self::Db
            | Self::Schema
            | Self::Manifests
            | Self::Alerts => When::First,
            Self::Lint | Self::Docs | Self::Pkg | Self::Packaging | Self::Deploy => When::BesideFirst,
            Self::E2e | Self::Operations | Self::Backups | Self::Load | Self::Schemathesis | Self::Images => {
                When::Last
            }
            Self::Browser => When::BesideLast,
        }
    }

    fn run_and_tell(self, context: &mut TestContext, costs: &mut Costs) -> Result<()> {
        report::heading(&self.name());
        let start = Instant::now();
        let tally = settle(self.run(context));
        if process::is_interrupted() {
            bail!("interrupted");
        }
        report::verdict(tally.failed == 0, &format!("{}: {tally}", self.name()), start.elapsed());
        costs.add(Cost { stage: self.name(), tally, seconds: start.elapsed().as_secs() });
        Ok(())
    }

    fn needs(self) -> &'static [Need] {
        use Need::{
            Buildah, Chromium, Linters, Nginx, Npm, Pgbackrest, Podman, Postgres, Postrust, Prometheus, Sbom,
            Schemathesis, WasmTarget, WasmTools,
        };
        match self {
            Self::Fmt | Self::Tidy | Self::Codegen | Self::Unit => &[],
            Self::Clippy => &[WasmTarget],
            Self::Db | Self::Schema => &[Postgres],
            Self::Backups => &[Postgres, Pgbackrest],
            Self::Manifests => &[Linters],
            Self::Alerts => &[Prometheus],
            Self::Docs => &[Npm],
            Self::Lint | Self::Pkg => Need::BUILD,
            Self::Deploy => &[WasmTarget, WasmTools, Npm],
            Self::E2e | Self::Operations => &[WasmTarget, WasmTools, Npm, Postgres, Nginx, Postrust],
            Self::Images => &[WasmTarget, WasmTools, Npm, Postgres, Nginx, Postrust, Buildah, Podman, Sbom],
            Self::Load => &[WasmTarget, WasmTools, Npm, Postgres, Postrust],
            Self::Schemathesis => &[WasmTarget, WasmTools, Npm, Postgres, Schemathesis],
            Self::Packaging | Self::Browser => &[WasmTarget, WasmTools, Npm, Chromium],
        }
    }

    fn run(self, context: &mut TestContext) -> Result<Tally> {
        match self {
            Self::Fmt => checks::fmt(context),
            Self::Tidy => checks::tidy(context),
            Self::Codegen => checks::codegen(context),
            Self::Clippy => checks::clippy(context),
            Self::Unit => unit(context),
            Self::Db => database::stage(context),
            Self::Schema => checks::schema(context),
            Self::Manifests => manifests::stage(context),
            Self::Alerts => alerts::stage(context),
            Self::Lint => checks::lint(context),
            Self::Docs => checks::docs(context),
            Self::Pkg => package(context),
            Self::Packaging => web::packaging(context),
            Self::Deploy => deploy::stage(context),
            Self::E2e => web::e2e(context),
            Self::Operations => web::operations(context),
            Self::Backups => backups::stage(context),
            Self::Load => load::stage(context),
            Self::Schemathesis => schemathesis::stage(context),
            Self::Browser => web::browser(context),
            Self::Images => images::stage(context),
        }
    }
}

fn unit(context: &TestContext) -> Result<Tally> {
    let packages = &[
        "mps-core",
        "mps-client",
        "mps-cli",
        "mps-wasm",
        "mps-drawing",
        "mps-scanner",
        "mps-edge",
        "mps-fuzz",
        "xtask",
    ];
    let selection = Selection { packages, filter: context.filter, ..Selection::default() };
    let mut total = runner::rust_tests(context.repository, selection, &context.lengths())?;
    total += runner::rust_examples(context.repository)?;
    Ok(total)
}

fn package(context: &TestContext) -> Result<Tally> {
    build::package(context.repository)?;
    runner::node_tests(context.repository, Path::new("pkg"), &[])
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use clap::ValueEnum;

    use super::{Stage, Tally, settle};

    const WORKFLOW: &str = include_str!("../../.github/workflows/test.yml");

    #[test]
    fn the_workflow_runs_every_stage_in_exactly_one_of_its_groups() {
        let groups = WORKFLOW.lines().filter_map(|line| line.trim().strip_prefix("stages: "));
        let mut grouped: Vec<String> =
            groups.flat_map(|stages| stages.split(',')).map(str::to_owned).collect();
        // That one the nightly run has.
        let stages = Stage::value_variants().iter().filter(|stage| **stage != Stage::Images);
        let mut stages: Vec<String> = stages.map(|stage| stage.name()).collect();
        grouped.sort_unstable();
        stages.sort_unstable();
        assert_eq!(grouped, stages);
        assert!(WORKFLOW.contains("run: cargo xtask test --only \"$STAGES\""), "and nothing else");
    }

    #[test]
    fn a_stage_that_ran_nothing_is_a_failure() {
        assert_eq!(settle(Ok(Tally::default())), Tally { passed: 0, failed: 1 });
    }

    #[test]
    fn a_stage_that_could_not_start_is_a_failure() {
        assert_eq!(settle(Err(anyhow!("no database"))), Tally { passed: 0, failed: 1 });
    }
}
