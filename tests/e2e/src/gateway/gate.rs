//! A gate before the providers' answers: while it is shut, whoever asked waits behind it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Nobody is kept waiting for longer: the test that forgot to open it has failed.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Open at first.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_shut: bool,
    waiting: u32,
}

impl Gate {
    pub(super) fn shut(&self, is_shut: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_shut = is_shut;
        self.changed.notify_all();
    }

    /// An answer that is ready goes through when it may.
    pub(super) fn pass(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting += 1;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(state, WAIT_MAX, |state| state.is_shut);
        waited.unwrap_or_else(PoisonError::into_inner).0.waiting -= 1;
    }

    /// Until an answer waits behind it.
    pub(super) fn wait(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(state, WAIT_MAX, |state| state.waiting == 0);
        assert!(!waited.unwrap_or_else(PoisonError::into_inner).1.timed_out(), "nobody asks");
    }
}
