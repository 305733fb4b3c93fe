//! The jobs of the edge, started on time: workerd fires none.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::report;
use crate::services::http;

/// Longer than the edge itself waits for the database.
const JOB_MAX: Duration = Duration::from_mins(10);

/// A minute of UTC, as far as the schedules look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Minute {
    minutes_since_1970: u64,
}

pub(super) fn now() -> Minute {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Minute { minutes_since_1970: seconds / 60 }
}

impl Minute {
    pub(super) fn is_another_minute_than(self, other: Self) -> bool {
        self != other
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

struct Job {
    name: String,
    schedule: String,
}

/// What the edge runs by the clock.
pub(super) struct Jobs {
    address: SocketAddr,
    token: String,
    list: Vec<Job>,
    running: Mutex<BTreeSet<String>>,
}

impl Jobs {
    /// As the edge lists them.
    pub(super) fn of(address: SocketAddr, token: &str) -> Result<Arc<Self>> {
        let authorization = format!("Bearer {token}");
        let headers = [("Authorization", authorization.as_str())];
        let (status, body) = http::answer(address, "GET", "/ops/cron", &headers, "")
            .context("the edge does not tell its jobs")?;
        ensure!(status == 200, "the edge does not tell its jobs: it answers {status}");
        let list: Vec<Value> = serde_json::from_str(&body).context("the edge's list of jobs is malformed")?;
        let text = |job: &Value, field: &str| job[field].as_str().unwrap_or_default().to_owned();
        let jobs = list.iter().map(|job| Job { name: text(job, "name"), schedule: text(job, "schedule") });
        Ok(Arc::new(Self {
            address,
            token: token.to_owned(),
            list: jobs.collect(),
            running: Mutex::default(),
        }))
    }

    /// Starts the jobs of this minute: those of one schedule one after the other, in the edge's order, and none whose
    /// schedule still runs from an earlier minute.
    pub(super) fn start_those_due(self: &Arc<Self>, minute: Minute) {
        let schedules: BTreeSet<&String> = self.list.iter().map(|job| &job.schedule).collect();
        for schedule in schedules.into_iter().filter(|schedule| minute.is_time_of(schedule)) {
            if !self.running().insert(schedule.clone()) {
                continue;
            }
            let (jobs, schedule) = (Arc::clone(self), schedule.clone());
            thread::spawn(move || {
                for job in jobs.list.iter().filter(|job| job.schedule == schedule) {
                    jobs.run(&job.name);
                }
                jobs.running().remove(&schedule);
            });
        }
    }

    /// The edge logs and counts how it ended; here only that nobody answered.
    fn run(&self, name: &str) {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("Authorization", authorization.as_str())];
        let path = format!("/ops/cron/{name}");
        if http::answer_within(JOB_MAX, self.address, "POST", &path, &headers, "").is_none() {
            report::failure(&format!("the edge did not answer for the job {name}"));
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Minute;

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
}
