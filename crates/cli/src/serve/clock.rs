//! The jobs of the edges, started on time: workerd fires none.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::edge::to_ask;
use crate::web::Web;

/// Longer than an edge itself waits for the database.
const JOB_MAX: Duration = Duration::from_mins(10);

/// Of what was missed while nobody looked at the clock, that long ago is made good.
const CATCH_UP_MAX: u64 = 60;

/// A minute of UTC, as far as the schedules look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) struct Minute {
    minutes_since_1970: u64,
}

pub(crate) fn now() -> Minute {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Minute { minutes_since_1970: seconds / 60 }
}

impl Minute {
    /// Those after it until another one, which is the last.
    pub(crate) fn until(self, now: Self) -> impl Iterator<Item = Self> {
        let first =
            (self.minutes_since_1970 + 1).max(now.minutes_since_1970.saturating_sub(CATCH_UP_MAX - 1));
        (first..=now.minutes_since_1970).map(|minutes_since_1970| Self { minutes_since_1970 })
    }

    /// Whether it is the time of a schedule. Only minutes and hours are looked at: `*`, `*/n` and a number.
    fn is_time_of(self, schedule: &str) -> bool {
        let mut fields = schedule.split(' ');
        let mut matches = |value: u64| {
            let field = fields.next().unwrap_or_default();
            match field.strip_prefix("*/") {
                Some(step) => step.parse::<u64>().is_ok_and(|step| step > 0 && value.is_multiple_of(step)),
                None => field == "*" || field.parse() == Ok(value),
            }
        };
        let minutes = self.minutes_since_1970;
        matches(minutes % 60) && matches(minutes / 60 % 24) && fields.eq(["*", "*", "*"])
    }
}

/// A piece of work that an edge does when it is told to.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) schedule: String,
}

/// What the edges run by the clock.
pub(crate) struct Jobs {
    edges: Vec<String>,
    authorization: String,
    list: Vec<Job>,
    running: Mutex<BTreeSet<String>>,
    web: Web,
}

impl Jobs {
    /// As the edges of this machine list them.
    pub(super) fn of(addresses: impl IntoIterator<Item = SocketAddr>, token: &str) -> Result<Arc<Self>> {
        let edges = addresses.into_iter().map(|address| format!("http://{}", to_ask(address)));
        Self::at(edges.collect(), token, Web::new(None)?)
    }

    /// As the first of these that answers lists them.
    pub(crate) fn at(edges: Vec<String>, token: &str, web: Web) -> Result<Arc<Self>> {
        let authorization = format!("Bearer {token}");
        let mut jobs = Self { edges, authorization, list: Vec::new(), running: Mutex::default(), web };
        let reply = jobs.first_answer(|edge| {
            jobs.web.get(&format!("{edge}/ops/cron"), &[("authorization", &jobs.authorization)])
        })?;
        ensure!(reply.status == 200, "the edge does not tell its jobs: it answers {}", reply.status);
        let list: Vec<Value> =
            serde_json::from_str(&reply.body).context("the edge's list of jobs is malformed")?;
        let text = |job: &Value, field: &str| job[field].as_str().map(str::to_owned);
        let read = |job: &Value| Some(Job { name: text(job, "name")?, schedule: text(job, "schedule")? });
        jobs.list =
            list.iter().map(read).collect::<Option<_>>().context("the edge's list of jobs is malformed")?;
        Ok(Arc::new(jobs))
    }

    pub(crate) fn list(&self) -> &[Job] {
        &self.list
    }

    /// Starts the jobs of these minutes: those of one schedule one after the other, in the edge's order, and none whose
    /// schedule still runs from an earlier minute.
    pub(crate) fn start_those_due(
        self: &Arc<Self>,
        minutes: impl IntoIterator<Item = Minute>,
        failed: fn(&str),
    ) {
        let mut due = BTreeSet::new();
        for minute in minutes {
            due.extend(self.list.iter().map(|job| &job.schedule).filter(|text| minute.is_time_of(text)));
        }
        for schedule in due {
            if !self.running().insert(schedule.clone()) {
                continue;
            }
            let (jobs, schedule) = (Arc::clone(self), schedule.clone());
            thread::spawn(move || {
                for job in jobs.list.iter().filter(|job| job.schedule == schedule) {
                    // The edge logs and counts how it ended; here only that nobody answered.
                    if let Err(error) = jobs.run(&job.name) {
                        failed(&format!("the job {}: {error:#}", job.name));
                    }
                }
                jobs.running().remove(&schedule);
            });
        }
    }

    /// Has an edge do it now, and waits for the end.
    pub(crate) fn run(&self, name: &str) -> Result<(u16, Value)> {
        let reply = self.first_answer(|edge| {
            let headers = [("authorization", self.authorization.as_str())];
            self.web.send_within(JOB_MAX, "POST", &format!("{edge}/ops/cron/{name}"), &headers, Some(""))
        })?;
        Ok((reply.status, reply.json()))
    }

    /// Of the edges in their order: one may be away for a moment. A job that two have begun does nothing twice.
    fn first_answer<T>(&self, ask: impl Fn(&str) -> Result<T>) -> Result<T> {
        let mut last = None;
        for edge in &self.edges {
            match ask(edge) {
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error.context("no edge answers")),
            None => bail!("there is no edge to ask"),
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u64, minute: u64) -> Minute {
        Minute { minutes_since_1970: 20_000 * 1440 + hour * 60 + minute }
    }

    #[test]
    fn a_schedule_is_a_minute_and_an_hour() {
        assert!(at(3, 17).is_time_of("* * * * *"));
        assert!(at(3, 15).is_time_of("*/5 * * * *") && !at(3, 17).is_time_of("*/5 * * * *"));
        assert!(at(3, 7).is_time_of("7 * * * *") && !at(3, 8).is_time_of("7 * * * *"));
        assert!(at(2, 23).is_time_of("23 2 * * *") && !at(3, 23).is_time_of("23 2 * * *"));
        assert!(at(0, 0).is_time_of("0 0 * * *"));
    }

    #[test]
    fn a_schedule_that_is_not_understood_is_never_due() {
        for schedule in ["", "* *", "* * * * 1", "* * 1 * *", "*/0 * * * *", "1-5 * * * *", "* * * * * *"] {
            assert!((0..60).all(|minute| !at(0, minute).is_time_of(schedule)), "{schedule}");
        }
    }

    /// A roll takes its time: the one minute of a day at which a job is due may be over when the clock is looked at again.
    #[test]
    fn minutes_that_nobody_looked_at_are_made_good_and_not_without_end() {
        let due = |from: Minute, to: Minute| {
            from.until(to).filter(|minute| minute.is_time_of("23 2 * * *")).count()
        };
        assert_eq!(due(at(2, 22), at(2, 25)), 1);
        assert_eq!(due(at(2, 23), at(2, 25)), 0);
        assert_eq!(at(2, 22).until(at(2, 22)).count(), 0);
        assert_eq!(at(0, 0).until(at(9, 0)).count(), 60);
        // A clock that was set back.
        assert_eq!(at(9, 0).until(at(8, 0)).count(), 0);
    }
}
