//! The stage `load`: what `cargo xtask bench edge` does, in short and for the answers alone. Nothing here is asserted by time.

use anyhow::Result;

use super::TestContext;
use super::tally::Tally;
use crate::bench::edge;
use crate::build;
use crate::report;

/// Charges by sixteen at a time through the edge and past it, refusals, a soak of some seconds: every answer is the right one, and every
/// charge is in the books once.
pub(super) fn stage(context: &mut TestContext) -> Result<Tally> {
    let repository = context.repository;
    build::edge(repository)?;
    let cluster = context.cluster()?.cluster();
    let mut tally = Tally::default();
    for (name, result) in edge::try_out(repository, cluster)? {
        match result {
            Ok(()) => report::progress(&format!("ok {name}")),
            Err(ref error) => report::error(error),
        }
        tally += Tally::of(result.is_ok());
    }
    Ok(tally)
}
