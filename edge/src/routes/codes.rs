//! Payment codes: issue, revoke, look up.

use mps_client::CallContext;
use mps_client::argument::Price;
use mps_client::rpc::{CardId, GetCodeState, IssuedCode, RevokeCardQr, RotateCardQr, ValidateQrPlain};
use mps_core::limits::code::{LIFETIME_SECONDS_MAX, LIFETIME_SECONDS_MIN};
use mps_core::{ErrorCode, PaymentCode};
use serde::{Deserialize, Serialize};

use crate::api::{Outcome, Routes, Way, done};
use crate::app::App;
use crate::extract::{AmountText, argument};
use crate::problem::Failure;

pub(super) fn routes() -> Routes {
    Routes::new()
        .handle::<RotateCardQr<'_>, _, _, _, _>(Way::Post, "/api/qr/rotate", "rotateCode", rotate)
        .handle::<RevokeCardQr, _, _, _, _>(Way::Post, "/api/qr/revoke", "revokeCode", revoke)
        .rpc::<GetCodeState>(Way::Get, "/api/member/cards/{card_id}/code", "getCodeState")
        .handle::<ValidateQrPlain<'_>, _, _, _, _>(Way::Post, "/api/qr/validate", "validateCode", validate)
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// The card.
    card_id: CardId,
    /// 60 to 86400; the installation's own, which is 900 unless it chose another, when left out.
    ttl_seconds: Option<i64>,
    /// Most raw amount that the code pays, in the house currency; no bound of its own when left out.
    amount_max: Option<AmountText>,
}

async fn rotate(app: App, context: CallContext, input: Rotate) -> Outcome<IssuedCode> {
    let ttl_seconds = parse_ttl(input.ttl_seconds.unwrap_or(i64::from(app.choices().code_ttl_seconds)))?;
    let amount_max =
        input.amount_max.map(|amount| argument("amount_max", Price::parse(&amount.0))).transpose()?;
    let call = RotateCardQr {
        card_id: &input.card_id,
        ttl_seconds: Some(ttl_seconds),
        amount_max: amount_max.as_ref(),
    };
    Ok(done(app.call(context, call).await?))
}

fn parse_ttl(seconds: i64) -> Result<i32, Failure> {
    let bounds = i64::from(LIFETIME_SECONDS_MIN)..=i64::from(LIFETIME_SECONDS_MAX);
    i32::try_from(seconds).ok().filter(|_| bounds.contains(&seconds)).ok_or_else(|| {
        let params = [("seconds_min", *bounds.start()), ("seconds_max", *bounds.end())];
        Failure::with_params(ErrorCode::InvalidTtl, params)
    })
}

/// Whether there was a live code.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Revoked {
    /// `false`: there was none.
    revoked: bool,
}

async fn revoke(app: App, context: CallContext, call: RevokeCardQr) -> Outcome<Revoked> {
    Ok(done(Revoked { revoked: app.call(context, call).await?.changed }))
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Validate {
    /// 24 digits.
    qr_plain: String,
    /// Where it was shown; a code 72 wants it.
    terminal_code: Option<String>,
}

/// The card behind a code.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CardOfCode {
    /// Its id.
    card_id: CardId,
}

async fn validate(app: App, context: CallContext, input: Validate) -> Outcome<CardOfCode> {
    let code = PaymentCode::parse(&input.qr_plain)?;
    let call = ValidateQrPlain { qr_plain: code.reveal(), terminal_code: input.terminal_code.as_deref() };
    Ok(done(CardOfCode { card_id: app.call(context, call).await? }))
}
