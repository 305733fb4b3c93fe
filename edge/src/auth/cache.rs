//! The published keys as they were last fetched: how long they are used, and when they are fetched again.
//!
//! One request of an isolate fetches for all that wait. Those wait by asking again and again: a Worker must not be woken by
//! what happens in another request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::Request;
use mps_client::retry::Host as _;

use super::KeysUnavailable;
use super::jwks::KeySet;
use crate::metrics::Metrics;
use crate::platform::{Host, Patience};
use crate::telemetry;

/// Keys are fetched anew when they are this old.
const FRESH_MAX: Duration = Duration::from_mins(10);
/// While they cannot be fetched, the old ones are used until they are this old: a withdrawn key lives no longer.
const STALE_MAX: Duration = Duration::from_hours(1);
/// An unknown key id has them fetched anew at most this often.
const PAUSE: Duration = Duration::from_mins(1);
/// After a failure they are asked for at most this often.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// An endpoint that has not answered by then does not answer.
const FETCH_MAX: Duration = Duration::from_secs(3);
/// Whoever fetches for longer was ended by the host.
const FLIGHT_MAX: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(20);
const GLANCES_MAX: u32 = 250;
const KEY_SET_BYTES_MAX: usize = 64 * 1024;

pub(super) struct KeyCache {
    url: String,
    host: Arc<dyn Host>,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    fetched_at: Duration,
    asked_at: Option<Duration>,
    is_in_flight: bool,
    has_failed: bool,
}

/// What a request that wants keys does next.
enum Step {
    Use(Arc<KeySet>),
    Fetch,
    Wait,
    /// Nothing may be asked before so long.
    GiveUp(Duration),
}

impl State {
    fn next_step(&mut self, now: Duration, has_asked: bool, is_enough: impl Fn(&KeySet) -> bool) -> Step {
        let age = now.saturating_sub(self.fetched_at);
        let usable = self.keys.as_ref().filter(|_| age < STALE_MAX).cloned();
        let enough = usable.clone().filter(|keys| is_enough(keys));
        match enough {
            Some(keys) if age < FRESH_MAX => return Step::Use(keys),
            _ => {}
        }
        let since_asked = self.asked_at.map_or(Duration::MAX, |asked_at| now.saturating_sub(asked_at));
        if self.is_in_flight && since_asked < FLIGHT_MAX {
            return enough.map_or(Step::Wait, Step::Use);
        }
        let pause = if self.has_failed { PAUSE_AFTER_FAILURE } else { PAUSE };
        if since_asked >= pause || self.is_in_flight {
            self.asked_at = Some(now);
            self.is_in_flight = true;
            return Step::Fetch;
        }
        // Keys that were fetched for this request decide, whether they have the id or not. Others may be from before a change of keys.
        match enough.or(usable.filter(|_| has_asked && !self.has_failed)) {
            Some(keys) => Step::Use(keys),
            None => Step::GiveUp(pause.saturating_sub(since_asked)),
        }
    }

    fn keep(&mut self, fetched: Option<KeySet>, now: Duration) {
        self.is_in_flight = false;
        self.has_failed = fetched.is_none();
        if let Some(keys) = fetched {
            self.keys = Some(Arc::new(keys));
            self.fetched_at = now;
        }
    }
}

impl KeyCache {
    pub(super) fn new(url: String, host: Arc<dyn Host>, metrics: Arc<Metrics>) -> Self {
        Self { url, host, metrics, state: Mutex::default() }
    }

    /// The keys to use now; those that are not `is_enough` are fetched anew where that may help.
    pub(super) async fn keys(
        &self,
        is_enough: impl Fn(&KeySet) -> bool,
    ) -> Result<Arc<KeySet>, KeysUnavailable> {
        let mut wait = PAUSE_AFTER_FAILURE;
        let mut has_asked = false;
        for _ in 0..GLANCES_MAX {
            let now = self.host.unix_time();
            match self.locked(|state| state.next_step(now, has_asked, &is_enough)) {
                Step::Use(keys) => return Ok(keys),
                Step::GiveUp(length) => {
                    wait = length;
                    break;
                }
                Step::Wait => {
                    has_asked = true;
                    self.host.sleep(GLANCE).await;
                }
                Step::Fetch => {
                    has_asked = true;
                    let fetched = self.fetch().await;
                    let now = self.host.unix_time();
                    self.locked(|state| state.keep(fetched, now));
                }
            }
        }
        Err(KeysUnavailable { retry_after_seconds: wait.as_secs().max(1) })
    }

    async fn fetch(&self) -> Option<KeySet> {
        let request = Request::get(self.url.as_str()).header("accept", "application/json").body(Vec::new());
        let patience = Patience(self.host.clone());
        let work = self.host.fetch(request.ok()?, KEY_SET_BYTES_MAX);
        let answer = patience.within(FETCH_MAX, work).await.and_then(Result::ok);
        let page = answer.filter(|answer| answer.status().is_success());
        let keys = page.and_then(|page| KeySet::parse(page.body()).ok());
        let outcome = if keys.is_some() { "ok" } else { "failed" };
        self.metrics.count("jwks_fetches_total", &[("outcome", outcome)]);
        if keys.is_none() {
            self.host.log(&telemetry::line_of_lost_keys(self.host.unix_time()));
        }
        keys
    }

    fn locked<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
