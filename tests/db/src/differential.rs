//! The same seeded random cases for the core and for SQL, which gets them in one batch.

use std::env;
use std::fmt::Debug;

use anyhow::{Context, Result, anyhow, ensure};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sha2::{Digest, Sha256};
use tokio_postgres::types::ToSql;

use crate::database::TestDatabase;

/// So many cases each rule is tried with, unless `cargo xtask diff-rules` says otherwise.
const CASES: usize = 2000;

/// Which cases; the same ones each time, so that a failure comes again.
const SEED: &str = "mps: the core and SQL must agree";

/// The seed and the number of cases that were asked for.
fn asked() -> Result<(String, usize)> {
    let seed = env::var("MPS_DIFF_SEED").unwrap_or_else(|_| SEED.to_owned());
    let cases = match env::var("MPS_DIFF_CASES") {
        Ok(text) => text.parse().with_context(|| format!("MPS_DIFF_CASES is no number: {text}"))?,
        Err(_) => CASES,
    };
    Ok((seed, cases))
}

/// A column of arguments, as text.
pub type Column = Vec<Option<String>>;

/// The cases of a strategy.
///
/// # Errors
/// When the strategy makes none.
pub fn cases<S: Strategy>(strategy: &S) -> Result<Vec<S::Value>> {
    let (seed, count) = asked()?;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &Sha256::digest(seed.as_bytes()));
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let draw = |_| {
        let tree = strategy.new_tree(&mut runner).map_err(|reason| anyhow!("no case: {reason}"))?;
        Ok(tree.current())
    };
    (0..count).map(draw).collect()
}

/// One argument of every case.
pub fn column<T>(cases: &[T], argument: impl Fn(&T) -> String) -> Column {
    cases.iter().map(|case| Some(argument(case))).collect()
}

impl TestDatabase {
    /// What an expression over the arguments `a`, `b`, … gives for each case, as text.
    ///
    /// # Errors
    /// When it fails for one.
    pub async fn batch(&self, expression: &str, columns: &[Column]) -> Result<Column> {
        let names: Vec<String> = ('a'..).take(columns.len()).map(String::from).collect();
        let arrays: Vec<String> = (1..=columns.len()).map(|number| format!("${number}::text[]")).collect();
        let statement = format!(
            "select ({expression})::text from unnest({}) with ordinality as argument ({}, place) order by place",
            arrays.join(", "),
            names.join(", ")
        );
        let parameters: Vec<&(dyn ToSql + Sync)> =
            columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
        let rows = self.owner.client().query(&statement, &parameters).await.context(statement)?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

/// Fails at the first case for which the two do not agree.
///
/// # Errors
/// When the number of cases that was asked for is none.
///
/// # Panics
/// At that case; it names the case and the seed.
pub fn assert_agreed<T: Debug>(cases: &[T], core: &Column, sql: &Column) -> Result<()> {
    let (seed, count) = asked()?;
    ensure!(count > 0, "no case shows nothing");
    assert_eq!((cases.len(), core.len(), sql.len()), (count, count, count));
    println!("{count} cases, seed {seed:?}");
    for ((case, core), sql) in cases.iter().zip(core).zip(sql) {
        assert_eq!(core, sql, "core against SQL for {case:?}, seed {seed:?}");
    }
    Ok(())
}
