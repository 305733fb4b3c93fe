//! What the times of many requests come to.

use std::time::Duration;

use serde::Serialize;

/// The result of a run.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Timing {
    pub(crate) answered: usize,
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    pub(crate) per_second: f64,
    pub(crate) median_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Timing {
    pub(crate) fn of(mut times: Vec<Duration>, length: Duration) -> Self {
        times.sort_unstable();
        let millis = |at: usize| times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let last = times.len().saturating_sub(1);
        Self {
            answered: times.len(),
            seconds: length.as_secs_f64(),
            #[expect(clippy::cast_precision_loss, reason = "counts of a run are small")]
            per_second: times.len() as f64 / length.as_secs_f64(),
            median_ms: millis(last / 2),
            p99_ms: millis(last * 99 / 100),
            max_ms: millis(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_one_of_a_hundred_is_slower_than_p99() {
        let times = (1..=101).rev().map(Duration::from_millis).collect();
        let timing = Timing::of(times, Duration::from_secs(2));
        assert_eq!((timing.answered, timing.seconds, timing.per_second), (101, 2.0, 50.5));
        assert_eq!((timing.median_ms, timing.p99_ms, timing.max_ms), (51.0, 100.0, 101.0));
        assert_eq!(Timing::of(vec![], Duration::from_secs(1)).answered, 0);
    }
}
