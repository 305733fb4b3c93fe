//! Notifications of the payment providers: no token, their signature counts. What cannot be confirmed is not acknowledged, so that they
//! repeat it.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use mps_core::ErrorCode;
use serde_json::json;

use crate::app::App;
use crate::extract;
use crate::problem::Failure;
use crate::providers::{Distrust, Notice, Provider};
use crate::recharging;
use crate::telemetry::{Level, Note};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/api/webhooks/wechat", post(wechat)).route("/api/webhooks/alipay", post(alipay))
}

/// 204 acknowledges; anything else is repeated.
async fn wechat(State(app): State<App>, request: Request) -> Response {
    let note = take(&app, Provider::Wechat, request).await;
    let code = note.failure.as_ref().map(Failure::code);
    let body = code.map_or(Body::empty(), |code| {
        Body::from(json!({"code": "FAIL", "message": code.as_str()}).to_string())
    });
    let content_type = code.map(|_| "application/json");
    reply(code.map_or(StatusCode::NO_CONTENT, status), content_type, body, note)
}

/// `success` acknowledges; anything else is repeated.
async fn alipay(State(app): State<App>, request: Request) -> Response {
    let note = take(&app, Provider::Alipay, request).await;
    let code = note.failure.as_ref().map(Failure::code);
    let body = if code.is_none() { "success" } else { "fail" };
    reply(code.map_or(StatusCode::OK, status), Some("text/plain"), Body::from(body), note)
}

fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn reply(status: StatusCode, content_type: Option<&'static str>, body: Body, note: Note) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response.extensions_mut().insert(note);
    response
}

/// Takes a notification. Without a failure in the answer it is acknowledged.
async fn take(app: &App, provider: Provider, request: Request) -> Note {
    let mut note = Note { provider: Some(provider.as_str()), ..Note::default() };
    if let Err(failure) = believe(app, provider, request, &mut note).await {
        note.failure = Some(failure);
    }
    note
}

async fn believe(app: &App, provider: Provider, request: Request, note: &mut Note) -> Result<(), Failure> {
    let (parts, body) = request.into_parts();
    let request_id = extract::request_id(&parts)?;
    let body = extract::read_body(body).await?;
    let payment = match app.providers().read_notice(provider, &parts.headers, &body).await? {
        Ok(Notice::Paid(payment)) => Some(payment),
        Ok(Notice::Contradicted(contradiction, rest)) => {
            let order_no = contradiction.order_no.clone();
            (note.order_no, note.level) = (Some(order_no.clone()), Some(Level::Error));
            let waits =
                recharging::contradict(app, recharging::WITHIN_NOTIFICATION, &request_id, contradiction)
                    .await?;
            let (status, level) =
                if waits { ("contradicted", Level::Warn) } else { ("ignored", Level::Info) };
            (note.order_status, note.level) = (Some(status), Some(level));
            rest
        }
        Ok(Notice::Other) => {
            note.order_status = Some("ignored");
            None
        }
        Err(distrust) => {
            if distrust == Distrust::Probe {
                (note.order_status, note.level) = (Some("probe"), Some(Level::Info));
            }
            return Err(distrust.code().into());
        }
    };
    let Some(payment) = payment else { return Ok(()) };
    let is_contradicted = note.order_status == Some("contradicted");
    note.order_no = Some(payment.order_no.clone());
    // From here on somebody has paid: whatever keeps it from a card is looked at.
    note.level = Some(Level::Error);
    let paid = recharging::complete(app, recharging::WITHIN_NOTIFICATION, &request_id, payment).await?;
    let status = if is_contradicted { "contradicted" } else { recharging::status(&paid) };
    let level = if is_contradicted { Level::Warn } else { recharging::level(status) };
    (note.order_status, note.level, note.tx_no) = (Some(status), Some(level), paid.tx_no);
    Ok(())
}
