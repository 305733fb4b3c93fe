//! Payments: quote, charge, refund, look up.

use mps_client::CallContext;
use mps_client::argument::Tag;
use mps_client::rpc::{
    CancelRequest, Charge as Charged, FindPayment, GetTransactionDetail, MerchantChargeByQr,
    MerchantRefundTx, Quote as Quoted, QuotePayment, Refund, TransactionDetail,
};
use mps_core::{Money, PaymentCode};
use serde::Deserialize;

use crate::api::{Outcome, Routes, Way, done};
use crate::app::App;
use crate::extract::{AmountText, argument};
use crate::telemetry::Note;

pub(super) fn routes() -> Routes {
    Routes::new()
        .handle::<QuotePayment<'_>, _, _, _, _>(Way::Post, "/api/payment/quote", "quotePayment", quote)
        .keyed::<MerchantChargeByQr<'_>, _, _, _, _>("/api/payment/charge", "charge", charge)
        .keyed::<MerchantRefundTx, _, _, _, _>("/api/payment/refund", "refund", refund)
        .rpc::<CancelRequest>(Way::Post, "/api/payment/cancel", "cancelRequest")
        .rpc::<FindPayment>(Way::Get, "/api/payment/find", "findPayment")
        .handle::<GetTransactionDetail, _, _, _, _>(Way::Get, "/api/payment/{tx_no}", "getPayment", detail)
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Quote {
    /// The merchant that would charge.
    merchant_code: String,
    /// 24 digits.
    qr_plain: String,
    /// Before the discount.
    raw_amount: AmountText,
    /// Where the code was shown; a code 72 wants it.
    terminal_code: Option<String>,
}

async fn quote(app: App, context: CallContext, input: Quote) -> Outcome<Quoted> {
    let raw_amount = argument("raw_amount", Money::parse_price(&input.raw_amount.0))?;
    let code = PaymentCode::parse(&input.qr_plain)?;
    let call = QuotePayment {
        merchant_code: &input.merchant_code,
        qr_plain: code.reveal(),
        raw_amount,
        terminal_code: input.terminal_code.as_deref(),
    };
    Ok(done(app.call(context, call).await?))
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Charge {
    /// The merchant that charges.
    merchant_code: String,
    /// 24 digits.
    qr_plain: String,
    /// Before the discount.
    raw_amount: AmountText,
    /// Where the code was shown; a code 72 wants it.
    terminal_code: Option<String>,
    /// A JSON object of the merchant's, at most 4096 bytes, 32 levels deep.
    tag: Option<Tag>,
    /// The merchant's own order; it is paid once.
    external_order_id: Option<String>,
    idempotency_key: Option<String>,
}

async fn charge(app: App, context: CallContext, input: Charge) -> Outcome<Charged> {
    let raw_amount = argument("raw_amount", Money::parse_price(&input.raw_amount.0))?;
    let code = PaymentCode::parse(&input.qr_plain)?;
    let call = MerchantChargeByQr {
        merchant_code: &input.merchant_code,
        qr_plain: code.reveal(),
        raw_amount,
        idempotency_key: input.idempotency_key.as_deref(),
        tag: input.tag.as_ref().map(Tag::raw),
        external_order_id: input.external_order_id.as_deref(),
        terminal_code: input.terminal_code.as_deref(),
    };
    let charged = app.call(context, call).await?;
    let note = Note {
        tx_no: Some(charged.tx_no.clone()),
        merchant_code: Some(input.merchant_code),
        ..Note::default()
    };
    Ok(done(charged).noting(note))
}

async fn refund(app: App, context: CallContext, call: MerchantRefundTx) -> Outcome<Refund> {
    let merchant_code = Some(call.merchant_code.clone());
    let refund = app.call(context, call).await?;
    let note = Note { tx_no: Some(refund.refund_tx_no.clone()), merchant_code, ..Note::default() };
    Ok(done(refund).noting(note))
}

async fn detail(app: App, context: CallContext, call: GetTransactionDetail) -> Outcome<TransactionDetail> {
    let detail = app.call(context, call).await?;
    let note = Note {
        tx_no: Some(detail.tx_no.clone()),
        merchant_code: detail.merchant_code.clone(),
        ..Note::default()
    };
    Ok(done(detail).noting(note))
}
