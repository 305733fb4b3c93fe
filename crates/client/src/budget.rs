//! How often a process asks again in all: at most a tenth of its calls, so that what is down is not asked three times as often as what is up.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::retry::Host;

/// A call earns this much of a repetition.
const TENTHS_A_CALL: u32 = 1;
const TENTHS_A_RETRY: u32 = 10;
/// A process that has asked little yet may repeat this often, and one that asks much saves up no more.
const TENTHS_MAX: u32 = 10 * TENTHS_A_RETRY;

/// What a process has left to repeat with.
#[derive(Debug)]
pub struct RetryBudget(Mutex<u32>);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Mutex::new(TENTHS_MAX))
    }
}

impl RetryBudget {
    /// A call is made for the first time.
    pub fn earn(&self) {
        let mut tenths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *tenths = (*tenths + TENTHS_A_CALL).min(TENTHS_MAX);
    }

    /// Whether a call may be repeated; it then counts.
    pub fn spend(&self) -> bool {
        let mut tenths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match tenths.checked_sub(TENTHS_A_RETRY) {
            Some(left) => {
                *tenths = left;
                true
            }
            None => false,
        }
    }
}

/// A host whose repetitions are of that budget.
#[derive(Debug)]
pub struct Budgeted<'a, H> {
    /// What has time and chance.
    pub patience: H,
    /// Of the whole process.
    pub retries: &'a RetryBudget,
}

impl<H: Host> Host for Budgeted<'_, H> {
    fn elapsed(&self) -> Duration {
        self.patience.elapsed()
    }

    fn jitter(&self, most: Duration) -> Duration {
        self.patience.jitter(most)
    }

    fn sleep(&self, length: Duration) -> impl Future<Output = ()> {
        self.patience.sleep(length)
    }

    fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
        self.patience.within(limit, work)
    }

    fn may_send(&self, attempt: u32) -> bool {
        if attempt == 1 {
            self.retries.earn();
            return true;
        }
        self.retries.spend()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_repeats_a_tenth_of_its_calls_and_ten_more() {
        let budget = RetryBudget::default();
        let mut repeated = 0;
        for _ in 0..1_000 {
            budget.earn();
            repeated += u32::from(budget.spend()) + u32::from(budget.spend());
        }
        assert_eq!(repeated, 110 - 1, "the first call earns nothing: the budget is full");
    }

    #[test]
    fn a_quiet_time_saves_up_no_more_than_ten() {
        let budget = RetryBudget::default();
        (0..1_000).for_each(|_| budget.earn());
        assert_eq!((0..1_000).filter(|_| budget.spend()).count(), 10);
    }
}
