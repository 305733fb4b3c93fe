//! A payment code as a bar code: Code 128, set C, two digits a character (ISO/IEC 15417).

use mps_core::PaymentCode;
use wasm_bindgen::prelude::*;

use crate::refusal::Refusal;

/// The widths of a payment code's bars and of the spaces between them, in turns, in modules; without the quiet zone of ten.
///
/// # Errors
/// `INVALID_QR`.
#[wasm_bindgen(js_name = barcodeWidths)]
pub fn barcode_widths(text: &str) -> Result<Vec<u8>, Refusal> {
    Ok(mps_core::barcode::barcode_widths(&PaymentCode::parse(text)?))
}
