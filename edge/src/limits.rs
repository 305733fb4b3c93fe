//! How much one caller may ask: who counts against which quota, and what the reply says about it.
//!
//! No request waits for a limiter. An isolate counts by itself and refuses by what it knows; after the reply it tells the object that adds up
//! what it counted, and learns what all have taken. So a caller who asks several isolates at once gets at most what each of them lets in before it
//! has told: isolates × [`PAUSE`]. Where the object cannot be reached, each isolate goes on with what it knows.

pub(crate) mod address;
mod in_flight;
pub(crate) mod window;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use mps_client::retry::Host as _;
use mps_core::ErrorCode;
use mps_core::limits::edge;
use rsa::sha2::{Digest, Sha256};
use serde::{Deserialize, Serialize};

use self::in_flight::InFlight;
pub(crate) use self::in_flight::Place;
use self::window::{Demand, Taken, Windows};
use crate::metrics::Metrics;
use crate::platform::{Host, Patience, Work};
use crate::problem::Failure;
use crate::telemetry;

/// What was counted is told this much later, so that a busy isolate tells it seldom.
const PAUSE: Duration = Duration::from_millis(500);
/// An object that has not answered by then is taken for broken.
const WAIT_MAX: Duration = Duration::from_millis(900);
/// Cloudflare ends work after a reply at 30 s; until then one request tells for those that follow it.
const ROUNDS_MAX: u32 = 20;
const TELLING_MAX: Duration = Duration::from_secs(30);
/// The names of one table are shared out among so many objects.
const SHARDS: usize = 4;

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
        let is_sensible = (1..=edge::RATE_REQUESTS_MAX).contains(&quota.requests)
            && (1..=edge::RATE_WINDOW_SECONDS_MAX).contains(&quota.window_seconds);
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

/// How a quota stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) scope: Scope,
    pub(crate) quota: Quota,
    pub(crate) remaining: u32,
    pub(crate) reset_seconds: u64,
    pub(crate) is_refused: bool,
}

/// Whose table it is: what strangers fill is not that of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Users,
    Strangers,
}

impl Group {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Strangers => "strangers",
        }
    }
}

/// No answer from the object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExchangeLost;

/// Where all isolates' counts are added up.
pub(crate) trait Exchange: Send + Sync {
    /// Adds what one isolate took; answers what all have taken under the same names.
    fn add(&self, group: Group, shard: u64, told: Vec<Taken>) -> Work<Result<Vec<Taken>, ExchangeLost>>;
}

/// Which quotas there are; `None` is off.
pub(crate) struct LimitRules {
    /// `RATE_LIMIT_USER`.
    pub(crate) user: Option<Quota>,
    /// `RATE_LIMIT_PAYMENT`.
    pub(crate) payment: Option<Quota>,
    /// `RATE_LIMIT_ADDRESS`.
    pub(crate) address: Option<Quota>,
    /// `REQUESTS_IN_FLIGHT`: of one user at once.
    pub(crate) in_flight: Option<u32>,
    /// `TRUSTED_ADDRESS_HEADER`.
    pub(crate) address_header: Option<HeaderName>,
    /// The same in all isolates, and nobody else's: names in the tables are keyed with it.
    pub(crate) key: [u8; 32],
}

/// The quotas of one request as they came to be known; a request extension that the reply's headers are made of.
#[derive(Clone, Default)]
pub(crate) struct Standings(Arc<Mutex<Vec<Standing>>>);

impl Standings {
    fn set(&self, standings: Vec<Standing>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = standings;
    }

    /// `RateLimit` and `RateLimit-Policy` as draft-ietf-httpapi-ratelimit-headers has them.
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
        let headers = response.headers_mut();
        let mut put = |name, text: String| {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        };
        put(RATE_LIMIT_POLICY, policies.join(", "));
        put(RATE_LIMIT, rests.join(", "));
    }
}

fn retry_after_seconds(standings: &[Standing]) -> Option<u64> {
    standings.iter().filter(|at| at.is_refused).map(|at| at.reset_seconds).max()
}

/// What one of the tables of an isolate needs besides its windows.
#[derive(Default)]
struct Table {
    windows: Windows,
    telling_since: Option<Duration>,
}

/// The limits of this edge.
pub(crate) struct Limits {
    rules: LimitRules,
    host: Arc<dyn Host>,
    metrics: Arc<Metrics>,
    users: Mutex<Table>,
    strangers: Mutex<Table>,
    in_flight: InFlight,
}

impl Limits {
    pub(crate) fn new(rules: LimitRules, host: Arc<dyn Host>, metrics: Arc<Metrics>) -> Self {
        let in_flight = InFlight::new(rules.in_flight);
        Self { rules, host, metrics, users: Mutex::default(), strangers: Mutex::default(), in_flight }
    }

    /// A request that brings no token, or brought a wrong one.
    pub(crate) fn admit_address(
        self: &Arc<Self>,
        headers: &HeaderMap,
        at: &Standings,
    ) -> Result<(), Failure> {
        let identity = self.client(headers);
        let demand =
            self.demand(Scope::Address, self.rules.address, identity.as_deref().unwrap_or("unknown"));
        self.admit(Group::Strangers, demand.as_slice(), at)
    }

    /// A question whether the edge is ready, of an address that is known: it is asked by those who watch it, and they get no token.
    pub(crate) fn admit_probe(self: &Arc<Self>, headers: &HeaderMap, at: &Standings) -> Result<(), Failure> {
        let Some(client) = self.client(headers) else { return Ok(()) };
        let demand = self.demand(Scope::Address, self.rules.address, &format!("ready/{client}"));
        self.admit(Group::Strangers, demand.as_slice(), at)
    }

    /// Whether a signature may be computed for whoever sent this. Many share an address that is not known: they are not held for each other.
    pub(crate) fn may_compute(&self, headers: &HeaderMap) -> bool {
        let Some(demand) = self.of_forger(headers) else { return true };
        let now = millis(self.host.unix_time());
        let standings = locked(&self.strangers).windows.look(&[demand], now);
        standings.iter().all(|standing| !standing.is_refused)
    }

    /// A signature was computed, and it was wrong.
    pub(crate) fn count_forgery(self: &Arc<Self>, headers: &HeaderMap) {
        if let Some(demand) = self.of_forger(headers) {
            locked(&self.strangers).windows.take(&[demand], millis(self.host.unix_time()));
            self.tell_later(Group::Strangers);
        }
    }

    fn of_forger(&self, headers: &HeaderMap) -> Option<Demand> {
        let client = self.client(headers)?;
        self.demand(Scope::Address, self.rules.address, &format!("forged/{client}"))
    }

    /// A signed-in user's request. Payments count twice: they cost the most, and whoever asks for quotes until one is
    /// refused learns a balance. They count by user and not by terminal: a request only claims its terminal, and a new
    /// name a request would be a new quota. It takes its place among those of the user that are under way.
    pub(crate) fn admit_user(
        self: &Arc<Self>,
        user: &str,
        path: &str,
        at: &Standings,
    ) -> Result<Place, Failure> {
        let payment = self.rules.payment.filter(|_| path.starts_with("/api/payment/"));
        let demands = [(Scope::User, self.rules.user), (Scope::Payment, payment)];
        let demands: Vec<Demand> =
            demands.into_iter().filter_map(|(scope, quota)| self.demand(scope, quota, user)).collect();
        self.admit(Group::Users, &demands, at)?;
        self.in_flight.enter(self.name(user)).ok_or_else(|| {
            self.metrics.count("rate_limited_total", &[("scope", "in_flight")]);
            Failure::with_param(ErrorCode::RateLimited, "retry_after_seconds", 1)
        })
    }

    /// A request with a token of the user's that is over. It counts by user, and apart: an old token of theirs must not use up what they have.
    pub(crate) fn admit_expired(self: &Arc<Self>, user: &str, at: &Standings) -> Result<(), Failure> {
        let demand = self.demand(Scope::User, self.rules.user, &format!("expired/{user}"));
        self.admit(Group::Users, demand.as_slice(), at)
    }

    fn admit(self: &Arc<Self>, group: Group, demands: &[Demand], at: &Standings) -> Result<(), Failure> {
        if demands.is_empty() {
            return Ok(());
        }
        let known = locked(self.table(group)).windows.take(demands, millis(self.host.unix_time()));
        let retry_after = retry_after_seconds(&known);
        for standing in known.iter().filter(|standing| standing.is_refused) {
            self.metrics.count("rate_limited_total", &[("scope", standing.scope.as_str())]);
        }
        at.set(known);
        if let Some(seconds) = retry_after {
            return Err(Failure::with_param(ErrorCode::RateLimited, "retry_after_seconds", seconds));
        }
        self.tell_later(group);
        Ok(())
    }

    fn client(&self, headers: &HeaderMap) -> Option<String> {
        address::client(headers, self.rules.address_header.as_ref())
    }

    fn demand(&self, scope: Scope, quota: Option<Quota>, identity: &str) -> Option<Demand> {
        let quota = quota?;
        // A quota of another length counts anew: its slots are others.
        let name = self.name(&format!("{}/{}/{identity}", scope.as_str(), quota.window_seconds));
        Some(Demand { name, scope, quota })
    }

    fn name(&self, identity: &str) -> u64 {
        let hash = Sha256::new().chain_update(self.rules.key).chain_update(identity).finalize();
        hash.iter().take(8).fold(0, |name, byte| (name << 8) | u64::from(*byte))
    }

    fn table(&self, group: Group) -> &Mutex<Table> {
        match group {
            Group::Users => &self.users,
            Group::Strangers => &self.strangers,
        }
    }

    /// Sees to it that what was counted is told after the reply: now one request tells for all.
    fn tell_later(self: &Arc<Self>, group: Group) {
        let now = self.host.unix_time();
        let mut table = locked(self.table(group));
        // Who began long ago was ended by the host.
        if table.telling_since.is_some_and(|since| now.saturating_sub(since) <= TELLING_MAX) {
            return;
        }
        table.telling_since = Some(now);
        drop(table);
        let limits = self.clone();
        self.host.after_reply(Box::pin(async move {
            for _ in 0..ROUNDS_MAX {
                limits.host.sleep(PAUSE).await;
                if !limits.tell(group).await {
                    break;
                }
            }
            locked(limits.table(group)).telling_since = None;
        }));
    }

    /// Tells what there is to tell; answers whether there was any.
    async fn tell(&self, group: Group) -> bool {
        let mut shards: [Vec<Taken>; SHARDS] = Default::default();
        for taken in locked(self.table(group)).windows.untold() {
            let [.., last] = taken.name.to_be_bytes();
            shards[usize::from(last) % SHARDS].push(taken);
        }
        let mut has_told = false;
        for (shard, told) in (0..).zip(shards).filter(|(_, told)| !told.is_empty()) {
            has_told = true;
            let work = self.host.exchange().add(group, shard, told.clone());
            let answer = Patience(self.host.clone()).within(WAIT_MAX, work).await;
            let mut table = locked(self.table(group));
            if let Some(Ok(all)) = answer {
                table.windows.learn(all, millis(self.host.unix_time()));
                continue;
            }
            table.windows.take_back(told);
            drop(table);
            self.note_loss();
            return false;
        }
        has_told
    }

    fn note_loss(&self) {
        self.metrics.count("rate_limiter_failures_total", &[]);
        self.host.log(&telemetry::line_of_lost_limiter(self.host.unix_time()));
    }
}

fn locked(table: &Mutex<Table>) -> std::sync::MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(since_1970: Duration) -> u64 {
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
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
    }
}
