//! `/metrics`, for Prometheus.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::get;
use mps_core::ErrorCode;

use crate::api::Answer;
use crate::app::App;
use crate::metrics::text;
use crate::operator::MetricsReader;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/metrics", get(read))
}

async fn read(_: MetricsReader, State(app): State<App>) -> Answer {
    let totals = app.metrics().totals().await.map_err(|_| ErrorCode::Unavailable)?;
    let mut response = Response::new(Body::from(text::page(&totals)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(text::CONTENT_TYPE));
    Ok(response)
}
