//! The core for JavaScript: each export checks its arguments, makes one core call and converts the answer.
//!
//! A refusal is thrown as an `Error` whose `code` is one of the catalogue's; the npm package turns it into `MpsError`.

pub mod barcode;
mod object;
pub mod offline;
pub mod price;
pub mod qr;
pub mod refusal;
pub mod standing;

use mps_core::payment_code::CodeParts;
use mps_core::{Money, PaymentCode};
use wasm_bindgen::prelude::*;

use crate::object::object;
use crate::refusal::Refusal;

/// Shows a panic's message on the console; runs once, when the module starts.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// `{ kind: "online" | "offline" | "offlineTerminal", handle? }`: what a payment code's text says about itself; the
/// one-time password stays inside.
///
/// # Errors
/// `INVALID_QR`.
#[wasm_bindgen(js_name = parsePaymentCode)]
pub fn parse_payment_code(text: &str) -> Result<JsValue, Refusal> {
    let (kind, handle) = match PaymentCode::parse(text)?.parts() {
        CodeParts::Online => ("online", None),
        CodeParts::Offline { handle, .. } => ("offline", Some(handle)),
        CodeParts::OfflineTerminal { handle, .. } => ("offlineTerminal", Some(handle)),
    };
    let handle = handle.map_or(JsValue::UNDEFINED, |handle| JsValue::from_str(handle.as_str()));
    Ok(object(&[("kind", JsValue::from_str(kind)), ("handle", handle)]))
}

/// The text of a price as every room shows it: two decimals.
///
/// # Errors
/// `INVALID_PRICE`.
#[wasm_bindgen(js_name = parsePrice)]
pub fn parse_price(text: &str) -> Result<String, Refusal> {
    Ok(Money::parse_price(text)?.to_string())
}
