//! Payment codes: issue, revoke, look up.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use mps_client::rpc::{CardId, RevokeCardQr, RotateCardQr, ValidateQrPlain};
use mps_core::limits::code::{LIFETIME_SECONDS_MAX, LIFETIME_SECONDS_MIN};
use mps_core::{ErrorCode, PaymentCode};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, json};
use crate::app::App;
use crate::extract::{Authenticated, JsonBody, argument};
use crate::problem::Failure;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/qr/rotate", post(rotate))
        .route("/api/qr/revoke", post(revoke))
        .route("/api/qr/validate", post(validate))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    card_id: String,
    ttl_seconds: Option<i64>,
}

async fn rotate(
    State(app): State<App>,
    Authenticated(context): Authenticated,
    JsonBody(body): JsonBody<Rotate>,
) -> Answer {
    let card_id = argument("card_id", CardId::parse(&body.card_id))?;
    let ttl_seconds = body.ttl_seconds.map(parse_ttl).transpose()?;
    let issued = app.call(context, RotateCardQr { card_id: &card_id, ttl_seconds }).await?;
    json(&issued)
}

fn parse_ttl(seconds: i64) -> Result<i32, Failure> {
    let bounds = i64::from(LIFETIME_SECONDS_MIN)..=i64::from(LIFETIME_SECONDS_MAX);
    i32::try_from(seconds).ok().filter(|_| bounds.contains(&seconds)).ok_or_else(|| {
        let params = [("seconds_min", *bounds.start()), ("seconds_max", *bounds.end())];
        Failure::with_params(ErrorCode::InvalidTtl, params)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    card_id: String,
}

async fn revoke(
    State(app): State<App>,
    Authenticated(context): Authenticated,
    JsonBody(body): JsonBody<Revoke>,
) -> Answer {
    let card_id = argument("card_id", CardId::parse(&body.card_id))?;
    let revoked = app.call(context, RevokeCardQr { card_id: &card_id }).await?;
    json(&json!({ "revoked": revoked }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Validate {
    qr_plain: String,
    terminal_code: Option<String>,
}

async fn validate(
    State(app): State<App>,
    Authenticated(context): Authenticated,
    JsonBody(body): JsonBody<Validate>,
) -> Answer {
    let code = PaymentCode::parse(&body.qr_plain)?;
    let call = ValidateQrPlain { qr_plain: code.reveal(), terminal_code: body.terminal_code.as_deref() };
    let card_id = app.call(context, call).await?;
    json(&json!({ "card_id": card_id }))
}
