//! A payment code as a QR symbol: version 1, error correction Q, numeric mode (ISO/IEC 18004).

mod mask;

use mps_core::{ErrorCode, PaymentCode};
use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};
use wasm_bindgen::prelude::*;

use crate::refusal::Refusal;

/// Modules a side of version 1.
const SIDE: usize = 21;

/// A word a line, the lowest bit its first module; a dark module is 1.
type Lines = [u32; SIDE];

/// The 21 × 21 modules of a payment code, row by row, 1 for dark; without the quiet zone of four.
///
/// # Errors
/// `INVALID_QR`.
#[wasm_bindgen(js_name = qrModules)]
pub fn qr_modules(text: &str) -> Result<Vec<u8>, Refusal> {
    let rows = symbol(text)?;
    let mut modules = Vec::with_capacity(SIDE * SIDE);
    for row in rows {
        modules.extend((0..SIDE).map(|x| u8::from(row >> x & 1 == 1)));
    }
    Ok(modules)
}

/// The dark modules of a payment code as an SVG path, one rectangle a run in a row, the symbol's corner at the origin.
///
/// # Errors
/// `INVALID_QR`.
#[wasm_bindgen(js_name = qrPath)]
pub fn qr_path(text: &str) -> Result<String, Refusal> {
    Ok(path(&symbol(text)?))
}

/// The symbol with the mask that the standard chooses.
fn symbol(text: &str) -> Result<Lines, ErrorCode> {
    let code = PaymentCode::parse(text)?;
    mask::best(&drawn(code.reveal(), Mask::new(0))?)
}

/// The rows of digits drawn under one mask.
fn drawn(digits: &str, mask: Mask) -> Result<Lines, ErrorCode> {
    let segment = [QrSegment::make_numeric(digits)];
    let version = Version::new(1);
    // 24 digits fit: version 1-Q takes 27.
    let ecc = QrCodeEcc::Quartile;
    let symbol = QrCode::encode_segments_advanced(&segment, ecc, version, version, Some(mask), false)
        .map_err(|_| ErrorCode::Internal)?;
    Ok(rows_of(&symbol))
}

fn rows_of(symbol: &QrCode) -> Lines {
    let mut rows = [0; SIDE];
    for (row, y) in rows.iter_mut().zip(0..) {
        *row = (0..symbol.size()).rev().fold(0, |row, x| row << 1 | u32::from(symbol.get_module(x, y)));
    }
    rows
}

fn path(rows: &Lines) -> String {
    // A run takes fourteen characters at most, and half of the modules of a row are dark.
    let mut path = String::with_capacity(SIDE * SIDE * 14 / 3);
    for (row, top) in rows.iter().zip(0..) {
        let mut rest = *row;
        while rest != 0 {
            let left = rest.trailing_zeros();
            let run = (rest >> left).trailing_ones();
            rest &= !0 << (left + run);
            #[allow(clippy::cast_possible_truncation, reason = "both are at most 21")]
            let (left, run) = (left as u8, run as u8);
            for (letter, number) in [("M", left), (" ", top), ("h", run), ("v1h-", run)] {
                path.push_str(letter);
                push_number(&mut path, number);
            }
            path.push('z');
        }
    }
    path
}

/// Below a hundred; `write!` takes ten times as long.
fn push_number(text: &mut String, number: u8) {
    if number > 9 {
        text.push(char::from(b'0' + number / 10));
    }
    text.push(char::from(b'0' + number % 10));
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "701234567890123456789017";

    type Scanned = Result<(String, usize, u16), Box<dyn std::error::Error>>;

    /// Scans what the path paints, three pixels a module, the quiet zone around it: digits, version, correction.
    fn scanned(path: &str) -> Scanned {
        let mut dark = [[false; 29]; 29];
        for run in path.split('M').skip(1) {
            let numbers: Vec<usize> =
                run.split([' ', 'h', 'v']).map_while(|number| number.parse().ok()).collect();
            let [left, top, width, _] = numbers[..] else {
                return Err(format!("{run} does not read").into());
            };
            assert!(run.ends_with(&format!("h{width}v1h-{width}z")), "{run}");
            dark[top + 4][left + 4..left + 4 + width].fill(true);
        }
        let grey = |x: usize, y: usize| if dark[y / 3][x / 3] { 0 } else { 255 };
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(29 * 3, 29 * 3, grey);
        let grids = picture.detect_grids();
        let (meta, text) = grids.first().ok_or("no symbol is found")?.decode()?;
        Ok((text, meta.version.0, meta.ecc_level))
    }

    /// Payment codes with their right check digit, the same on every run.
    fn codes(count: usize) -> impl Iterator<Item = String> {
        let mut state = 20_261_126_u64;
        let mut next = move |below: u64| {
            // Knuth's MMIX generator; its high bits are good.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        std::iter::repeat_with(move || {
            let head = format!("7{}{:09}{:012}", next(3), next(1_000_000_000), next(1_000_000_000_000));
            let complete =
                |digit| Some(format!("{head}{digit}")).filter(|code| PaymentCode::parse(code).is_ok());
            (0..10).find_map(complete).unwrap_or_default()
        })
        .take(count)
    }

    #[test]
    fn a_drawn_code_scans_as_its_digits() -> Result<(), Box<dyn std::error::Error>> {
        let vectors =
            [CODE, "709999999999999999999996", "714242424242537077061906", "724242424242709359466017"];
        for code in vectors.into_iter().map(str::to_owned).chain(codes(2000)) {
            // Correction Q is 3 in the symbol's format information.
            assert_eq!(scanned(&qr_path(&code).map_err(|refusal| refusal.0.as_str())?)?, (code, 1, 3));
        }
        Ok(())
    }

    #[test]
    fn modules_and_path_are_of_one_symbol() -> Result<(), Refusal> {
        let rows = symbol(CODE)?;
        let modules = qr_modules(CODE)?;
        assert_eq!(modules.len(), SIDE * SIDE);
        let mut painted = [0; SIDE * SIDE];
        for run in path(&rows).split('M').skip(1) {
            let numbers: Vec<usize> =
                run.split([' ', 'h', 'v']).map_while(|number| number.parse().ok()).collect();
            painted[numbers[1] * SIDE + numbers[0]..][..numbers[2]].fill(1);
        }
        assert_eq!(modules, painted);
        Ok(())
    }

    #[test]
    fn text_that_is_no_code_is_not_drawn() {
        for text in ["", "https://example.com", "701234567890123456789018"] {
            assert_eq!(qr_modules(text), Err(Refusal(ErrorCode::InvalidQr)), "{text}");
            assert_eq!(qr_path(text), Err(Refusal(ErrorCode::InvalidQr)), "{text}");
        }
    }
}
