//! Two things measured in alternating rounds, and what their ratio is.

use anyhow::Result;

use crate::report;

/// What alternating rounds of two kinds told.
pub(super) struct Pair {
    pub(super) measured: Vec<f64>,
    pub(super) against: Vec<f64>,
}

pub(super) fn alternate(
    name: &str,
    rounds: u64,
    mut measured: impl FnMut() -> Result<f64>,
    mut against: impl FnMut() -> Result<f64>,
) -> Result<Pair> {
    let mut pair = Pair { measured: vec![], against: vec![] };
    for round in 1..=rounds {
        let (one, other) = (measured()?, against()?);
        report::progress(&format!("{name}, round {round} of {rounds}: {one:.0}/s against {other:.0}/s"));
        pair.measured.push(one);
        pair.against.push(other);
    }
    Ok(pair)
}

impl Pair {
    /// Milliseconds each instead of how many a second.
    pub(super) fn as_times(&self) -> Self {
        let times = |rates: &[f64]| rates.iter().map(|rate| 1_000.0 / rate).collect();
        Self { measured: times(&self.measured), against: times(&self.against) }
    }

    /// The median of the rounds' own ratios: a noisy minute touches both halves of a round.
    pub(super) fn line(&self, name: &str, unit: &str, against: &str, goal: &str) -> String {
        let ratios: Vec<f64> =
            self.measured.iter().zip(&self.against).map(|(one, other)| 100.0 * one / other).collect();
        let (least, most) = range(&ratios);
        let number = |values: &[f64]| {
            let value = median(values);
            if value < 100.0 { format!("{value:.2}{unit}") } else { format!("{value:.0}{unit}") }
        };
        format!(
            "| {name} | {} | {against}: {} | **{:.0} %** ({least:.0}–{most:.0} %) | {goal} |",
            number(&self.measured),
            number(&self.against),
            median(&ratios)
        )
    }
}

impl Pair {
    /// The median of the rounds' own differences, for times in milliseconds.
    pub(super) fn difference_line(&self, name: &str, against: &str, goal: &str) -> String {
        let differences: Vec<f64> =
            self.measured.iter().zip(&self.against).map(|(one, other)| one - other).collect();
        let (least, most) = range(&differences);
        format!(
            "| {name} | {:.2} ms | {against}: {:.2} ms | **{:+.2} ms** ({least:+.2} to {most:+.2}) | {goal} |",
            median(&self.measured),
            median(&self.against),
            median(&differences)
        )
    }
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(*value), most.max(*value)))
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

#[cfg(test)]
mod tests {
    use super::{Pair, median};

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert!((median(&[9.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_line_tells_the_median_of_the_ratios_and_their_range() {
        let pair = Pair { measured: vec![50.0, 30.0, 40.0], against: vec![100.0, 100.0, 50.0] };
        assert_eq!(
            pair.line("A", "/s", "B", "≥ 50 %"),
            "| A | 40.00/s | B: 100/s | **50 %** (30–80 %) | ≥ 50 % |"
        );
        assert_eq!(
            pair.difference_line("A", "B", "≤ 3 ms"),
            "| A | 40.00 ms | B: 100.00 ms | **-50.00 ms** (-70.00 to -10.00) | ≤ 3 ms |"
        );
        assert_eq!(pair.as_times().measured[0].to_string(), "20");
    }
}
