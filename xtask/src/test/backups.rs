//! The stage `backups`: a PostgreSQL with deploy/postgres, and back from its backups by `mps`.

use anyhow::Result;

use super::tally::Tally;
use super::{TestContext, runner, web};
use crate::services::postgres;
use crate::setup;

/// Its one test, which the stage `operations` leaves to it.
pub(super) const TEST: &str = "a_database_comes_back_from_its_backups";

pub(super) fn stage(context: &TestContext) -> Result<Tally> {
    let repository = context.repository;
    let mut environment = vec![
        ("MPS_E2E_MPS", web::operators_program(repository)?),
        ("MPS_E2E_LOGS", web::logs_of_tests(repository, "backups")?.display().to_string()),
        ("MPS_OPS_POSTGRES", setup::postgres::require()?.bin().display().to_string()),
    ];
    if let Some((uid, gid)) = postgres::owner_of_clusters()? {
        environment.push(("MPS_OPS_OWNER", format!("{uid}:{gid}")));
    }
    // It shows how long a restore took and how much was lost.
    runner::rust_files(repository, &["backups"], &environment)
}
