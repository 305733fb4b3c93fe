//! The jobs that run by the clock, for who runs them where no clock of the host does.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::routing::{get, post};
use mps_core::ErrorCode;

use crate::api::{Answer, json};
use crate::app::App;
use crate::crons;
use crate::extract;
use crate::operator::Operator;
use crate::problem::Failure;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/ops/cron", get(list)).route("/ops/cron/{name}", post(run))
}

async fn list(_: Operator) -> Answer {
    json(&crons::ALL)
}

async fn run(_: Operator, State(app): State<App>, Path(name): Path<String>, request: Request) -> Answer {
    let request_id = extract::request_id(&request.into_parts().0)?;
    let cron = crons::find(&name).ok_or_else(|| Failure::from(ErrorCode::NotFound))?;
    json(&crons::run(&app, cron, &request_id).await?)
}
