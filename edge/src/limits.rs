//! How much one caller may ask: who counts against which quota, and what the reply says about it.
//!
//! A limiter that fails or takes too long lets the request pass: limits protect the service, they must not be what ends it.

pub(crate) mod address;
mod refused;
pub(crate) mod window;
pub(crate) mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use mps_client::retry::Host as _;
use mps_core::ErrorCode;
use serde::{Deserialize, Serialize};

use self::refused::Refused;
use crate::metrics::Metrics;
use crate::platform::{Host, Patience, Work};
use crate::problem::Failure;
use crate::telemetry;

/// A limiter that has not answered by then is taken for broken.
const WAIT_MAX: Duration = Duration::from_millis(900);

const REQUESTS_MAX: u32 = 1_000_000;
const WINDOW_SECONDS_MAX: u32 = 3600;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// So many requests in any stretch of so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quota {
    pub(crate) requests: u32,
    pub(crate) window_seconds: u32,
}

impl Quota {
    pub(crate) const USER: Self = Self { requests: 1000, window_seconds: 60 };
    pub(crate) const PAYMENT: Self = Self { requests: 50, window_seconds: 10 };
    pub(crate) const ADDRESS: Self = Self { requests: 100, window_seconds: 10 };

    /// `1000/60`; `off` is no quota. The outer `None` is for what is neither.
    #[expect(clippy::option_option, reason = "malformed, off and a quota are three answers")]
    pub(crate) fn parse(text: &str) -> Option<Option<Self>> {
        if text == "off" {
            return Some(None);
        }
        let (requests, window_seconds) = text.split_once('/')?;
        let quota = Self { requests: requests.parse().ok()?, window_seconds: window_seconds.parse().ok()? };
        let is_sensible = (1..=REQUESTS_MAX).contains(&quota.requests)
            && (1..=WINDOW_SECONDS_MAX).contains(&quota.window_seconds);
        is_sensible.then_some(Some(quota))
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Requests without a right token, of one address.
    Address,
    /// All requests of one user.
    User,
    /// Those to /api/payment/.
    Payment,
}

impl Scope {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::User => "user",
            Self::Payment => "payment",
        }
    }
}

/// One request against one quota.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Demand {
    pub(crate) scope: Scope,
    /// Whose quota.
    pub(crate) identity: String,
    pub(crate) quota: Quota,
}

/// How a quota stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) scope: Scope,
    pub(crate) quota: Quota,
    pub(crate) remaining: u32,
    pub(crate) reset_seconds: u64,
    pub(crate) is_refused: bool,
}

/// No answer from a limiter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimiterLost;

/// Who counts. One that cannot tell how a quota stands answers only refusals.
pub(crate) trait Limiter: Send + Sync {
    /// Counts against all demands, or against none when one is refused.
    fn take(&self, demands: Vec<Demand>) -> Work<Result<Vec<Standing>, LimiterLost>>;

    /// Whether what it refuses stays refused until the time that it tells.
    fn knows_when(&self) -> bool;
}

/// Which quotas there are; `None` is off.
pub(crate) struct LimitRules {
    /// `RATE_LIMIT_USER`.
    pub(crate) user: Option<Quota>,
    /// `RATE_LIMIT_PAYMENT`.
    pub(crate) payment: Option<Quota>,
    /// `RATE_LIMIT_ADDRESS`.
    pub(crate) address: Option<Quota>,
    /// `TRUSTED_ADDRESS_HEADER`.
    pub(crate) address_header: Option<HeaderName>,
}

/// The quotas of one request as they came to be known; a request extension that the reply's headers are made of.
#[derive(Clone, Default)]
pub(crate) struct Standings(Arc<Mutex<Vec<Standing>>>);

impl Standings {
    fn set(&self, standings: Vec<Standing>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = standings;
    }

    /// `RateLimit` and `RateLimit-Policy` as draft-ietf-httpapi-ratelimit-headers has them, `Retry-After` with a refusal.
    pub(crate) fn write(&self, response: &mut Response) {
        let standings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if standings.is_empty() {
            return;
        }
        let policies: Vec<String> = standings
            .iter()
            .map(|at| {
                format!(r#""{}";q={};w={}"#, at.scope.as_str(), at.quota.requests, at.quota.window_seconds)
            })
            .collect();
        let rests: Vec<String> = standings
            .iter()
            .map(|at| format!(r#""{}";r={};t={}"#, at.scope.as_str(), at.remaining, at.reset_seconds))
            .collect();
        let retry_after = retry_after_seconds(&standings).map(|seconds| seconds.to_string());
        let headers = response.headers_mut();
        let mut put = |name, text: String| {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        };
        put(RATE_LIMIT_POLICY, policies.join(", "));
        put(RATE_LIMIT, rests.join(", "));
        if let Some(seconds) = retry_after {
            put(RETRY_AFTER, seconds);
        }
    }
}

fn retry_after_seconds(standings: &[Standing]) -> Option<u64> {
    standings.iter().filter(|at| at.is_refused).map(|at| at.reset_seconds).max()
}

/// The limits of this edge.
pub(crate) struct Limits {
    rules: LimitRules,
    host: Arc<dyn Host>,
    metrics: Arc<Metrics>,
    refused: Refused,
}

impl Limits {
    pub(crate) fn new(rules: LimitRules, host: Arc<dyn Host>, metrics: Arc<Metrics>) -> Self {
        Self { rules, host, metrics, refused: Refused::default() }
    }

    /// A request that brings no token, or brought a wrong one.
    pub(crate) async fn admit_address(&self, headers: &HeaderMap, at: &Standings) -> Result<(), Failure> {
        let Some(quota) = self.rules.address else { return Ok(()) };
        let identity = address::client(headers, self.rules.address_header.as_ref());
        self.admit(vec![Demand { scope: Scope::Address, identity, quota }], at).await
    }

    /// A signed-in user's request. Payments count twice: they cost the most, and whoever asks for quotes until one is
    /// refused learns a balance. They count by user and not by terminal: a request only claims its terminal, and a new
    /// name a request would be a new quota.
    pub(crate) async fn admit_user(&self, user: &str, path: &str, at: &Standings) -> Result<(), Failure> {
        let payment = self.rules.payment.filter(|_| path.starts_with("/api/payment/"));
        let quotas = [(Scope::User, self.rules.user), (Scope::Payment, payment)];
        let demands = quotas
            .into_iter()
            .filter_map(|(scope, quota)| Some(Demand { scope, identity: user.to_owned(), quota: quota? }));
        self.admit(demands.collect(), at).await
    }

    async fn admit(&self, demands: Vec<Demand>, at: &Standings) -> Result<(), Failure> {
        if demands.is_empty() {
            return Ok(());
        }
        let known = match self.refused.recall(&demands, self.host.unix_time()) {
            Some(standings) => standings,
            None => self.take(&demands).await,
        };
        let retry_after = retry_after_seconds(&known);
        for standing in known.iter().filter(|standing| standing.is_refused) {
            self.metrics.count("rate_limited_total", &[("scope", standing.scope.as_str())]);
        }
        at.set(known);
        match retry_after {
            Some(seconds) => Err(Failure::with_param(ErrorCode::RateLimited, "retry_after_seconds", seconds)),
            None => Ok(()),
        }
    }

    /// Asks one limiter after the other until one refuses.
    async fn take(&self, demands: &[Demand]) -> Vec<Standing> {
        let mut known = Vec::new();
        for limiter in self.host.limiters() {
            let patience = Patience(self.host.clone());
            match patience.within(WAIT_MAX, limiter.take(demands.to_vec())).await {
                Some(Ok(standings)) => known = standings,
                Some(Err(LimiterLost)) | None => self.let_pass(),
            }
            if known.iter().any(|standing| standing.is_refused) {
                if limiter.knows_when() {
                    self.refused.keep(demands, &known, self.host.unix_time());
                }
                break;
            }
        }
        known
    }

    fn let_pass(&self) {
        self.metrics.count("rate_limiter_failures_total", &[]);
        self.host.log(&telemetry::line_of_lost_limiter(self.host.unix_time()));
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_quota_is_requests_and_seconds_or_off() {
        let quota = |requests, window_seconds| Some(Some(Quota { requests, window_seconds }));
        assert_eq!(Quota::parse("1000/60"), quota(1000, 60));
        assert_eq!(Quota::parse("off"), Some(None));
        for text in ["", "60", "0/60", "10/0", "10/3601", "1000001/60", "-1/60", "a/b", "10/60/2", "OFF"] {
            assert_eq!(Quota::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_headers_are_those_of_the_draft() {
        let standing = |scope, quota, remaining, is_refused| Standing {
            scope,
            quota,
            remaining,
            reset_seconds: 7,
            is_refused,
        };
        let standings = Standings::default();
        let mut response = Response::new(Body::empty());
        standings.write(&mut response);
        assert!(response.headers().is_empty());
        standings.set(vec![
            standing(Scope::User, Quota::USER, 9, false),
            standing(Scope::Payment, Quota::PAYMENT, 0, true),
        ]);
        standings.write(&mut response);
        let headers = response.headers();
        assert_eq!(headers["ratelimit-policy"], r#""user";q=1000;w=60, "payment";q=50;w=10"#);
        assert_eq!(headers["ratelimit"], r#""user";r=9;t=7, "payment";r=0;t=7"#);
        assert_eq!(headers["retry-after"], "7");
    }
}
