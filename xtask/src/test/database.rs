//! The stage `db`: pgTAP files, then the races and vectors of tests/db, on a private cluster.

use std::path::{Path, PathBuf};

use anstream::println;
use anyhow::Result;

use super::runner::Selection;
use super::tally::{self, Tally};
use super::{TestContext, runner};
use crate::files;
use crate::report;
use crate::repository::Repository;
use crate::services::postgres::{Cluster, migrations};
use crate::setup;

/// The schema alone: what a new deployment has.
pub(crate) const MIGRATED: &str = "mps_migrated";
/// The schema with the tests' fixtures; tests/db copies it for each test.
const TEMPLATE: &str = "mps_template";
/// The template with pgTAP, copied for each file.
const PGTAP: &str = "mps_pgtap";

/// Where Supabase keeps extensions, so that tests about what `public` holds see only ours. A test that plays a client
/// calls pgTAP as that client.
const INSTALL_PGTAP: &str = "create extension pgtap with schema extensions; grant usage on schema extensions to anon, authenticated, service_role";
const SEARCH_PATH: &str = "-c search_path=public,extensions";

/// The private cluster with its prepared databases.
pub(crate) struct TestCluster {
    cluster: Cluster,
}

impl TestCluster {
    /// Starts the cluster and applies bootstrap, migrations and fixtures.
    pub(crate) fn start(repository: &Repository) -> Result<Self> {
        report::progress("starting a private PostgreSQL and applying the migrations");
        let cluster = Cluster::start(&setup::postgres::require()?, repository, "test-postgres")?;
        prepare_migrated(&cluster, repository)?;
        cluster.copy(MIGRATED, TEMPLATE)?;
        cluster.execute_file(TEMPLATE, &repository.join("supabase/tests/fixtures.sql"))?;
        Ok(Self { cluster })
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

/// A database with what Supabase brings (bootstrap.sql) and every migration.
pub(crate) fn prepare_migrated(cluster: &Cluster, repository: &Repository) -> Result<()> {
    cluster.create(MIGRATED)?;
    cluster.execute_file(MIGRATED, &repository.join("supabase/tests/bootstrap.sql"))?;
    for migration in migrations(repository)? {
        cluster.execute_file(MIGRATED, &migration)?;
    }
    Ok(())
}

pub(super) fn stage(context: &mut TestContext) -> Result<Tally> {
    let (repository, filter, mut environment) = (context.repository, context.filter, context.lengths());
    let cluster = context.cluster()?.cluster();
    let mut total = pgtap(cluster, repository)?;
    report::progress("tests/db");
    environment.push(("MPS_TEST_PG_URL", cluster.url("postgres")));
    let selection = Selection { packages: &["mps-db-tests"], filter, ..Selection::default() };
    total += runner::rust_tests(repository, selection, &environment)?;
    Ok(total)
}

/// Every `supabase/tests/*.test.sql`, each in a fresh copy of the template.
fn pgtap(cluster: &Cluster, repository: &Repository) -> Result<Tally> {
    cluster.copy(TEMPLATE, PGTAP)?;
    cluster.execute(PGTAP, INSTALL_PGTAP)?;
    let mut total = Tally::default();
    for file in test_files(repository)? {
        let tally = pgtap_file(cluster, &file)?;
        println!("{} {}: {tally}", if tally.failed == 0 { "ok" } else { "FAILED" }, name(&file));
        total += tally;
    }
    Ok(total)
}

fn pgtap_file(cluster: &Cluster, file: &Path) -> Result<Tally> {
    const COPY: &str = "mps_pgtap_file";
    cluster.copy(PGTAP, COPY)?;
    let mut psql = cluster.psql(COPY);
    psql.args(["-A", "-t", "-P", "pager=off"]).arg("-f").arg(file).env("PGOPTIONS", SEARCH_PATH);
    let finished = crate::process::run(&mut psql, false)?;
    let tally = tally::tap(&finished.output).with_exit(finished.status.success());
    if tally.failed > 0 {
        println!("{}", finished.output.trim_end());
    }
    cluster.drop(COPY)?;
    Ok(tally)
}

fn test_files(repository: &Repository) -> Result<Vec<PathBuf>> {
    let mut found = files::walk(&repository.join("supabase/tests"))?;
    found.retain(|path| name(path).ends_with(".test.sql"));
    Ok(found)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
