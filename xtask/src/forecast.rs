//! A line now and then that tells how long a start will still take.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::report;

const EVERY: Duration = Duration::from_secs(20);

/// A step by its name, and what it takes on two cores with nothing there yet, in seconds.
pub(crate) type Step = (&'static str, u64);

/// Steps one after another, beside other lanes.
type Lane = &'static [Step];

/// Lanes at the same time, one phase after another.
pub(crate) type Plan = &'static [&'static [Lane]];

/// How far a step is.
#[derive(Clone, Copy)]
enum Progress {
    Begun(Instant),
    /// How long it took; nothing when it was done before.
    Ended(Option<Duration>),
}

static STEPS: Mutex<BTreeMap<String, Progress>> = Mutex::new(BTreeMap::new());

fn steps() -> MutexGuard<'static, BTreeMap<String, Progress>> {
    STEPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A step begins.
pub(crate) fn begin(step: &str) {
    steps().insert(step.to_owned(), Progress::Begun(Instant::now()));
}

/// It has ended: how long it took, or nothing when it was done before.
pub(crate) fn end(step: &str, took: Option<Duration>) {
    steps().insert(step.to_owned(), Progress::Ended(took));
}

/// Tells the remaining time until it is dropped.
pub(crate) struct Forecast {
    thread: Option<JoinHandle<()>>,
    end: Option<Sender<()>>,
}

impl Forecast {
    pub(crate) fn of(plan: Plan) -> Self {
        let (end, ended) = channel();
        let tell = move || {
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                report::progress(&line(plan, &steps(), Instant::now()));
            }
        };
        Self { thread: Some(thread::spawn(tell)), end: Some(end) }
    }
}

impl Drop for Forecast {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn line(plan: Plan, steps: &BTreeMap<String, Progress>, now: Instant) -> String {
    let known = || plan.iter().copied().flatten().copied().flatten();
    let at_work: Vec<String> = known()
        .filter_map(|(name, _)| match steps.get(*name) {
            Some(Progress::Begun(since)) => {
                Some(format!("{name} since {}", report::seconds(now.saturating_duration_since(*since))))
            }
            _ => None,
        })
        .collect();
    // A machine that took twice as long so far will go on so.
    let (mut took, mut expected) = (Duration::ZERO, Duration::ZERO);
    for (name, seconds) in known() {
        if let Some(Progress::Ended(Some(time))) = steps.get(*name) {
            took += *time;
            expected += Duration::from_secs(*seconds);
        }
    }
    let pace = if expected.is_zero() { 1.0 } else { took.as_secs_f64() / expected.as_secs_f64() };
    let left = |(name, seconds): &Step| {
        let whole = Duration::from_secs(*seconds).mul_f64(pace);
        match steps.get(*name) {
            Some(Progress::Ended(_)) => Duration::ZERO,
            Some(Progress::Begun(since)) => whole.saturating_sub(now.saturating_duration_since(*since)),
            None => whole,
        }
    };
    let lane = |lane: &Lane| lane.iter().map(left).sum::<Duration>();
    let left: Duration = plan.iter().map(|lanes| lanes.iter().map(lane).max().unwrap_or_default()).sum();
    let what = if at_work.is_empty() { String::new() } else { format!(" ({})", at_work.join(", ")) };
    if left.is_zero() {
        format!("longer than expected{what}")
    } else {
        // A forecast to the second would be more than is known.
        const STEP_SECONDS: u64 = 10;
        let rounded = left.as_secs().div_ceil(STEP_SECONDS).max(1) * STEP_SECONDS;
        let (minutes, seconds) = (rounded / 60, rounded % 60);
        let minutes = if minutes == 0 { String::new() } else { format!("{minutes} min ") };
        format!("about {minutes}{seconds} s to go{what}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = &[&[&[("a", 60), ("b", 60)], &[("c", 30)]], &[&[("d", 10)]]];

    fn steps(of: &[(&str, Progress)]) -> BTreeMap<String, Progress> {
        of.iter().map(|(name, progress)| ((*name).to_owned(), *progress)).collect()
    }

    #[test]
    fn lanes_are_as_long_as_the_longest_and_phases_follow_each_other() {
        let now = Instant::now();
        assert_eq!(line(PLAN, &steps(&[]), now), "about 2 min 10 s to go");
        let under_way = steps(&[("a", Progress::Ended(None)), ("b", Progress::Begun(now))]);
        let later = now + Duration::from_secs(20);
        assert_eq!(line(PLAN, &under_way, later), "about 50 s to go (b since 20.0 s)");
    }

    #[test]
    fn a_machine_that_was_slow_so_far_will_be_slow_and_what_was_done_before_says_nothing_of_it() {
        let now = Instant::now();
        let slow =
            steps(&[("a", Progress::Ended(Some(Duration::from_mins(2)))), ("c", Progress::Ended(None))]);
        assert_eq!(line(PLAN, &slow, now), "about 2 min 20 s to go");
    }

    #[test]
    fn what_takes_longer_is_said_to() {
        let now = Instant::now();
        let last = steps(&[
            ("a", Progress::Ended(None)),
            ("b", Progress::Ended(None)),
            ("c", Progress::Ended(None)),
            ("d", Progress::Begun(now)),
        ]);
        let later = now + Duration::from_secs(15);
        assert_eq!(line(PLAN, &last, later), "longer than expected (d since 15.0 s)");
    }
}
