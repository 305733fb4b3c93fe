//! An edge, as Prometheus sees one: a page of metrics for whoever has the token, and counters that go on with each look.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::web;

/// Answers as long as the test runs.
pub struct Edge {
    /// Where.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    values: BTreeMap<String, f64>,
    steps: BTreeMap<String, f64>,
    is_away: bool,
    refused: u64,
}

impl Edge {
    /// One that wants this token.
    pub fn start(token: &str) -> Self {
        Self::with(Some(format!("authorization: bearer {}", token.to_lowercase())))
    }

    /// What wants none: an exporter.
    pub fn open() -> Self {
        Self::with(None)
    }

    fn with(wanted: Option<String>) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let address = web::serve(move |asked| {
            let mut state = locked(&shared);
            if state.is_away {
                return None;
            }
            let is_wanted = |line: &str| wanted.as_ref().is_none_or(|wanted| line.to_lowercase() == *wanted);
            if !asked.head.lines().any(is_wanted) {
                state.refused += 1;
                return Some((401, "text/plain", String::new()));
            }
            Some((200, "text/plain; version=0.0.4; charset=utf-8", state.page()))
        });
        Self { address, state }
    }

    /// A series has this value.
    pub fn set(&self, series: &str, value: f64) {
        locked(&self.state).values.insert(series.to_owned(), value);
    }

    /// A series grows by so much with every look.
    pub fn grow(&self, series: &str, step: f64) {
        let mut state = locked(&self.state);
        state.values.entry(series.to_owned()).or_default();
        state.steps.insert(series.to_owned(), step);
    }

    /// It answers nobody, or everybody again.
    pub fn go_away(&self, is_away: bool) {
        locked(&self.state).is_away = is_away;
    }

    /// How often somebody came without the token.
    pub fn refused(&self) -> u64 {
        locked(&self.state).refused
    }
}

impl State {
    fn page(&mut self) -> String {
        let mut page = String::new();
        for (series, step) in &self.steps {
            *self.values.entry(series.clone()).or_default() += step;
        }
        for (series, value) in &self.values {
            let _ = writeln!(page, "{series} {value}");
        }
        page
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
