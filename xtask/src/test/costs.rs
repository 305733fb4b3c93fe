//! What each stage cost, as a table at the end of a run.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::tally::Tally;

/// One stage: what it ran and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) stage: String,
    pub(super) tally: Tally,
    pub(super) seconds: u64,
}

/// All stages of a run, in the order in which they ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Costs(Vec<Cost>);

impl Costs {
    pub(super) fn add(&mut self, cost: Cost) {
        self.0.push(cost);
    }

    pub(super) fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.0.iter().for_each(|cost| total += cost.tally);
        total
    }

    /// A line a stage, for [`Self::add_from`].
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let line = |cost: &Cost| {
            format!("{} {} {} {}\n", cost.stage, cost.tally.passed, cost.tally.failed, cost.seconds)
        };
        fs::write(file, self.0.iter().map(line).collect::<String>())
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// Adds those of a run that was a part of this one.
    pub(super) fn add_from(&mut self, file: &Path) -> Result<()> {
        let text = fs::read_to_string(file).context("a part of the run did not come to its end")?;
        let read = |line: &str| -> Option<Cost> {
            let words: Vec<&str> = line.split(' ').collect();
            let [stage, passed, failed, seconds] = words[..] else { return None };
            let tally = Tally { passed: passed.parse().ok()?, failed: failed.parse().ok()? };
            Some(Cost { stage: stage.to_owned(), tally, seconds: seconds.parse().ok()? })
        };
        for line in text.lines() {
            self.add(read(line).with_context(|| format!("a part of the run wrote `{line}`"))?);
        }
        Ok(())
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{:<12}{:>8}{:>8}{:>10}", "stage", "passed", "failed", "seconds")?;
        for Cost { stage, tally, seconds } in &self.0 {
            writeln!(formatter, "{stage:<12}{:>8}{:>8}{seconds:>10}", tally.passed, tally.failed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, Costs, Tally};

    fn cost(stage: &str, passed: u64, failed: u64, seconds: u64) -> Cost {
        Cost { stage: stage.to_owned(), tally: Tally { passed, failed }, seconds }
    }

    #[test]
    fn what_a_part_of_the_run_wrote_is_added_to_the_whole() -> anyhow::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        Costs(vec![cost("lint", 7, 0, 40), cost("pkg", 99, 1, 12)]).write(file.path())?;
        let mut costs = Costs(vec![cost("unit", 10, 0, 3)]);
        costs.add_from(file.path())?;
        assert_eq!(costs.total(), Tally { passed: 116, failed: 1 });
        assert_eq!(costs.0[2], cost("pkg", 99, 1, 12));
        Ok(())
    }

    #[test]
    fn a_part_that_did_not_come_to_its_end_is_an_error() {
        assert!(Costs::default().add_from("/nowhere".as_ref()).is_err());
    }

    #[test]
    fn the_table_has_a_line_a_stage() {
        let text = Costs(vec![cost("unit", 10, 0, 3)]).to_string();
        assert_eq!(text, "stage         passed  failed   seconds\nunit              10       0         3\n");
    }
}
