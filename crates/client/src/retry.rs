//! Asking again: at most three times, within the caller's time, and only where that cannot do the work twice.

use std::future::Future;
use std::time::Duration;

use mps_core::{ErrorCode, limits};
use serde::Deserialize;

use crate::connection::{Call, CallContext, Client, Repeat, read_reply};
use crate::error::{Refusal, RpcError, UpstreamCode};
use crate::rpc::CancelRequest;

/// How often and how long.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Requests sent in all.
    pub attempts_max: u32,
    /// From the first request to the last answer.
    pub budget: Duration,
    /// One request of several; a call that may be sent only once has the whole budget.
    pub attempt_max: Duration,
    /// The first pause is up to this long, each later one up to twice the one before.
    pub pause_max_first: Duration,
}

impl Policy {
    /// Three requests within 10 s, as EDGE says.
    pub const HOUSE: Self = Self {
        attempts_max: limits::edge::ATTEMPTS_MAX,
        budget: Duration::from_secs(10),
        attempt_max: Duration::from_secs(4),
        pause_max_first: Duration::from_millis(200),
    };

    /// The same for a caller who has waited that long already.
    #[must_use]
    pub fn after(self, waited: Duration) -> Self {
        Self { budget: self.budget.saturating_sub(waited), ..self }
    }
}

/// What the process has and this crate has not: time and chance.
pub trait Host {
    /// Time since any fixed moment.
    fn elapsed(&self) -> Duration;

    /// A length of time drawn evenly from zero to `most`.
    fn jitter(&self, most: Duration) -> Duration;

    /// Waits.
    fn sleep(&self, length: Duration) -> impl Future<Output = ()>;

    /// The work's output, or `None` when `limit` passed first.
    fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> impl Future<Output = Option<T>>;

    /// Whether a call may be sent for the first, second, third time; asked once before each.
    fn may_send(&self, _attempt: u32) -> bool {
        true
    }
}

/// Makes a call, and makes it again on [`RpcError::Contention`] and [`RpcError::Unavailable`] when it is repeatable. Without any time
/// left it is not made.
///
/// After an attempt of unknown outcome a refusal of a keyed call is final only once its key is cancelled: until then the attempt may still
/// be on its way, and do the work that a later one was refused.
///
/// # Errors
/// The last attempt's [`RpcError`]; [`RpcError::Unavailable`] where an earlier attempt may still overtake it.
pub async fn call_repeatedly<C: Call>(
    client: &Client,
    context: &CallContext,
    call: &C,
    policy: Policy,
    host: &impl Host,
) -> Result<C::Reply, RpcError> {
    let arguments = call.arguments();
    let request = Request {
        rpc: C::RPC,
        arguments: arguments.as_deref(),
        is_repeatable: call.is_repeatable(),
        is_keyed: C::REPEAT == Repeat::Keyed,
    };
    let body = send_repeatedly(client, context, request, policy, host).await?;
    read_reply::<C>(&body)
}

/// A call without its types: the code around it is the same for all RPCs.
#[derive(Clone, Copy)]
struct Request<'a> {
    rpc: &'a str,
    arguments: Option<&'a str>,
    is_repeatable: bool,
    is_keyed: bool,
}

impl Request<'_> {
    /// What cancels its key, or tells that it was done; `None` for a call that has none, or only names another's.
    fn cancellation(&self) -> Option<CancelRequest> {
        #[derive(Deserialize)]
        struct Keyed {
            p_merchant_code: Option<String>,
            p_idempotency_key: Option<String>,
        }
        if !self.is_keyed {
            return None;
        }
        let keyed: Keyed = serde_json::from_str(self.arguments?).ok()?;
        let idempotency_key = keyed.p_idempotency_key?;
        Some(CancelRequest { merchant_code: keyed.p_merchant_code, idempotency_key })
    }
}

async fn send_repeatedly(
    client: &Client,
    context: &CallContext,
    request: Request<'_>,
    policy: Policy,
    host: &impl Host,
) -> Result<Vec<u8>, RpcError> {
    let started = host.elapsed();
    let attempt = || client.send(context, request.rpc, request.arguments);
    let attempts = repeat(policy, host, request.is_repeatable, attempt).await;
    let (Some(unknown), Err(error)) = (attempts.unknown, &attempts.result) else { return attempts.result };
    let Some(cancellation) = request.cancellation() else { return attempts.result };
    let RpcError::Refused(refusal) = error else { return Err(unknown) };
    if is_final(refusal.code) {
        return attempts.result;
    }
    let left = || policy.after(host.elapsed().saturating_sub(started));
    match cancel(client, context, &cancellation, left(), host).await {
        Some(true) => Err(RpcError::Refused(Refusal { is_key_cancelled: true, ..refusal.clone() })),
        // It was done: the same request now hears the answer.
        Some(false) => match repeat(Policy { attempts_max: 1, ..left() }, host, true, attempt).await.result {
            Err(RpcError::Refused(refusal)) if is_final(refusal.code) => Err(RpcError::Refused(refusal)),
            Err(_) => Err(unknown),
            done => done,
        },
        None => Err(unknown),
    }
}

/// Whether no attempt of the request under its key can have done anything, nor ever will: the key is cancelled, or another request's.
fn is_final(refusal: ErrorCode) -> bool {
    matches!(refusal, ErrorCode::RequestCancelled | ErrorCode::IdempotencyKeyReused)
}

/// Whether the key is cancelled; `false` when its request was done, `None` when nobody knows.
async fn cancel(
    client: &Client,
    context: &CallContext,
    call: &CancelRequest,
    policy: Policy,
    host: &impl Host,
) -> Option<bool> {
    let arguments = call.arguments();
    let attempt = || client.send(context, CancelRequest::RPC, arguments.as_deref());
    let body = repeat(policy, host, true, attempt).await.result.ok()?;
    Some(CancelRequest::read_reply(&body)?.cancelled)
}

/// How the last attempt ended, and the last one before it of which nobody knows what it did.
struct Attempts<T> {
    result: Result<T, RpcError>,
    unknown: Option<RpcError>,
}

async fn repeat<T, F: Future<Output = Result<T, RpcError>>>(
    policy: Policy,
    host: &impl Host,
    is_repeatable: bool,
    mut attempt: impl FnMut() -> F,
) -> Attempts<T> {
    let started = host.elapsed();
    let left = || policy.budget.saturating_sub(host.elapsed().saturating_sub(started));
    let attempts_max = if is_repeatable { policy.attempts_max } else { 1 };
    let mut pause_max = policy.pause_max_first;
    let mut attempts = 0;
    let mut unknown = None;
    host.may_send(1);
    if policy.budget.is_zero() {
        let result = Err(RpcError::Unavailable(UpstreamCode::new("NOTIME")));
        return Attempts { result, unknown };
    }
    loop {
        attempts += 1;
        let limit = if is_repeatable { policy.attempt_max.min(left()) } else { left() };
        let answer = host.within(limit, attempt()).await;
        let result = answer.unwrap_or_else(|| Err(RpcError::Unavailable(UpstreamCode::new("TIMEOUT"))));
        let pause = host.jitter(pause_max);
        match result {
            Err(error)
                if error.is_worth_repeating()
                    && attempts < attempts_max
                    && pause < left()
                    && host.may_send(attempts + 1) =>
            {
                if matches!(error, RpcError::Unavailable(_)) {
                    unknown = Some(error);
                }
                host.sleep(pause).await;
                pause_max *= 2;
            }
            result => return Attempts { result, unknown },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::ready;

    use super::*;

    /// A clock that only waiting moves; work takes no time unless it never ends.
    #[derive(Default)]
    struct StoppedHost {
        now: Cell<Duration>,
        pauses: RefCell<Vec<Duration>>,
        is_work_endless: bool,
    }

    impl Host for StoppedHost {
        fn elapsed(&self) -> Duration {
            self.now.get()
        }

        fn jitter(&self, most: Duration) -> Duration {
            most
        }

        async fn sleep(&self, length: Duration) {
            self.pauses.borrow_mut().push(length);
            self.now.set(self.now.get() + length);
        }

        async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
            if self.is_work_endless {
                self.now.set(self.now.get() + limit);
                return None;
            }
            Some(work.await)
        }
    }

    fn contention() -> RpcError {
        RpcError::Contention(UpstreamCode::new("40P01"))
    }

    fn unavailable() -> RpcError {
        RpcError::Unavailable(UpstreamCode::new("503"))
    }

    async fn run(
        host: &StoppedHost,
        is_repeatable: bool,
        answers: Vec<Result<u8, RpcError>>,
    ) -> (usize, Result<u8, RpcError>) {
        run_under(Policy::HOUSE, host, is_repeatable, answers).await
    }

    async fn run_under(
        policy: Policy,
        host: &StoppedHost,
        is_repeatable: bool,
        answers: Vec<Result<u8, RpcError>>,
    ) -> (usize, Result<u8, RpcError>) {
        let left = RefCell::new(answers.into_iter());
        let sent = Cell::new(0);
        let result = repeat(policy, host, is_repeatable, || {
            sent.set(sent.get() + 1);
            let none_left = Err(RpcError::Bug(UpstreamCode::new("TOOMANY")));
            ready(left.borrow_mut().next().unwrap_or(none_left))
        });
        let result = result.await.result;
        (sent.get(), result)
    }

    #[tokio::test]
    async fn contention_and_a_lost_answer_are_asked_again_and_then_succeed() {
        let host = StoppedHost::default();
        let (sent, result) = run(&host, true, vec![Err(contention()), Err(unavailable()), Ok(7)]).await;
        assert_eq!((sent, result), (3, Ok(7)));
    }

    #[tokio::test]
    async fn no_call_is_sent_more_than_three_times() {
        let host = StoppedHost::default();
        let (sent, result) = run(&host, true, vec![Err(unavailable()); 9]).await;
        assert_eq!((sent, result), (3, Err(unavailable())));
    }

    #[tokio::test]
    async fn a_call_without_a_key_is_sent_once() {
        let host = StoppedHost::default();
        let (sent, result) = run(&host, false, vec![Err(contention()), Ok(7)]).await;
        assert_eq!((sent, result), (1, Err(contention())));
    }

    #[tokio::test]
    async fn a_refusal_drift_or_a_bug_is_final() {
        let refused = RpcError::Refused(Refusal::bare(ErrorCode::InsufficientBalance));
        let drift = RpcError::Drift(UpstreamCode::new("PGRST202"));
        let bug = RpcError::Bug(UpstreamCode::new("23514"));
        for error in [refused, drift, bug] {
            let (sent, result) = run(&StoppedHost::default(), true, vec![Err(error.clone()), Ok(7)]).await;
            assert_eq!((sent, result), (1, Err(error)));
        }
    }

    #[tokio::test]
    async fn pauses_double() {
        let host = StoppedHost::default();
        let (_, result) = run(&host, true, vec![Err(unavailable()); 9]).await;
        assert!(result.is_err());
        assert_eq!(*host.pauses.borrow(), [Duration::from_millis(200), Duration::from_millis(400)]);
    }

    #[tokio::test]
    async fn all_attempts_together_end_within_ten_seconds() {
        for is_repeatable in [true, false] {
            let host = StoppedHost { is_work_endless: true, ..StoppedHost::default() };
            let (_, result) = run(&host, is_repeatable, vec![]).await;
            assert_eq!(result, Err(RpcError::Unavailable(UpstreamCode::new("TIMEOUT"))));
            assert!(host.elapsed() <= Duration::from_secs(10), "{:?}", host.elapsed());
            assert!(host.elapsed() > Duration::from_secs(8), "{:?}", host.elapsed());
        }
    }

    #[tokio::test]
    async fn the_time_that_the_caller_has_waited_already_is_part_of_the_ten_seconds() {
        for is_repeatable in [true, false] {
            let host = StoppedHost { is_work_endless: true, ..StoppedHost::default() };
            let policy = Policy::HOUSE.after(Duration::from_millis(7_500));
            let (_, result) = run_under(policy, &host, is_repeatable, vec![]).await;
            assert_eq!(result, Err(RpcError::Unavailable(UpstreamCode::new("TIMEOUT"))));
            assert_eq!(host.elapsed(), Duration::from_millis(2_500));
        }
    }

    #[tokio::test]
    async fn a_call_without_any_time_left_is_not_sent() {
        for waited in [10, 11] {
            let policy = Policy::HOUSE.after(Duration::from_secs(waited));
            let (sent, result) = run_under(policy, &StoppedHost::default(), true, vec![Ok(7)]).await;
            assert_eq!((sent, result), (0, Err(RpcError::Unavailable(UpstreamCode::new("NOTIME")))));
        }
    }
}
