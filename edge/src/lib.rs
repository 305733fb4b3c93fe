//! The Worker: builds the App once an isolate and hands every request over. What it answers is in `app` and `routes`.

mod app;
mod auth;
mod config;
mod extract;
mod headers;
mod platform;
mod problem;
mod routes;
mod telemetry;

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::Response;
use worker::{Context, Env, HttpRequest, event};

use crate::app::Front;
use crate::platform::WorkerHost;

static FRONT: OnceLock<Front> = OnceLock::new();

#[event(fetch)]
async fn fetch(request: HttpRequest, env: Env, _context: Context) -> worker::Result<Response<Body>> {
    let front = FRONT.get_or_init(|| {
        platform::log_panics();
        let variable = |name: &str| platform::variable(&env, name);
        Front::open(&variable, Arc::new(WorkerHost))
    });
    Ok(front.answer(request.map(Body::new)).await)
}
