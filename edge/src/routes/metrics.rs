//! `/metrics`, for Prometheus.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::get;
use mps_client::retry::Policy;
use mps_client::rpc::{SystemHealthCheck, TestConnection};
use mps_client::{CallContext, Caller, RpcError};
use mps_core::ErrorCode;

use crate::api::Answer;
use crate::app::App;
use crate::headers;
use crate::metrics::text::{self, Ledger};
use crate::operator::MetricsReader;

/// Prometheus gives a scrape ten seconds: two questions, and the page is there in half of that.
const GLANCE: Policy = Policy {
    attempts_max: 1,
    budget: Duration::from_secs(2),
    attempt_max: Duration::from_secs(2),
    ..Policy::HOUSE
};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/metrics", get(read))
}

async fn read(_: MetricsReader, State(app): State<App>) -> Answer {
    let totals = app.metrics().totals().await.map_err(|_| ErrorCode::Unavailable)?;
    let ledger = look(&app).await.ok();
    let page = text::page(&totals) + &text::ledger(ledger.as_ref());
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(text::CONTENT_TYPE));
    Ok(response)
}

/// What the database says of itself.
async fn look(app: &App) -> Result<Ledger, RpcError> {
    let request_id = headers::request_id(app.host().random_bytes());
    let context = CallContext { caller: Caller::Service, request_id };
    let checks = app.call_under(GLANCE, context.clone(), SystemHealthCheck {}).await?;
    let before = app.host().unix_time();
    let status = app.call_under(GLANCE, context, TestConnection {}).await?;
    // It looked at its clock somewhere in between.
    let ours = (before + app.host().unix_time()) / 2;
    let ours = i64::try_from(ours.as_millis()).unwrap_or(i64::MAX);
    Ok(Ledger { checks, clock_offset_millis: status.server_time.unix_millis().saturating_sub(ours) })
}
