//! Operations: is the process up, is everything it needs there.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::get;
use mps_client::rpc::TestConnection;
use mps_client::{CallContext, Caller};
use mps_core::{ErrorCode, limits};
use serde_json::json;

use super::{Answer, json};
use crate::app::App;
use crate::extract;
use crate::problem::Failure;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/health", get(health)).route("/ready", get(ready))
}

async fn health() -> Answer {
    json(&json!({"status": "ok"}))
}

async fn ready(State(app): State<App>, request: Request) -> Answer {
    let (parts, _) = request.into_parts();
    let context = CallContext { caller: Caller::Service, request_id: extract::request_id(&parts)? };
    let status = app.call(context, TestConnection {}).await.map_err(|error| Failure::not_ready(&error))?;
    if status.schema_version != limits::schema::VERSION {
        return Err(Failure::with_param(ErrorCode::NotConfigured, "what", "schema_version"));
    }
    json(&json!({"status": "ready", "schema_version": status.schema_version}))
}
