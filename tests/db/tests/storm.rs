//! A storm of money calls; `cargo xtask test --long` and `cargo xtask storm` make longer ones.

use std::env;

use anyhow::{Context, Result, ensure};
use mps_db_tests::on_a_fresh_database;
use mps_db_tests::storm::Storm;

/// A number from the environment, or the one of the ordinary test run.
fn chosen(variable: &str, ordinary: u64) -> Result<u64> {
    match env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable} is no number: {text}")),
        Err(_) => Ok(ordinary),
    }
}

#[test]
fn every_answer_is_in_the_books_exactly_once() -> Result<()> {
    let storm = Storm {
        seed: chosen("MPS_STORM_SEED", 20_261_123)?,
        operations: usize::try_from(chosen("MPS_STORM_OPERATIONS", 5_000)?)?,
        one_hang_up_in: u32::try_from(chosen("MPS_STORM_ONE_HANG_UP_IN", 8)?)?,
    };
    on_a_fresh_database(async |db| {
        let report = storm.run(db).await.with_context(|| format!("{storm:?}"))?;
        println!("{storm:?}: {report:#?}");
        // A storm in which nothing happens shows nothing.
        for end in [
            "charge ok",
            "offline charge ok",
            "refund ok",
            "adjustment ok",
            "voucher ok",
            "cash ok",
            "order ok",
            "notice ok",
            "settlement ok",
            "paid ok",
        ] {
            ensure!(report.ended(end) > 0, "no {end} in {report:?}");
        }
        ensure!(
            report.hang_ups > 0 && report.found_committed > 0 && report.replays > 0,
            "too calm: {report:?}"
        );
        Ok(())
    })
}
