//! Whether the database is there, asked for all who want to know: one question under way, and an answer of at most a second ago.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mps_client::rpc::TestConnection;
use mps_client::{CallContext, Caller};
use mps_core::ErrorCode;

use crate::app::App;
use crate::headers;
use crate::problem::Failure;

/// An answer older than this is none, and who waits for one for longer is told that there is none.
const AGE_MAX: Duration = Duration::from_secs(1);
/// Whoever asks for longer was ended by the host.
const ASKING_MAX: Duration = Duration::from_secs(12);
const GLANCE: Duration = Duration::from_millis(50);

/// What one isolate knows of it.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Known>);

#[derive(Default)]
struct Known {
    answer: Option<(Duration, Result<String, Failure>)>,
    asking_since: Option<Duration>,
}

enum Step {
    Tell(Result<String, Failure>),
    Ask,
    Wait,
}

impl Known {
    fn next_step(&mut self, now: Duration) -> Step {
        if let Some((told_at, answer)) = &self.answer
            && now.abs_diff(*told_at) < AGE_MAX
        {
            return Step::Tell(answer.clone());
        }
        if self.asking_since.is_some_and(|since| now.abs_diff(since) < ASKING_MAX) {
            return Step::Wait;
        }
        self.asking_since = Some(now);
        Step::Ask
    }
}

impl Readiness {
    /// The version of the database's schema.
    pub(crate) async fn look(&self, app: &App) -> Result<String, Failure> {
        let started_at = app.host().unix_time();
        loop {
            let now = app.host().unix_time();
            match self.locked(|known| known.next_step(now)) {
                Step::Tell(answer) => return answer,
                Step::Ask => return self.ask(app).await,
                Step::Wait if now.abs_diff(started_at) < AGE_MAX => app.host().sleep(GLANCE).await,
                Step::Wait => return Err(ErrorCode::Unavailable.into()),
            }
        }
    }

    async fn ask(&self, app: &App) -> Result<String, Failure> {
        let request_id = headers::request_id(app.host().random_bytes());
        let context = CallContext { caller: Caller::Service, request_id };
        let status = app.call(context, TestConnection {}).await;
        let answer = status.map(|status| status.schema_version).map_err(|error| Failure::not_ready(&error));
        let now = app.host().unix_time();
        self.locked(|known| *known = Known { answer: Some((now, answer.clone())), asking_since: None });
        answer
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
