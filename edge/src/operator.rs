//! Whoever runs this service, known by a token of his own: for /metrics and /ops.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use mps_core::ErrorCode;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::extract::bearer_token;
use crate::problem::Failure;

/// The operator's tokens; each opens its own door, and that of the metrics opens with both.
pub(crate) struct OperatorTokens {
    /// `OPS_TOKEN`, and `OPS_TOKEN_PREVIOUS` while it is exchanged.
    pub(crate) ops: Vec<String>,
    /// `METRICS_TOKEN`, and `METRICS_TOKEN_PREVIOUS`.
    pub(crate) metrics: Vec<String>,
}

/// May start jobs.
pub(crate) struct Operator;

/// May read metrics.
pub(crate) struct MetricsReader;

impl FromRequestParts<App> for Operator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        check(parts, app.operator().ops.iter(), "OPS_TOKEN").map(|()| Self)
    }
}

impl FromRequestParts<App> for MetricsReader {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let tokens = app.operator();
        check(parts, tokens.metrics.iter().chain(&tokens.ops), "METRICS_TOKEN").map(|()| Self)
    }
}

fn check<'a>(parts: &Parts, allowed: impl Iterator<Item = &'a String>, name: &str) -> Result<(), Failure> {
    let mut allowed = allowed.peekable();
    if allowed.peek().is_none() {
        return Err(Failure::with_param(ErrorCode::NotConfigured, "what", name));
    }
    let Some(header) = parts.headers.get(AUTHORIZATION) else {
        return Err(ErrorCode::NotAuthenticated.into());
    };
    let given = header.to_str().ok().and_then(bearer_token).unwrap_or_default();
    let is_right = allowed.any(|token| bool::from(token.as_bytes().ct_eq(given.as_bytes())));
    if is_right { Ok(()) } else { Err(Failure::invalid_token()) }
}
