//! The Worker: builds the App once an isolate and hands every event over. What it answers is in `app` and `routes`.

mod api;
mod app;
mod auth;
mod config;
mod crons;
mod durable;
mod extract;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod headers;
mod limits;
mod metrics;
mod operator;
mod panics;
mod platform;
mod problem;
mod providers;
mod readiness;
mod recharging;
mod refusals;
mod routes;
mod telemetry;

use std::sync::{Arc, OnceLock};

use worker::{Context, Env, ScheduleContext, ScheduledEvent, event, web_sys};

use crate::app::Front;
use crate::platform::{WorkerHost, exchange};

static FRONT: OnceLock<Front> = OnceLock::new();

fn front(env: &Env) -> &'static Front {
    FRONT.get_or_init(|| {
        platform::log_panics();
        let variable = |name: &str| platform::variable(env, name);
        Front::open(&variable, Arc::new(WorkerHost::new(env.clone())))
    })
}

#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, _context: Context) -> worker::Result<web_sys::Response> {
    let front = front(&env);
    let response = match exchange::request(request) {
        Ok(request) => front.answer(request).await,
        Err(what) => front.refuse(what).await,
    };
    exchange::response(response).await
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    front(&env).run_schedule(&event.cron()).await;
}
