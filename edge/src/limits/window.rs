//! The arithmetic of limits: a window that slides by tenths. No clock, no I/O: time is an argument.
//!
//! Time is cut into slots of a tenth of the window. A request counts in its own slot and the ten after it, that is for
//! one window and up to a tenth more. So no interval of one window's length ever has more requests than the limit, a
//! burst after a pause gets exactly the limit, and a name costs at most eleven numbers. (One timestamp a name, as GCRA has it, would let twice
//! the limit through in one window.)
//!
//! Each isolate has such a table, and one object has one for all of them. What an isolate took it tells the object later, and learns what all
//! have taken: both are the same numbers, and they add up.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Quota, Scope, Standing};

const SLOTS: u64 = 10;

/// Names of one table. Who comes when it is full shares a count with a few others, whom nobody can choose: a name is a keyed hash. Spraying
/// names is no way around a limit, and hardly one into another's.
const NAMES_MAX: usize = 20_000;
const SHARED_NAMES: u64 = 1_024;

/// One request against one quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// Whose quota, and which; a keyed hash.
    pub(crate) name: u64,
    pub(crate) scope: Scope,
    pub(crate) quota: Quota,
}

/// Requests that still count: slot and how many, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Window(Vec<(u64, u32)>);

impl Window {
    fn forget(&mut self, slot: u64) {
        self.0.retain(|(counted, _)| counted + SLOTS >= slot);
    }

    fn taken(&self) -> u32 {
        self.0.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    fn count(&mut self, slot: u64) {
        match self.0.last_mut() {
            // A clock that went back counts into the newest slot: it must not open the window early.
            Some((newest, count)) if *newest >= slot => *count = count.saturating_add(1),
            _ => self.0.push((slot, 1)),
        }
    }

    /// What somebody else has taken, by a clock that may be another's: never later than now.
    fn add(&mut self, other: &Self, now: u64) {
        for (slot, more) in &other.0 {
            let slot = (*slot).min(now);
            match self.0.binary_search_by_key(&slot, |(counted, _)| *counted) {
                Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(*more),
                Err(place) => self.0.insert(place, (slot, *more)),
            }
        }
    }

    /// When the oldest requests cease to count, from now; rounded up, so that asking again then is never too early.
    fn reset_seconds(&self, slot_millis: u64, now_millis: u64) -> u64 {
        let oldest = self.0.first().map_or(now_millis / slot_millis, |(slot, _)| *slot);
        let ends_at = (oldest + SLOTS + 1) * slot_millis;
        ends_at.saturating_sub(now_millis).div_ceil(1000).max(1)
    }
}

/// What was taken under a name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) name: u64,
    slot_millis: u64,
    window: Window,
}

/// The windows of many names.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Windows {
    windows: HashMap<u64, Entry>,
    /// What was taken here and nobody else knows.
    #[serde(skip)]
    untold: HashMap<u64, Entry>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    slot_millis: u64,
    window: Window,
}

impl Windows {
    /// Counts one request against each demand, or against none when one of them has no room.
    pub(crate) fn take(&mut self, demands: &[Demand], now_millis: u64) -> Vec<Standing> {
        let mut standings = self.look(demands, now_millis);
        if standings.iter().any(|standing| standing.is_refused) {
            return standings;
        }
        for (demand, standing) in demands.iter().zip(&mut standings) {
            let (name, slot_millis) = (self.place(demand.name, now_millis), slot_millis(demand.quota));
            let slot = now_millis / slot_millis;
            for table in [&mut self.windows, &mut self.untold] {
                let entry =
                    table.entry(name).or_insert_with(|| Entry { slot_millis, window: Window::default() });
                entry.window.count(slot);
            }
            let window = self.windows.get(&name).map(|entry| &entry.window);
            standing.remaining = standing.remaining.saturating_sub(1);
            standing.reset_seconds = window.map_or(1, |window| window.reset_seconds(slot_millis, now_millis));
        }
        standings
    }

    /// How the quotas stand; nothing is counted.
    pub(crate) fn look(&mut self, demands: &[Demand], now_millis: u64) -> Vec<Standing> {
        let look = |demand: &Demand| {
            let (name, slot_millis) = (self.place(demand.name, now_millis), slot_millis(demand.quota));
            let mut window = Window::default();
            if let Some(entry) = self.windows.get_mut(&name) {
                entry.window.forget(now_millis / slot_millis);
                window.clone_from(&entry.window);
            }
            let taken = window.taken();
            Standing {
                scope: demand.scope,
                quota: demand.quota,
                remaining: demand.quota.requests.saturating_sub(taken),
                reset_seconds: window.reset_seconds(slot_millis, now_millis),
                is_refused: taken >= demand.quota.requests,
            }
        };
        demands.iter().map(look).collect()
    }

    /// What was taken here since the last time.
    pub(crate) fn untold(&mut self) -> Vec<Taken> {
        let untold = std::mem::take(&mut self.untold).into_iter();
        untold.map(|(name, Entry { slot_millis, window })| Taken { name, slot_millis, window }).collect()
    }

    /// What was told did not arrive: it is to be told again.
    pub(crate) fn take_back(&mut self, told: Vec<Taken>) {
        for Taken { name, slot_millis, window } in told {
            let newest = window.0.last().map_or(0, |(slot, _)| *slot);
            let entry =
                self.untold.entry(name).or_insert_with(|| Entry { slot_millis, window: Window::default() });
            entry.window.add(&window, newest);
        }
    }

    /// Replaces what is known here by what all have taken, and adds what was taken here meanwhile.
    pub(crate) fn learn(&mut self, all: Vec<Taken>, now_millis: u64) {
        for Taken { name, slot_millis, mut window } in all {
            if slot_millis == 0 {
                continue;
            }
            if let Some(untold) = self.untold.get(&name) {
                window.add(&untold.window, now_millis / slot_millis);
            }
            self.windows.insert(name, Entry { slot_millis, window });
        }
    }

    /// Adds what others have taken; answers what all have.
    pub(crate) fn add(&mut self, told: Vec<Taken>, now_millis: u64) -> Vec<Taken> {
        let add = |Taken { name, slot_millis, window }: Taken| {
            if slot_millis == 0 {
                return None;
            }
            let (place, slot) = (self.place(name, now_millis), now_millis / slot_millis);
            let entry =
                self.windows.entry(place).or_insert_with(|| Entry { slot_millis, window: Window::default() });
            entry.window.add(&window, slot);
            entry.window.forget(slot);
            Some(Taken { name, slot_millis, window: entry.window.clone() })
        };
        told.into_iter().filter_map(add).collect()
    }

    /// Drops what no longer counts; answers whether anything is left.
    pub(crate) fn prune(&mut self, now_millis: u64) -> bool {
        self.windows.retain(|_, entry| {
            entry.window.forget(now_millis / entry.slot_millis.max(1));
            !entry.window.0.is_empty()
        });
        !self.windows.is_empty()
    }

    /// Under which name it counts here.
    fn place(&mut self, name: u64, now_millis: u64) -> u64 {
        if self.windows.len() >= NAMES_MAX && !self.windows.contains_key(&name) {
            self.prune(now_millis);
            if self.windows.len() >= NAMES_MAX {
                return name % SHARED_NAMES;
            }
        }
        name
    }
}

fn slot_millis(quota: Quota) -> u64 {
    u64::from(quota.window_seconds) * 1000 / SLOTS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::{Quota, Scope};

    fn demand(name: u64, requests: u32, window_seconds: u32) -> Demand {
        Demand { name, scope: Scope::User, quota: Quota { requests, window_seconds } }
    }

    fn passes(windows: &mut Windows, demand: &Demand, now_millis: u64) -> bool {
        windows.take(std::slice::from_ref(demand), now_millis).iter().all(|standing| !standing.is_refused)
    }

    #[test]
    fn a_burst_gets_exactly_the_limit() {
        let (mut windows, demand) = (Windows::default(), demand(7, 50, 10));
        let served = (0..500).filter(|at| passes(&mut windows, &demand, 5_000 + at)).count();
        assert_eq!(served, 50);
        assert!(passes(&mut windows, &demand, 16_000));
    }

    #[test]
    fn one_key_does_not_count_against_another() {
        let mut windows = Windows::default();
        assert!(passes(&mut windows, &demand(7, 1, 10), 0));
        assert!(!passes(&mut windows, &demand(7, 1, 10), 0));
        assert!(passes(&mut windows, &demand(8, 1, 10), 0));
    }

    #[test]
    fn a_refusal_of_one_quota_counts_against_none() {
        let mut windows = Windows::default();
        let both = [demand(7, 5, 60), Demand { scope: Scope::Payment, ..demand(9, 1, 10) }];
        assert_eq!(windows.take(&both, 0)[0].remaining, 4);
        let refused = windows.take(&both, 0);
        assert_eq!((refused[0].is_refused, refused[0].remaining), (false, 4));
        assert!(refused[1].is_refused);
        assert_eq!(windows.take(&both[..1], 0)[0].remaining, 3);
    }

    #[test]
    fn who_comes_to_a_full_table_shares_a_count_with_few_and_it_forgets_in_time() {
        let mut windows = Windows::default();
        let full = NAMES_MAX as u64;
        for name in 0..full {
            assert!(passes(&mut windows, &demand(full + name, 1, 10), 0));
        }
        let late = 10 * full;
        assert!(passes(&mut windows, &demand(late, 1, 10), 0));
        assert!(!passes(&mut windows, &demand(late + SHARED_NAMES, 1, 10), 0), "it is the same count");
        assert!(passes(&mut windows, &demand(late + 1, 1, 10), 0), "it is another's");
        assert!(passes(&mut windows, &demand(late + SHARED_NAMES, 1, 10), 11_000));
        assert!(windows.windows.len() < 3);
    }

    /// Two isolates and the object between them.
    struct Shared {
        isolates: [Windows; 2],
        object: Windows,
    }

    impl Shared {
        fn tell(&mut self, isolate: usize, now: u64) {
            let told = self.isolates[isolate].untold();
            let all = self.object.add(told, now);
            self.isolates[isolate].learn(all, now);
        }
    }

    #[test]
    fn an_isolate_refuses_by_what_all_have_taken_as_soon_as_it_has_told_and_learned() {
        let mut shared = Shared { isolates: Default::default(), object: Windows::default() };
        let demand = demand(7, 10, 10);
        for _ in 0..6 {
            assert!(passes(&mut shared.isolates[0], &demand, 100));
            assert!(passes(&mut shared.isolates[1], &demand, 100));
        }
        shared.tell(0, 200);
        shared.tell(1, 200);
        // The overshoot: what was let in before anybody had told.
        assert!(!passes(&mut shared.isolates[1], &demand, 300), "12 of 10");
        assert!(passes(&mut shared.isolates[0], &demand, 300), "it knows of its own 6 only");
        shared.tell(0, 400);
        assert!(!passes(&mut shared.isolates[0], &demand, 500));
        for isolate in &mut shared.isolates {
            assert!(passes(isolate, &demand, 12_000));
        }
    }

    #[test]
    fn what_is_taken_while_a_message_is_on_its_way_counts_once() {
        let mut shared = Shared { isolates: Default::default(), object: Windows::default() };
        let demand = demand(7, 10, 10);
        assert!(passes(&mut shared.isolates[0], &demand, 0));
        let told = shared.isolates[0].untold();
        assert!(passes(&mut shared.isolates[0], &demand, 1));
        let all = shared.object.add(told, 2);
        shared.isolates[0].learn(all, 3);
        assert_eq!(shared.isolates[0].look(&[demand], 4)[0].remaining, 8);
        shared.tell(0, 5);
        assert_eq!(shared.isolates[0].look(&[demand], 6)[0].remaining, 8);
        assert!(shared.isolates[0].untold().is_empty());
    }

    #[test]
    fn a_message_that_was_lost_is_told_again() {
        let mut shared = Shared { isolates: Default::default(), object: Windows::default() };
        let demand = demand(7, 10, 10);
        assert!(passes(&mut shared.isolates[0], &demand, 0));
        let lost = shared.isolates[0].untold();
        assert!(passes(&mut shared.isolates[0], &demand, 1_000));
        shared.isolates[0].take_back(lost);
        assert_eq!(shared.isolates[0].look(&[demand], 2_000)[0].remaining, 8);
        shared.tell(0, 2_000);
        assert_eq!(shared.object.look(&[demand], 2_000)[0].remaining, 8);
    }

    #[test]
    fn an_isolate_whose_clock_is_ahead_closes_nobody_s_window_for_longer() {
        let (mut ahead, mut object) = (Windows::default(), Windows::default());
        let demand = demand(7, 1, 10);
        assert!(passes(&mut ahead, &demand, 3_600_000));
        object.add(ahead.untold(), 0);
        assert!(!passes(&mut object, &demand, 0));
        assert!(passes(&mut object, &demand, 11_000));
    }

    #[test]
    fn what_was_kept_counts_on() -> Result<(), serde_json::Error> {
        let (mut windows, demand) = (Windows::default(), demand(7, 2, 60));
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
            let (mut windows, demand) = (Windows::default(), demand(7, requests, window_seconds));
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
            let (mut windows, demand) = (Windows::default(), demand(7, 3, 10));
            let served = times.iter().filter(|at| passes(&mut windows, &demand, **at)).count();
            prop_assert!(served <= 3);
        }
    }
}
