//! Operations: is the process up, is everything it needs there.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::get;
use mps_client::rpc::TestConnection;
use mps_client::{CallContext, Caller};
use mps_core::{ErrorCode, limits};
use serde_json::json;

use crate::api::{Answer, json};
use crate::app::App;
use crate::extract;
use crate::problem::Failure;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/openapi.json", get(openapi))
}

async fn health() -> Answer {
    json(&json!({"status": "ok"}))
}

/// Everything the edge offers, for programs that read; held against the routes by a test.
async fn openapi() -> Response {
    let mut response = Response::new(Body::from(include_str!("../../openapi.json")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn ready(State(app): State<App>, request: Request) -> Answer {
    let (parts, _) = request.into_parts();
    let context = CallContext { caller: Caller::Service, request_id: extract::request_id(&parts)? };
    let app = app.of_request(&parts.extensions);
    let status = app.call(context, TestConnection {}).await.map_err(|error| Failure::not_ready(&error))?;
    if status.schema_version != limits::schema::VERSION {
        return Err(Failure::with_param(ErrorCode::NotConfigured, "what", "schema_version"));
    }
    json(&json!({"status": "ready", "schema_version": status.schema_version}))
}
