//! Reads a QR code, or a payment code's bar code, out of a camera's frame, for JavaScript. Decoding is `rqrr`'s; finding and reading
//! bars is `bars`'.

mod bars;
mod picture;

use wasm_bindgen::prelude::*;

use crate::picture::Picture;

/// What a frame of red, green, blue and opacity shows: `q` and the text of a QR code, or `b` and the digits of a payment code's bar
/// code. Nothing when it shows neither, or is no frame of that size.
#[wasm_bindgen(js_name = readFrame)]
pub fn read_frame(rgba: &[u8], width: usize, height: usize) -> Option<String> {
    let picture = Picture::try_new(rgba, width, height)?;
    let whole = || picture.qr_text();
    // Blur and noise are finer than the modules of a code that is near: half the size has less of both.
    let half = || picture.half().and_then(|half| half.qr_text());
    let qr = whole().or_else(half).map(|text| format!("q{text}"));
    qr.or_else(|| bars::digits(&picture).map(|digits| format!("b{digits}")))
}
