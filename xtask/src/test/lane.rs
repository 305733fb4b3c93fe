//! Stages that run beside others: in a process of their own, whose output is shown when it has ended.

use std::env;
use std::process::Command;
use std::thread::{self, JoinHandle};

use anstream::print;
use anyhow::{Context, Result, anyhow};
use tempfile::NamedTempFile;

use super::TestContext;
use super::costs::{Cost, Costs};
use super::tally::Tally;
use crate::process::{self, Finished};
use crate::report;

/// Stages under way.
pub(super) struct Lane {
    running: JoinHandle<Result<Finished>>,
    costs: NamedTempFile,
}

impl Lane {
    pub(super) fn start(context: &TestContext, stages: &[String]) -> Result<Self> {
        let costs = NamedTempFile::new().context("no temporary file")?;
        let mut command = Command::new(env::current_exe().context("this program is gone")?);
        command.current_dir(context.repository.root()).args(["test", "--only", &stages.join(",")]);
        if context.is_long {
            command.arg("--long");
        }
        command.arg("--costs").arg(costs.path());
        report::progress(&format!("beside what follows, shown when they have ended: {}", stages.join(", ")));
        Ok(Self { running: thread::spawn(move || process::run(&mut command, false)), costs })
    }

    /// Waits for their end, shows what they said, and adds what they cost.
    pub(super) fn finish(self, costs: &mut Costs) -> Result<()> {
        report::progress("waiting for the stages beside");
        let finished = self.running.join().map_err(|_| anyhow!("the stages beside panicked"))??;
        // Its own closing line is no closing line of this run.
        for line in finished.output.lines().filter(|line| !is_closing(line)) {
            print!("{line}\n");
        }
        let before = costs.total().failed;
        if let Err(error) = costs.add_from(self.costs.path()) {
            report::error(&error);
        }
        // However it failed, it did.
        if !finished.status.success() && costs.total().failed == before {
            let tally = Tally { passed: 0, failed: 1 };
            costs.add(Cost { stage: "beside".to_owned(), tally, seconds: 0 });
        }
        Ok(())
    }
}

/// `12 passed, 0 failed` alone.
fn is_closing(line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    matches!(words[..], [_, "passed,", _, "failed"])
}

#[cfg(test)]
mod tests {
    use super::is_closing;

    #[test]
    fn a_closing_line_is_the_two_numbers_alone() {
        assert!(is_closing("12 passed, 0 failed"));
        assert!(!is_closing("pkg: 12 passed, 0 failed"));
    }
}
