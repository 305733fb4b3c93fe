//! Counting: what cargo-nextest, cargo test, pgTAP and node:test say they ran.

use std::fmt;
use std::ops::AddAssign;
use std::time::Instant;

use anstream::println;
use anyhow::{Context, Result};

use crate::report;

/// Tests that passed and tests that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// One check that either holds or does not.
    pub(super) fn of(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// A runner that failed without a failed test (it did not compile, it crashed) still counts one failure.
    pub(super) fn with_exit(mut self, succeeded: bool) -> Self {
        if !succeeded && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

/// Shows how a check came out, what it found and what it took.
pub(super) fn tell(what: &str, check: impl FnOnce() -> Result<Vec<String>>) -> Result<Tally> {
    let start = Instant::now();
    let found = check().with_context(|| what.to_owned())?;
    report::verdict(found.is_empty(), what, start.elapsed());
    for line in &found {
        println!("    {line}");
    }
    Ok(Tally::of(found.is_empty()))
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The line `Summary [ 0.1s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 2 skipped` of cargo-nextest.
/// Whatever ran and did not pass failed.
pub(super) fn nextest(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines().filter(|line| line.trim_start().starts_with("Summary")) {
        let Some((before, after)) = line.split_once(" run: ") else { continue };
        let words: Vec<&str> = before.split_whitespace().collect();
        // `12 tests`, or `3/12 tests` when the run was cut short.
        let ran = words.iter().rev().nth(1).and_then(|word| word.split('/').next_back()?.parse().ok());
        let passed = number_before(after, "passed");
        tally += Tally { passed, failed: ran.unwrap_or(passed).saturating_sub(passed) };
    }
    tally
}

/// Every line `test result: ok. 5 passed; 0 failed; …` of libtest.
pub(super) fn libtest(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines().filter(|line| line.starts_with("test result:")) {
        tally += Tally { passed: number_before(line, "passed"), failed: number_before(line, "failed") };
    }
    tally
}

/// A TAP stream of one level. Tests the plan promised and nobody ran are failures; so is a stream without a plan.
pub(super) fn tap(output: &str) -> Tally {
    let mut tally = Tally::default();
    let mut planned = None;
    for line in output.lines().map(str::trim) {
        let directive = line.split_once('#').map_or("", |(_, text)| text.trim_start());
        let is_todo = directive.len() >= 4
            && directive.is_char_boundary(4)
            && directive[..4].eq_ignore_ascii_case("todo");
        if let Some(count) = line.strip_prefix("1..") {
            planned = count.split_whitespace().next().and_then(|count| count.parse::<u64>().ok());
        } else if starts_with_word(line, "ok") || (starts_with_word(line, "not ok") && is_todo) {
            tally.passed += 1;
        } else if starts_with_word(line, "not ok") {
            tally.failed += 1;
        }
    }
    match planned {
        Some(planned) => {
            let missing = planned.abs_diff(tally.passed + tally.failed);
            tally.failed += missing;
        }
        None => tally.failed += 1,
    }
    tally
}

/// The closing comments `# pass 3`, `# fail 1`, `# cancelled 0` of node:test's TAP reporter.
pub(super) fn node(output: &str) -> Tally {
    let count = |name: &str| -> u64 {
        let line = output
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    };
    Tally { passed: count("pass"), failed: count("fail") + count("cancelled") }
}

fn starts_with_word(line: &str, word: &str) -> bool {
    line.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// 10 of `… 10 passed …`.
fn number_before(text: &str, word: &str) -> u64 {
    let words: Vec<&str> = text.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Tally, libtest, nextest, node, tap};

    fn tally(passed: u64, failed: u64) -> Tally {
        Tally { passed, failed }
    }

    #[test]
    fn nextest_failures_timeouts_and_crashes_all_count() {
        let line = "     Summary [   1.204s] 12 tests run: 9 passed (1 slow, 1 leaky), 1 failed, 1 timed out, 1 exec failed, 2 skipped";
        assert_eq!(nextest(line), tally(9, 3));
        assert_eq!(nextest("     Summary [   0.011s] 1 test run: 1 passed, 0 skipped"), tally(1, 0));
        assert_eq!(
            nextest("     Summary [   0.011s] 3/12 tests run: 2 passed, 1 failed, 0 skipped"),
            tally(2, 10)
        );
        assert_eq!(nextest("error: could not compile"), tally(0, 0));
    }

    #[test]
    fn libtest_results_of_every_binary_are_summed() {
        let output = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                      test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(libtest(output), tally(7, 3));
    }

    #[test]
    fn a_tap_stream_counts_its_lines() {
        assert_eq!(tap("1..3\nok 1 - a\nnot ok 2 - b\n# Failed test 2\nok 3 # SKIP no\n"), tally(2, 1));
    }

    #[test]
    fn a_todo_that_fails_is_no_failure() {
        assert_eq!(tap("1..1\nnot ok 1 - later # todo soon\n"), tally(1, 0));
    }

    #[test]
    fn a_tap_stream_that_stops_early_fails_the_rest() {
        assert_eq!(tap("1..5\nok 1\nok 2\n"), tally(2, 3));
    }

    #[test]
    fn a_tap_stream_without_a_plan_fails() {
        assert_eq!(tap("ok 1\n"), tally(1, 1));
        assert_eq!(tap(""), tally(0, 1));
    }

    #[test]
    fn node_counts_failed_and_cancelled_tests() {
        assert_eq!(
            node("ok 1 - x\n# tests 6\n# suites 0\n# pass 3\n# fail 1\n# cancelled 2\n# skipped 0\n"),
            tally(3, 3)
        );
    }

    #[test]
    fn a_runner_that_fails_without_a_failed_test_counts_one() {
        assert_eq!(tally(4, 0).with_exit(false), tally(4, 1));
        assert_eq!(tally(4, 2).with_exit(false), tally(4, 2));
        assert_eq!(tally(4, 0).with_exit(true), tally(4, 0));
    }
}
