//! The HTTP front door of MPS.

use worker::{Context, Env, HttpRequest, event};

#[event(fetch)]
async fn fetch(
    _request: HttpRequest,
    _env: Env,
    _context: Context,
) -> worker::Result<http::Response<axum::body::Body>> {
    Ok(http::Response::new(axum::body::Body::from("ok")))
}
