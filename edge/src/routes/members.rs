//! Members: who am I, register, my cards.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use mps_client::rpc::{GetMemberCards, GetUserProfile, RegisterMember};
use serde::Deserialize;

use super::{Answer, json};
use crate::app::App;
use crate::extract::{Authenticated, JsonBody};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/member/me", get(me))
        .route("/api/member/register", post(register))
        .route("/api/member/cards", get(cards))
}

async fn me(State(app): State<App>, Authenticated(context): Authenticated) -> Answer {
    let profile = app.call(context, GetUserProfile {}).await?;
    json(&profile)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    name: String,
    phone: Option<String>,
}

async fn register(
    State(app): State<App>,
    Authenticated(context): Authenticated,
    JsonBody(body): JsonBody<Register>,
) -> Answer {
    let call = RegisterMember { name: &body.name, phone: body.phone.as_deref() };
    let member = app.call(context, call).await?;
    json(&member)
}

async fn cards(State(app): State<App>, Authenticated(context): Authenticated) -> Answer {
    let cards = app.call(context, GetMemberCards { member_id: None }).await?;
    json(&cards)
}
