//! A route that panics. It exists only with the feature `test-panic`, which no build that is deployed has.

use axum::Router;
use axum::routing::get;

use crate::api::Answer;
use crate::app::App;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/test/panic", get(panic_now))
}

async fn panic_now() -> Answer {
    panic!("the test asked for it")
}
