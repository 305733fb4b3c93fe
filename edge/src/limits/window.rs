//! The arithmetic of limits: a window that slides by tenths. No clock, no I/O: time is an argument.
//!
//! Time is cut into slots of a tenth of the window. A request counts in its own slot and the ten after it, that is for
//! one window and up to a tenth more. So no interval of one window's length ever has more requests than the limit, a
//! burst after a pause gets exactly the limit, and a key costs at most eleven numbers.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Demand, Standing};

const SLOTS: u64 = 10;

/// Keys of one table. Whoever comes when it is full shares one count: spraying keys is no way around a limit.
const KEYS_MAX: usize = 20_000;
const OVERFLOW: &str = "overflow";

/// The requests of one key that still count: slot and how many, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Window(Vec<(u64, u32)>);

impl Window {
    fn forget(&mut self, slot: u64) {
        self.0.retain(|(counted, _)| counted + SLOTS >= slot);
    }

    fn taken(&self) -> u32 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    fn count(&mut self, slot: u64) {
        match self.0.last_mut() {
            // A clock that went back counts into the newest slot: it must not open the window early.
            Some((newest, count)) if *newest >= slot => *count += 1,
            _ => self.0.push((slot, 1)),
        }
    }

    /// When the oldest requests cease to count, from now; rounded up, so that asking again then is never too early.
    fn reset_seconds(&self, slot_millis: u64, now_millis: u64) -> u64 {
        let oldest = self.0.first().map_or(now_millis / slot_millis, |(slot, _)| *slot);
        let ends_at = (oldest + SLOTS + 1) * slot_millis;
        ends_at.saturating_sub(now_millis).div_ceil(1000).max(1)
    }
}

/// The windows of many keys.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Windows {
    windows: HashMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    slot_millis: u64,
    window: Window,
}

impl Windows {
    /// Counts one request against each demand, or against none when one of them has no room.
    pub(crate) fn take(&mut self, demands: &[Demand], now_millis: u64) -> Vec<Standing> {
        let keys: Vec<String> = demands.iter().map(|demand| self.key(demand, now_millis)).collect();
        for (demand, key) in demands.iter().zip(&keys) {
            let slot_millis = slot_millis(demand);
            let entry =
                self.windows.entry(key.clone()).or_insert(Entry { slot_millis, window: Window::default() });
            entry.window.forget(now_millis / slot_millis);
        }
        let taken = |windows: &HashMap<String, Entry>, key: &str| {
            windows.get(key).map_or(0, |entry| entry.window.taken())
        };
        let has_room = |demand: &Demand, key: &String| taken(&self.windows, key) < demand.quota.requests;
        let refused: Vec<bool> =
            demands.iter().zip(&keys).map(|(demand, key)| !has_room(demand, key)).collect();
        let is_refused = refused.contains(&true);
        let mut standings = Vec::with_capacity(demands.len());
        for ((demand, key), &has_none_left) in demands.iter().zip(&keys).zip(&refused) {
            let Some(entry) = self.windows.get_mut(key) else { continue };
            if !is_refused {
                entry.window.count(now_millis / entry.slot_millis);
            }
            standings.push(Standing {
                scope: demand.scope,
                quota: demand.quota,
                remaining: demand.quota.requests.saturating_sub(entry.window.taken()),
                reset_seconds: entry.window.reset_seconds(entry.slot_millis, now_millis),
                is_refused: has_none_left,
            });
        }
        standings
    }

    /// Drops what no longer counts; answers whether anything is left.
    pub(crate) fn prune(&mut self, now_millis: u64) -> bool {
        self.windows.retain(|_, entry| {
            entry.window.forget(now_millis / entry.slot_millis);
            !entry.window.0.is_empty()
        });
        !self.windows.is_empty()
    }

    /// A quota of another length counts anew: its slots are others.
    fn key(&mut self, demand: &Demand, now_millis: u64) -> String {
        let name =
            |identity: &str| format!("{}/{}/{identity}", demand.scope.as_str(), demand.quota.window_seconds);
        let key = name(&demand.identity);
        if self.windows.len() >= KEYS_MAX && !self.windows.contains_key(&key) {
            self.prune(now_millis);
            if self.windows.len() >= KEYS_MAX {
                return name(OVERFLOW);
            }
        }
        key
    }
}

fn slot_millis(demand: &Demand) -> u64 {
    u64::from(demand.quota.window_seconds) * 1000 / SLOTS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::{Quota, Scope};

    fn demand(identity: &str, requests: u32, window_seconds: u32) -> Demand {
        Demand {
            scope: Scope::User,
            identity: identity.to_owned(),
            quota: Quota { requests, window_seconds },
        }
    }

    fn passes(windows: &mut Windows, demand: &Demand, now_millis: u64) -> bool {
        windows.take(std::slice::from_ref(demand), now_millis).iter().all(|standing| !standing.is_refused)
    }

    #[test]
    fn a_burst_gets_exactly_the_limit() {
        let (mut windows, demand) = (Windows::default(), demand("a", 50, 10));
        let served = (0..500).filter(|at| passes(&mut windows, &demand, 5_000 + at)).count();
        assert_eq!(served, 50);
        assert!(passes(&mut windows, &demand, 16_000));
    }

    #[test]
    fn one_key_does_not_count_against_another() {
        let mut windows = Windows::default();
        assert!(passes(&mut windows, &demand("a", 1, 10), 0));
        assert!(!passes(&mut windows, &demand("a", 1, 10), 0));
        assert!(passes(&mut windows, &demand("b", 1, 10), 0));
    }

    #[test]
    fn a_refusal_of_one_quota_counts_against_none() {
        let mut windows = Windows::default();
        let both = [demand("a", 5, 60), Demand { scope: Scope::Payment, ..demand("a", 1, 10) }];
        assert_eq!(windows.take(&both, 0)[0].remaining, 4);
        let refused = windows.take(&both, 0);
        assert_eq!((refused[0].is_refused, refused[0].remaining), (false, 4));
        assert!(refused[1].is_refused);
        assert_eq!(windows.take(&both[..1], 0)[0].remaining, 3);
    }

    #[test]
    fn a_full_table_counts_the_rest_together_and_forgets_in_time() {
        let mut windows = Windows::default();
        for number in 0..KEYS_MAX {
            assert!(passes(&mut windows, &demand(&number.to_string(), 1, 10), 0));
        }
        assert!(passes(&mut windows, &demand("x", 1, 10), 0));
        assert!(!passes(&mut windows, &demand("y", 1, 10), 0));
        assert!(passes(&mut windows, &demand("y", 1, 10), 11_000));
        assert!(windows.windows.len() < 3);
    }

    #[test]
    fn what_was_kept_counts_on() -> Result<(), serde_json::Error> {
        let (mut windows, demand) = (Windows::default(), demand("a", 2, 60));
        assert!(passes(&mut windows, &demand, 0) && passes(&mut windows, &demand, 1));
        let mut kept: Windows = serde_json::from_str(&serde_json::to_string(&windows)?)?;
        assert!(!passes(&mut kept, &demand, 2));
        assert!(!kept.prune(100_000));
        Ok(())
    }

    proptest! {
        #[test]
        fn no_interval_of_a_window_has_more_than_the_limit_and_waiting_helps(
            requests in 1_u32..8,
            window_seconds in 1_u32..20,
            start in 0_u64..1_000_000,
            pauses in prop::collection::vec(0_u64..4_000, 1..200),
        ) {
            let (mut windows, demand) = (Windows::default(), demand("a", requests, window_seconds));
            let window_millis = u64::from(window_seconds) * 1000;
            let (mut now, mut served) = (start, Vec::<u64>::new());
            for pause in pauses {
                now += pause;
                let standing = windows.take(std::slice::from_ref(&demand), now)[0];
                let within = |length: u64| served.iter().filter(|at| **at + length >= now).count();
                if standing.is_refused {
                    // Refused only when the limit was used up within a window and a tenth.
                    prop_assert!(within(window_millis + window_millis / 10) >= requests as usize);
                    let mut later: Windows =
                        serde_json::from_str(&serde_json::to_string(&windows).unwrap()).unwrap();
                    prop_assert!(passes(&mut later, &demand, now + standing.reset_seconds * 1000));
                } else {
                    prop_assert!(within(window_millis) < requests as usize);
                    served.push(now);
                }
                // What is said to remain does remain.
                let mut copy: Windows =
                    serde_json::from_str(&serde_json::to_string(&windows).unwrap()).unwrap();
                let more = (0..100).take_while(|_| passes(&mut copy, &demand, now)).count();
                prop_assert_eq!(more, standing.remaining as usize);
                prop_assert!(standing.reset_seconds <= u64::from(window_seconds) * 11 / 10 + 1);
            }
        }

        #[test]
        fn a_clock_that_goes_back_never_gives_more(times in prop::collection::vec(0_u64..10_000, 1..100)) {
            let (mut windows, demand) = (Windows::default(), demand("a", 3, 10));
            let served = times.iter().filter(|at| passes(&mut windows, &demand, **at)).count();
            prop_assert!(served <= 3);
        }
    }
}
