//! One request from end to end: id, routing, problem document, headers, log line.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use mps_client::retry::{self, Policy};
use mps_client::{Call, CallContext, Client, RpcError};
use mps_core::ErrorCode;
use tower_service::Service;

use crate::auth::{Claims, Hs256Verifier, TokenRefused, Verified};
use crate::config::{Config, ConfigError};
use crate::platform::{Host, Patience, on_one_thread};
use crate::problem::{self, Failure};
use crate::telemetry::{self, Note, RouteTemplate};
use crate::{headers, routes};

/// What every handler shares.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

struct Shared {
    client: Client,
    verifier: Hs256Verifier,
    host: Arc<dyn Host>,
}

impl App {
    pub(crate) fn verify_token(&self, token: &str) -> Result<Verified<Claims>, TokenRefused> {
        self.0.verifier.verify(token, self.0.host.unix_time())
    }

    /// Makes one RPC call, and makes it again where that is safe and may help.
    pub(crate) async fn call<C>(&self, context: CallContext, call: C) -> Result<C::Reply, RpcError>
    where
        C: Call,
    {
        let patience = Patience(self.0.host.clone());
        on_one_thread(retry::call_repeatedly(&self.0.client, &context, &call, Policy::HOUSE, &patience)).await
    }
}

/// Stands before the routes. Without a right configuration it refuses everything.
pub(crate) struct Front {
    host: Arc<dyn Host>,
    opened: Result<Opened, ConfigError>,
}

struct Opened {
    router: Router,
    allowed_origins: Vec<String>,
}

impl Front {
    /// Reads the configuration and builds the routes; once an isolate.
    pub(crate) fn open(variable: &dyn Fn(&str) -> Option<String>, host: Arc<dyn Host>) -> Self {
        let opened = Config::read(variable).map(|config| {
            let client = Client::new(&config.supabase_url, config.publishable_key, Some(config.secret_key));
            let verifier = Hs256Verifier::new(&config.tokens);
            let app = App(Arc::new(Shared { client, verifier, host: host.clone() }));
            let router = routes::all().layer(middleware::from_fn(note_route)).with_state(app);
            Opened { router, allowed_origins: config.allowed_origins }
        });
        if let Err(error) = opened {
            host.log(&telemetry::line_of_refused_start(host.unix_time(), error));
        }
        Self { host, opened }
    }

    /// Answers one request, whatever it is.
    pub(crate) async fn answer(&self, mut request: Request) -> Response {
        let started_at = self.host.unix_time();
        let request_id = headers::request_id(request.headers(), self.host.random_bytes());
        let (method, is_api) = (request.method().clone(), request.uri().path().starts_with("/api/"));
        request.extensions_mut().insert(request_id.clone());
        let (response, origin) = match &self.opened {
            Ok(opened) => {
                let origin = headers::allowed_origin(&request, &opened.allowed_origins);
                (opened.route(request).await, origin)
            }
            Err(error) => {
                let failure = Failure::with_param(ErrorCode::NotConfigured, "what", error.name);
                (failure.into_response(), None)
            }
        };
        let mut response = problem::write_document(response, &request_id);
        headers::finish(&mut response, &request_id, is_api, origin);
        let ended_at = self.host.unix_time();
        self.host.log(&telemetry::line(&telemetry::Answered {
            ended_at,
            duration: ended_at.checked_sub(started_at).unwrap_or(Duration::ZERO),
            request_id: &request_id,
            method: &method,
            route: response.extensions().get::<RouteTemplate>(),
            status: response.status(),
            note: response.extensions().get::<Note>(),
            failure: response.extensions().get::<Failure>(),
        }));
        response
    }
}

impl Opened {
    async fn route(&self, request: Request) -> Response {
        if headers::is_preflight(&request) {
            return headers::preflight();
        }
        // A Router is always ready and never fails.
        match self.router.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Leaves the route's template on the response, for the log: the path itself may hold anything.
async fn note_route(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(path) = path {
        response.extensions_mut().insert(RouteTemplate(path.as_str().to_owned()));
    }
    response
}
