//! Operations: is the process up, is everything it needs there.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use base64ct::{Base64UrlUnpadded, Encoding};
use mps_core::{ErrorCode, limits};
use rsa::sha2::{Digest, Sha256};
use serde_json::json;

use crate::api::{Answer, json};
use crate::app::App;
use crate::limits::Standings;
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
const OPENAPI: &str = include_str!("../../openapi.json");

static OPENAPI_TAG: LazyLock<String> = LazyLock::new(|| {
    let hash = Sha256::digest(OPENAPI);
    format!("\"{}\"", Base64UrlUnpadded::encode_string(&hash[..16]))
});

async fn openapi(headers: HeaderMap) -> Response {
    let is_known = is_among(headers.get(IF_NONE_MATCH), &OPENAPI_TAG);
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(OPENAPI) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Ok(tag) = HeaderValue::from_str(&OPENAPI_TAG) {
        response.headers_mut().insert(ETAG, tag);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    response
}

/// Compared weakly (RFC 9110, 13.1.2).
fn is_among(header: Option<&HeaderValue>, tag: &str) -> bool {
    let tags = header.and_then(|value| value.to_str().ok()).unwrap_or_default().split(',').map(str::trim);
    tags.into_iter().any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// That of this build or a later one: a migration lets the release before go on, and is there before the edges are exchanged.
fn is_schema_for_us(version: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    number(version).is_some_and(|version| Some(version) >= number(limits::schema::VERSION))
}

async fn ready(State(app): State<App>, request: Request) -> Answer {
    let standings = request.extensions().get::<Standings>().cloned().unwrap_or_default();
    app.limits().admit_probe(request.headers(), &standings)?;
    let schema_version = app.readiness().look(&app).await?;
    if !is_schema_for_us(&schema_version) {
        return Err(Failure::with_param(ErrorCode::NotConfigured, "what", "schema_version"));
    }
    json(&json!({"status": "ready", "schema_version": schema_version}))
}
