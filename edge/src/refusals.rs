//! Refused money calls, told to the audit log after the reply: the row that the database wrote of such a call rolled back with it.
//!
//! What an auditor wants to see: refusals of the database, and of our own checks once the caller is known. A limit refuses before
//! that and is counted elsewhere; an answer that is no refusal (503, 500) leaves no row, for nobody knows whether money moved.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mps_client::retry::Policy;
use mps_client::rpc::{ReportRefusal, UserId};
use mps_client::{CallContext, Caller, Params, RequestId};

use crate::app::App;
use crate::problem::Failure;
use crate::telemetry;

/// A user who is refused again and again fills no audit log: one row in two seconds tells it as well.
const OF_ONE_USER_MAX: u32 = 30;
/// So many of one isolate in all.
const OF_ALL_MAX: u32 = 300;
/// After so many only who had none in this minute: a few who are refused all the time must not be all that an auditor sees.
const OF_THOSE_SEEN_MAX: u32 = 200;
const WINDOW: Duration = Duration::from_mins(1);

/// Nobody waits for a report, and it cannot be sent twice.
const ONCE: Policy = Policy {
    attempts_max: 1,
    budget: Duration::from_secs(5),
    attempt_max: Duration::from_secs(5),
    ..Policy::HOUSE
};

const FIELD_CHARS_MAX: usize = 32;

/// A call that was to move money and was refused.
pub(crate) struct RefusedCall {
    pub(crate) rpc: &'static str,
    /// The user's id.
    pub(crate) subject: String,
    pub(crate) merchant_code: Option<String>,
    pub(crate) request_id: RequestId,
}

/// How many there were in this minute.
#[derive(Default)]
pub(crate) struct Reports(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    since: Duration,
    of_all: u32,
    /// No more users than reports.
    of_one: HashMap<String, u32>,
}

impl Reports {
    fn admit(&self, subject: &str, now: Duration) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(counts.since) >= WINDOW {
            *counts = Counts { since: now, ..Counts::default() };
        }
        let of_one = counts.of_one.get(subject).copied().unwrap_or_default();
        let of_all_max = if of_one == 0 { OF_ALL_MAX } else { OF_THOSE_SEEN_MAX };
        if counts.of_all >= of_all_max || of_one >= OF_ONE_USER_MAX {
            return false;
        }
        counts.of_all += 1;
        counts.of_one.insert(subject.to_owned(), of_one + 1);
        true
    }
}

/// Sees to it that the audit log has a row of it when the reply has left. Never in the reply's way: a report that fails or hangs
/// is logged, and that is all.
pub(crate) fn report_later(app: &App, call: RefusedCall, failure: &Failure) {
    if !(400..500).contains(&failure.code().status()) {
        return;
    }
    if !app.reports().admit(&call.subject, app.host().unix_time()) {
        app.metrics().count("refusal_reports_total", &[("outcome", "skipped")]);
        return;
    }
    let params = params_to_tell(failure.params());
    let report = ReportRefusal {
        rpc: call.rpc.to_owned(),
        code: failure.code().as_str().to_owned(),
        actor_user_id: UserId::parse(&call.subject).ok(),
        merchant_code: call.merchant_code,
        params: (!params.is_empty()).then_some(params),
        request_id: Some(call.request_id.as_str().to_owned()),
    };
    let app_later = app.clone();
    app.host().after_reply(Box::pin(async move { send(&app_later, report, call.request_id).await }));
}

async fn send(app: &App, report: ReportRefusal, request_id: RequestId) {
    let context = CallContext { caller: Caller::Service, request_id: request_id.clone() };
    let result = app.call_under(ONCE, context, report).await;
    let outcome = if result.is_ok() { "sent" } else { "failed" };
    app.metrics().count("refusal_reports_total", &[("outcome", outcome)]);
    app.metrics().send_later();
    if let Err(error) = result {
        app.host().log(&telemetry::line_of_lost_report(app.host().unix_time(), &request_id, &error.into()));
    }
}

/// The catalogue bounds the names of params; the one whose value a caller may have chosen, a field's name, must look like one.
fn params_to_tell(params: &Params) -> Params {
    let is_told = |name: &str, value: &serde_json::Value| {
        name != "field" || value.as_str().is_some_and(is_name_of_a_field)
    };
    let told = params.iter().filter(|(name, value)| is_told(name, value));
    told.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn is_name_of_a_field(text: &str) -> bool {
    (1..=FIELD_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_thirty_reports_a_minute_and_an_isolate_three_hundred() {
        let (reports, now) = (Reports::default(), Duration::from_hours(1));
        let admitted = |subject: &str, now| (0..100).filter(|_| reports.admit(subject, now)).count();
        assert_eq!(admitted("a", now), 30);
        assert_eq!(admitted("b", now), 30);
        let of_others: usize = (0..200).map(|number| admitted(&format!("c{number}"), now)).sum();
        assert_eq!(of_others, 240);
        assert_eq!(admitted("a", now + Duration::from_secs(59)), 0);
        assert_eq!(admitted("a", now + WINDOW), 30);
    }

    #[test]
    fn ten_who_are_refused_all_the_time_leave_room_for_who_is_refused_once() {
        let (reports, now) = (Reports::default(), Duration::from_hours(1));
        for number in 0..10 {
            for _ in 0..100 {
                reports.admit(&format!("loud-{number}"), now);
            }
        }
        let served = (0..1_000).filter(|number| reports.admit(&format!("cashier-{number}"), now)).count();
        assert_eq!(served, 97, "200 and the first of three more went to the loud ones");
    }

    #[test]
    fn a_field_that_a_caller_made_up_is_not_told() {
        let told =
            |field: &str| params_to_tell(&Params::from_iter([("field".to_owned(), field.into())])).len();
        assert_eq!(told("raw_amount"), 1);
        for field in [
            "701234567890123456789017",
            "eyJhbGciOiJIUzI1NiJ9",
            "key-1",
            "a@b.example",
            "",
            "名",
            "+886912345678",
        ] {
            assert_eq!(told(field), 0, "{field}");
        }
        let limit = Params::from_iter([("limit".to_owned(), "500.00".into())]);
        assert_eq!(params_to_tell(&limit), limit);
    }
}
