//! All routes: one file a noun. An address without a route and a wrong method are refused here.

mod codes;
mod crons;
mod members;
mod metrics;
mod ops;
mod payments;
#[cfg(feature = "test-panic")]
mod test_panic;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use mps_core::ErrorCode;
use serde::Serialize;

use crate::app::App;
use crate::problem::Failure;

const PATH_CHARS_MAX: usize = 256;

/// What a handler answers.
type Answer = Result<Response, Failure>;

pub(crate) fn all() -> Router<App> {
    let routes = Router::new()
        .merge(codes::routes())
        .merge(crons::routes())
        .merge(members::routes())
        .merge(metrics::routes())
        .merge(ops::routes())
        .merge(payments::routes());
    #[cfg(feature = "test-panic")]
    let routes = routes.merge(test_panic::routes());
    routes.fallback(refuse_address).method_not_allowed_fallback(refuse_method)
}

async fn refuse_address(request: Request) -> Failure {
    let path: String = request.uri().path().chars().take(PATH_CHARS_MAX).collect();
    Failure::with_param(ErrorCode::NotFound, "path", path)
}

async fn refuse_method() -> Failure {
    ErrorCode::MethodNotAllowed.into()
}

fn json(body: &impl Serialize) -> Answer {
    let text = serde_json::to_string(body).map_err(|_| ErrorCode::Internal)?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[cfg(test)]
mod tests;
