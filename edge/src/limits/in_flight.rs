//! How many requests of one user are under way at once: a quota of many seconds lets all of them in together, and all others wait behind them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

type Counts = Arc<Mutex<HashMap<u64, u32>>>;

/// The requests of an isolate, by their users' names.
pub(super) struct InFlight {
    requests_max: Option<u32>,
    counts: Counts,
}

/// One request's place; it is free again when this is dropped.
pub(crate) struct Place(Option<(Counts, u64)>);

impl InFlight {
    pub(super) fn new(requests_max: Option<u32>) -> Self {
        Self { requests_max, counts: Arc::default() }
    }

    /// `None`: there is no room.
    pub(super) fn enter(&self, name: u64) -> Option<Place> {
        let Some(requests_max) = self.requests_max else { return Some(Place(None)) };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name).or_default();
        if *count >= requests_max {
            return None;
        }
        *count += 1;
        Some(Place(Some((self.counts.clone(), name))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((counts, name)) = self.0.take() else { return };
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&name) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_so_many_places_and_gets_each_back() {
        let in_flight = InFlight::new(Some(2));
        let first = in_flight.enter(1);
        let second = in_flight.enter(1);
        assert!(first.is_some() && second.is_some() && in_flight.enter(1).is_none());
        assert!(in_flight.enter(2).is_some(), "they are nobody else's");
        drop(first);
        assert!(in_flight.enter(1).is_some());
        drop(second);
        assert!(in_flight.counts.lock().is_ok_and(|counts| counts.is_empty()));
    }

    #[test]
    fn without_a_bound_nobody_is_counted() {
        let in_flight = InFlight::new(None);
        let places: Vec<_> = (0..1_000).map(|_| in_flight.enter(1)).collect();
        assert!(
            places.iter().all(Option::is_some)
                && in_flight.counts.lock().is_ok_and(|counts| counts.is_empty())
        );
    }
}
