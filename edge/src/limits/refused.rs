//! Who was refused, and until when: whoever asks again before that is answered without the limiter, for only time gives room again.
//! A flood then reaches the object that counts it in the last second of each wait only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Demand, Standing};

/// Who comes when it is full asks the limiter.
const KNOWN_MAX: usize = 1_000;

/// The refusals of an isolate.
#[derive(Default)]
pub(super) struct Refused(Mutex<HashMap<String, Refusal>>);

struct Refusal {
    at: Duration,
    until: Duration,
    standings: Vec<Standing>,
}

impl Refused {
    /// How the quotas stand when the same demands were refused a moment ago and must still be.
    pub(super) fn recall(&self, demands: &[Demand], now: Duration) -> Option<Vec<Standing>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal =
            known.get(&name(demands)).filter(|refusal| (refusal.at..refusal.until).contains(&now))?;
        let passed = now.saturating_sub(refusal.at).as_secs();
        let later = |standing: &Standing| Standing {
            reset_seconds: standing.reset_seconds.saturating_sub(passed).max(1),
            ..*standing
        };
        Some(refusal.standings.iter().map(later).collect())
    }

    /// Remembers what a limiter has refused.
    pub(super) fn keep(&self, demands: &[Demand], standings: &[Standing], now: Duration) {
        let refused = standings.iter().filter(|standing| standing.is_refused);
        // Told in whole seconds, rounded up: of the last one only the limiter knows how much is left.
        let Some(seconds) = refused.map(|standing| standing.reset_seconds.saturating_sub(1)).min() else {
            return;
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.retain(|_, refusal| (refusal.at..refusal.until).contains(&now));
        }
        if known.len() < KNOWN_MAX {
            let until = now + Duration::from_secs(seconds);
            known.insert(name(demands), Refusal { at: now, until, standings: standings.to_vec() });
        }
    }
}

/// Of whose quotas, and which.
fn name(demands: &[Demand]) -> String {
    let scopes = demands.iter().map(|demand| demand.scope.as_str());
    let identity = demands.first().map_or("", |demand| demand.identity.as_str());
    scopes.chain([identity]).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::window::Windows;
    use crate::limits::{Quota, Scope};

    fn demands(identity: &str) -> [Demand; 2] {
        let demand = |scope, requests, window_seconds| Demand {
            scope,
            identity: identity.to_owned(),
            quota: Quota { requests, window_seconds },
        };
        [demand(Scope::User, 100, 60), demand(Scope::Payment, 2, 10)]
    }

    fn moment(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_refusal_is_repeated_as_long_as_the_limiter_would_and_no_longer() {
        let (mut windows, demands) = (Windows::default(), demands("a"));
        let refused = Refused::default();
        let start = 1_000_400;
        windows.take(&demands, start);
        windows.take(&demands, start);
        let first = windows.take(&demands, start);
        refused.keep(&demands, &first, moment(start));
        let mut repeated = 0;
        for at in (start..start + 15_000).step_by(100) {
            let Some(recalled) = refused.recall(&demands, moment(at)) else { continue };
            repeated += 1;
            let told = windows.take(&demands, at);
            assert!(told[1].is_refused && recalled[1].is_refused, "{at}");
            assert!(recalled[1].reset_seconds.abs_diff(told[1].reset_seconds) <= 1, "{at}");
        }
        assert_eq!((first[1].reset_seconds, repeated), (11, 100));
    }

    #[test]
    fn it_is_nobody_elses_and_no_other_demands() {
        let (mut windows, demands_of_a) = (Windows::default(), demands("a"));
        let refused = Refused::default();
        refused.keep(&demands_of_a, &windows.take(&demands_of_a, 0), moment(0));
        assert_eq!(refused.recall(&demands_of_a, moment(0)), None, "an admission is none");
        windows.take(&demands_of_a, 0);
        refused.keep(&demands_of_a, &windows.take(&demands_of_a, 0), moment(0));
        assert!(refused.recall(&demands_of_a, moment(0)).is_some());
        assert_eq!(refused.recall(&demands_of_a[..1], moment(0)), None);
        assert_eq!(refused.recall(&demands("b"), moment(0)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_asks_again() {
        let (mut windows, demands) = (Windows::default(), demands("a"));
        let refused = Refused::default();
        windows.take(&demands, 5_000);
        windows.take(&demands, 5_000);
        refused.keep(&demands, &windows.take(&demands, 5_000), moment(5_000));
        assert_eq!(refused.recall(&demands, moment(4_999)), None);
    }

    #[test]
    fn a_full_memory_makes_room_for_what_is_new_when_the_old_is_over() {
        let (mut windows, refused) = (Windows::default(), Refused::default());
        let mut refuse = |identity: &str, at: u64| {
            let demands = demands(identity);
            windows.take(&demands, at);
            windows.take(&demands, at);
            refused.keep(&demands, &windows.take(&demands, at), moment(at));
            refused.recall(&demands, moment(at)).is_some()
        };
        for number in 0..KNOWN_MAX {
            assert!(refuse(&number.to_string(), 0));
        }
        assert!(!refuse("x", 1));
        assert!(refuse("x", 20_000));
    }
}
