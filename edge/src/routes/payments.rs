//! Payments: quote, charge, look up.

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue};
use axum::routing::{get, post};
use mps_client::rpc::{GetTransactionDetail, MerchantChargeByQr, QuotePayment};
use mps_core::{ErrorCode, Money, PaymentCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Answer, json};
use crate::app::App;
use crate::extract::{AmountText, Authenticated, JsonBody, KeyHeader, argument};
use crate::headers::IDEMPOTENCY_REPLAYED;
use crate::problem::Failure;
use crate::telemetry::Note;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/payment/quote", post(quote))
        .route("/api/payment/charge", post(charge))
        .route("/api/payment/{tx_no}", get(detail))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quote {
    merchant_code: String,
    qr_plain: String,
    raw_amount: AmountText,
    terminal_code: Option<String>,
}

async fn quote(
    State(app): State<App>,
    Authenticated(context): Authenticated,
    JsonBody(body): JsonBody<Quote>,
) -> Answer {
    let raw_amount = argument("raw_amount", Money::parse_price(&body.raw_amount.0))?;
    let code = PaymentCode::parse(&body.qr_plain)?;
    let call = QuotePayment {
        merchant_code: &body.merchant_code,
        qr_plain: code.reveal(),
        raw_amount,
        terminal_code: body.terminal_code.as_deref(),
    };
    let quote = app.call(context, call).await?;
    json(&quote)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Charge {
    merchant_code: String,
    qr_plain: String,
    raw_amount: AmountText,
    terminal_code: Option<String>,
    tag: Option<Box<RawValue>>,
    external_order_id: Option<String>,
}

async fn charge(
    State(app): State<App>,
    Authenticated(context): Authenticated,
    key: KeyHeader,
    JsonBody(body): JsonBody<Charge>,
) -> Answer {
    let key = key.required()?;
    let raw_amount = argument("raw_amount", Money::parse_price(&body.raw_amount.0))?;
    let code = PaymentCode::parse(&body.qr_plain)?;
    let call = MerchantChargeByQr {
        merchant_code: &body.merchant_code,
        qr_plain: code.reveal(),
        raw_amount,
        idempotency_key: Some(key.as_str()),
        tag: body.tag.as_deref(),
        external_order_id: body.external_order_id.as_deref(),
        terminal_code: body.terminal_code.as_deref(),
    };
    let charge = app.call(context, call).await?;
    let mut response = json(&charge)?;
    if charge.replayed {
        response
            .headers_mut()
            .insert(HeaderName::from_static(IDEMPOTENCY_REPLAYED), HeaderValue::from_static("true"));
    }
    let note = Note { tx_no: Some(charge.tx_no), merchant_code: Some(body.merchant_code), ..Note::default() };
    response.extensions_mut().insert(note);
    Ok(response)
}

async fn detail(
    State(app): State<App>,
    Authenticated(context): Authenticated,
    tx_no: Result<Path<String>, PathRejection>,
) -> Answer {
    let Path(tx_no) = tx_no.map_err(|_| Failure::from(ErrorCode::TxNotFound))?;
    let detail = app.call(context, GetTransactionDetail { tx_no: &tx_no }).await?;
    let mut response = json(&detail)?;
    let note = Note { tx_no: Some(detail.tx_no), merchant_code: detail.merchant_code, ..Note::default() };
    response.extensions_mut().insert(note);
    Ok(response)
}
