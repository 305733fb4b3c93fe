//! One request from end to end: id, routing, problem document, headers, log line.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::Extensions;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use mps_client::budget::{Budgeted, RetryBudget};
use mps_client::retry::{self, Policy};
use mps_client::{Call, CallContext, Client, RpcError};
use mps_core::ErrorCode;
use tower_service::Service;

use crate::auth::{Claims, NotVerified, Verified, Verifier};
use crate::config::{Choices, Config, ConfigError};
use crate::limits::{Limits, Standings};
use crate::metrics::Metrics;
use crate::operator::OperatorTokens;
use crate::platform::{Host, Patience, on_one_thread};
use crate::problem::{self, Failure};
use crate::providers::{Deadline, Providers};
use crate::readiness::Readiness;
use crate::refusals::Reports;
use crate::telemetry::{self, LogLine, Note, RouteTemplate};
use crate::{crons, headers, panics, routes};

/// A job may read all books, and nobody waits for its answer. It is called again by its next run.
const PATIENT: Policy = Policy {
    attempts_max: 1,
    budget: Duration::from_mins(5),
    attempt_max: Duration::from_mins(5),
    ..Policy::HOUSE
};

/// What every handler shares, and when its own request came.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>, Option<AskedAt>);

/// Since when a caller waits; a request extension.
#[derive(Clone, Copy)]
pub(crate) struct AskedAt(Duration);

/// What comes in and cannot become a request, by the part that is wrong; a request extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Malformed(pub(crate) &'static str);

struct Shared {
    client: Client,
    verifier: Verifier,
    host: Arc<dyn Host>,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    operator: OperatorTokens,
    reports: Reports,
    providers: Providers,
    readiness: Readiness,
    retries: RetryBudget,
    choices: Choices,
}

impl App {
    pub(crate) async fn verify_token(
        &self,
        token: &str,
        may_compute: bool,
    ) -> Result<Verified<Claims>, NotVerified> {
        self.0.verifier.verify(token, self.0.host.unix_time(), may_compute).await
    }

    /// For one request: its calls have what is left of its time.
    pub(crate) fn of_request(self, request: &Extensions) -> Self {
        Self(self.0, request.get().copied())
    }

    /// Makes one RPC call, and makes it again where that is safe and may help. What limits, keys and the body took of the request's
    /// time it has not.
    pub(crate) async fn call<C>(&self, context: CallContext, call: C) -> Result<C::Reply, RpcError>
    where
        C: Call,
    {
        let waited =
            self.1.map_or(Duration::ZERO, |AskedAt(then)| self.0.host.unix_time().saturating_sub(then));
        self.call_under(Policy::HOUSE.after(waited), context, call).await
    }

    /// Makes one RPC call that may take minutes.
    pub(crate) async fn call_patiently<C>(&self, context: CallContext, call: C) -> Result<C::Reply, RpcError>
    where
        C: Call,
    {
        self.call_under(PATIENT, context, call).await
    }

    pub(crate) async fn call_under<C: Call>(
        &self,
        policy: Policy,
        context: CallContext,
        call: C,
    ) -> Result<C::Reply, RpcError> {
        let policy = Policy { attempts_max: policy.attempts_max.min(self.0.choices.attempts_max), ..policy };
        let patience = Budgeted { patience: Patience(self.0.host.clone()), retries: &self.0.retries };
        let started_at = self.0.host.unix_time();
        let work = retry::call_repeatedly(&self.0.client, &context, &call, policy, &patience);
        let result = on_one_thread(work).await;
        self.time_call(C::RPC, outcome(&result), started_at);
        result
    }

    fn time_call(&self, rpc: &str, outcome: &str, started_at: Duration) {
        let labels = [("rpc", rpc), ("outcome", outcome)];
        let length = self.0.host.unix_time().saturating_sub(started_at);
        self.0.metrics.time("upstream_rpc_duration_seconds", &labels, length);
    }

    pub(crate) fn host(&self) -> &dyn Host {
        self.0.host.as_ref()
    }

    pub(crate) fn limits(&self) -> &Arc<Limits> {
        &self.0.limits
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    pub(crate) fn reports(&self) -> &Reports {
        &self.0.reports
    }

    pub(crate) fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }

    pub(crate) fn operator(&self) -> &OperatorTokens {
        &self.0.operator
    }

    /// When the caller of this request has waited long enough: what limits, keys, the body and calls took of its time a provider has not.
    pub(crate) fn deadline(&self) -> Deadline {
        self.1.map_or(Deadline::NONE, |AskedAt(then)| Deadline::at(then + Policy::HOUSE.budget))
    }

    pub(crate) fn choices(&self) -> Choices {
        self.0.choices
    }

    /// Writes a line that is of the level that is written.
    pub(crate) fn log(&self, line: &LogLine) {
        if line.level >= self.0.choices.log_level {
            self.0.host.log(&line.text);
        }
    }

    pub(crate) fn providers(&self) -> &Providers {
        &self.0.providers
    }
}

/// Who must act on a call's result; a metrics label.
fn outcome<T>(result: &Result<T, RpcError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(RpcError::Refused(_)) => "refused",
        Err(RpcError::Contention(_)) => "contention",
        Err(RpcError::Unavailable(_)) => "unavailable",
        Err(RpcError::Drift(_)) => "drift",
        Err(RpcError::Bug(_)) => "bug",
    }
}

/// Stands before the routes. Without a right configuration it refuses everything.
pub(crate) struct Front {
    host: Arc<dyn Host>,
    metrics: Arc<Metrics>,
    opened: Result<Opened, ConfigError>,
}

struct Opened {
    app: App,
    router: Router,
    allowed_origins: Vec<String>,
}

impl Front {
    /// Reads the configuration and builds the routes; once an isolate.
    pub(crate) fn open(variable: &dyn Fn(&str) -> Option<String>, host: Arc<dyn Host>) -> Self {
        let metrics = Arc::new(Metrics::new(host.clone()));
        let opened = Config::read(variable).map(|config| {
            let (keys, transport) = ((config.publishable_key, Some(config.secret_key)), host.transport());
            let client = Client::over(transport, &config.rest_url, keys.0, keys.1);
            let verifier = Verifier::new(&config.tokens, host.clone(), metrics.clone());
            let limits = Arc::new(Limits::new(config.limits, host.clone(), metrics.clone()));
            let shared = Shared {
                client,
                verifier,
                host: host.clone(),
                limits,
                metrics: metrics.clone(),
                operator: config.operator,
                reports: Reports::default(),
                providers: Providers::new(config.providers, &host),
                readiness: Readiness::default(),
                retries: RetryBudget::default(),
                choices: config.choices,
            };
            let app = App(Arc::new(shared), None);
            let router = routes::all().layer(middleware::from_fn(note_route)).with_state(app.clone());
            Opened { app, router, allowed_origins: config.allowed_origins }
        });
        if let Err(error) = opened {
            host.log(&telemetry::line_of_refused_start(host.unix_time(), error));
        }
        Self { host, metrics, opened }
    }

    /// Answers what cannot become a request.
    pub(crate) async fn refuse(&self, what: Malformed) -> Response {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(what);
        self.answer(request).await
    }

    /// Answers one request, whatever it is.
    pub(crate) async fn answer(&self, mut request: Request) -> Response {
        let started_at = self.host.unix_time();
        let request_id = headers::request_id(self.host.random_bytes());
        let caller_request_id = headers::caller_request_id(request.headers());
        let (method, is_api) = (request.method().clone(), request.uri().path().starts_with("/api/"));
        request.extensions_mut().insert(request_id.clone());
        request.extensions_mut().insert(AskedAt(started_at));
        let standings = Standings::default();
        request.extensions_mut().insert(standings.clone());
        let (response, origin) = match &self.opened {
            Ok(opened) => {
                let origin = headers::allowed_origin(&request, &opened.allowed_origins);
                let answered = panics::caught(opened.route(request, &standings)).await;
                (answered.unwrap_or_else(|_| Failure::from(ErrorCode::Internal).into_response()), origin)
            }
            Err(error) => {
                let failure = Failure::with_param(ErrorCode::NotConfigured, "what", error.name);
                (failure.into_response(), None)
            }
        };
        let mut response = problem::write_document(response, &request_id);
        standings.write(&mut response);
        let ended_at = self.host.unix_time();
        headers::finish(&mut response, &request_id, is_api, origin, ended_at);
        let answered = telemetry::Answered {
            ended_at,
            duration: ended_at.checked_sub(started_at).unwrap_or(Duration::ZERO),
            request_id: &request_id,
            caller_request_id: caller_request_id.as_deref(),
            method: &method,
            route: response.extensions().get::<RouteTemplate>(),
            status: response.status(),
            note: response.extensions().get::<Note>(),
            failure: response.extensions().get::<Failure>(),
        };
        let line = telemetry::line(&answered);
        match &self.opened {
            Ok(opened) => opened.app.log(&line),
            Err(_) => self.host.log(&line.text),
        }
        self.metrics.record(&answered, headers::is_replayed(&response));
        self.metrics.send_later();
        response
    }

    /// Runs the jobs of one time of wrangler.toml.
    pub(crate) async fn run_schedule(&self, schedule: &str) {
        let request_id = headers::request_id(self.host.random_bytes());
        let count = match &self.opened {
            Ok(opened) => crons::run_schedule(&opened.app, schedule, &request_id).await,
            Err(_) => 0,
        };
        if count == 0 {
            self.host.log(&telemetry::line_of_idle_schedule(self.host.unix_time()));
        }
        self.metrics.send().await;
    }
}

impl Opened {
    async fn route(&self, request: Request, standings: &Standings) -> Response {
        if let Some(Malformed(what)) = request.extensions().get() {
            return Failure::with_param(ErrorCode::MalformedArgument, "field", *what).into_response();
        }
        if headers::is_preflight(&request) {
            return headers::preflight();
        }
        if is_anonymous(&request)
            && let Err(failure) = self.app.limits().admit_address(request.headers(), standings)
        {
            return failure.into_response();
        }
        // A Router is always ready and never fails.
        match self.router.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Whether it asks for the API without saying who asks. Providers notify without a token of ours: their signature counts.
fn is_anonymous(request: &Request) -> bool {
    let path = request.uri().path();
    path.starts_with("/api/")
        && !path.starts_with("/api/webhooks/")
        && !request.headers().contains_key(AUTHORIZATION)
}

/// Leaves the route's template on the response, for the log: the path itself may hold anything.
async fn note_route(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(path) = path {
        response.extensions_mut().insert(RouteTemplate(path.as_str().to_owned()));
    }
    response
}
