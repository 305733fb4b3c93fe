//! A payment code as a QR symbol.

use mps_core::PaymentCode;
use mps_drawing::Symbol;
use wasm_bindgen::prelude::*;

use crate::refusal::Refusal;

/// The 21 × 21 modules of a payment code, row by row, 1 for dark; without the quiet zone of four.
///
/// # Errors
/// `INVALID_QR`.
#[wasm_bindgen(js_name = qrModules)]
pub fn qr_modules(text: &str) -> Result<Vec<u8>, Refusal> {
    Ok(Symbol::of(&PaymentCode::parse(text)?).modules())
}

/// The dark modules of a payment code as an SVG path, one rectangle a run in a row, the symbol's corner at the origin.
///
/// # Errors
/// `INVALID_QR`.
#[wasm_bindgen(js_name = qrPath)]
pub fn qr_path(text: &str) -> Result<String, Refusal> {
    Ok(Symbol::of(&PaymentCode::parse(text)?).path())
}

#[cfg(test)]
mod tests {
    use mps_core::ErrorCode;

    use super::*;

    #[test]
    fn text_that_is_no_code_is_not_drawn() {
        for text in ["", "https://example.com", "701234567890123456789018"] {
            assert_eq!(qr_modules(text), Err(Refusal(ErrorCode::InvalidQr)), "{text}");
            assert_eq!(qr_path(text), Err(Refusal(ErrorCode::InvalidQr)), "{text}");
        }
    }
}
