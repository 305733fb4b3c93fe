//! All routes: one file a noun. An address without a route and a wrong method are refused here.

mod admin;
mod cards;
mod codes;
mod crons;
mod devices;
mod members;
mod merchants;
mod metrics;
mod ops;
mod payments;
mod recharges;
#[cfg(feature = "test-panic")]
mod test_panic;
mod webhooks;

use axum::Router;
use axum::extract::Request;
use mps_core::ErrorCode;

use crate::api::Routes;
use crate::app::App;
use crate::problem::Failure;

const PATH_CHARS_MAX: usize = 256;

/// The routes of `/api/`, as they are declared.
pub(crate) fn declared() -> Routes {
    Routes::new()
        .merge(admin::routes())
        .merge(cards::routes())
        .merge(codes::routes())
        .merge(devices::routes())
        .merge(members::routes())
        .merge(merchants::routes())
        .merge(payments::routes())
        .merge(recharges::routes())
}

pub(crate) fn all() -> Router<App> {
    let routes = declared()
        .into_router()
        .merge(crons::routes())
        .merge(metrics::routes())
        .merge(ops::routes())
        .merge(webhooks::routes());
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

#[cfg(test)]
pub(crate) mod tests;
