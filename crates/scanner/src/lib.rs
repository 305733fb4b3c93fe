//! Reads the QR codes and the payment codes' bar codes in a camera's frame, for JavaScript. QR symbols are found by `rxing` and decoded by
//! `rqrr`; bars are read by `bars`, and by `blurred_bars` where they have run together.

mod bars;
mod blurred_bars;
mod line;
mod picture;
mod qr;
mod read;

use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::picture::Picture;
use crate::read::Code;

/// A code that was read.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Scanned {
    /// What it says.
    pub text: String,
    /// Which kind it is.
    pub format: Format,
}

/// The kinds of codes, under the names that browsers have for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A QR code, whatever it says.
    QrCode,
    /// A payment code's bar code.
    #[serde(rename = "code_128")]
    Code128,
}

/// What a frame of red, green, blue and opacity shows, each once, as an array of `{text, format}`: empty when it shows no code, or is no
/// frame of that size.
///
/// # Errors
/// None that texts and names have.
#[wasm_bindgen(js_name = readFrame)]
pub fn read_frame_js(rgba: &[u8], width: usize, height: usize) -> Result<JsValue, JsError> {
    Ok(serde_wasm_bindgen::to_value(&read_frame(rgba, width, height))?)
}

/// The same for Rust.
pub fn read_frame(rgba: &[u8], width: usize, height: usize) -> Vec<Scanned> {
    let Some(picture) = Picture::try_new(rgba, width, height) else { return Vec::new() };
    let mut found = Vec::new();
    read::each(&picture, |code| {
        let code = match code {
            Code::Qr(text) => Scanned { text, format: Format::QrCode },
            Code::Bars(text) => Scanned { text, format: Format::Code128 },
        };
        if !found.contains(&code) {
            found.push(code);
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use mps_core::PaymentCode;
    use mps_core::barcode::barcode_widths;

    use super::*;

    const CODES: [&str; 3] =
        ["701234567890123456789017", "700000000000000000000005", "709999999999999999999996"];
    /// Pixels a module.
    const SCALE: usize = 3;

    type Drawn = Result<Vec<Vec<bool>>, mps_core::ErrorCode>;

    /// Rows of modules, true for dark; ten light ones are above, below and to the left.
    fn qr(code: &str) -> Drawn {
        let modules = mps_drawing::Symbol::of(&PaymentCode::parse(code)?).modules();
        Ok(with_margin(
            modules.chunks(mps_drawing::SIDE).map(|row| row.iter().map(|dark| *dark == 1).collect()),
        ))
    }

    fn bar_code(code: &str) -> Drawn {
        let widths = barcode_widths(&PaymentCode::parse(code)?);
        let bars = widths.iter().zip([true, false].into_iter().cycle());
        let row = bars.flat_map(|(width, dark)| std::iter::repeat_n(dark, usize::from(*width))).collect();
        Ok(with_margin(std::iter::repeat_n(row, 40)))
    }

    fn with_margin(rows: impl Iterator<Item = Vec<bool>>) -> Vec<Vec<bool>> {
        let light = || std::iter::repeat_n(Vec::new(), 10);
        light().chain(rows.map(|row| [vec![false; 10], row].concat())).chain(light()).collect()
    }

    /// What is read of these pictures in one frame, one below the other.
    fn read(pictures: &[Vec<Vec<bool>>]) -> Vec<String> {
        let rows: Vec<&Vec<bool>> = pictures.iter().flatten().collect();
        let width = (rows.iter().map(|row| row.len()).max().unwrap_or_default() + 10) * SCALE;
        let mut rgba = vec![255; width * rows.len() * SCALE * 4];
        for (at, pixel) in rgba.chunks_exact_mut(4).enumerate() {
            let (x, y) = (at % width / SCALE, at / width / SCALE);
            if rows[y].get(x) == Some(&true) {
                pixel[..3].fill(0);
            }
        }
        let letter = |format| if format == Format::QrCode { 'q' } else { 'b' };
        let mut found: Vec<String> = read_frame(&rgba, width, rows.len() * SCALE)
            .into_iter()
            .map(|Scanned { text, format }| format!("{}{text}", letter(format)))
            .collect();
        found.sort();
        found
    }

    #[test]
    fn every_code_of_a_frame_is_read_once() -> Result<(), mps_core::ErrorCode> {
        let [one, two, three] = CODES;
        assert_eq!(read(&[qr(one)?]), [format!("q{one}")]);
        assert_eq!(read(&[qr(one)?, qr(one)?]), [format!("q{one}")]);
        assert_eq!(read(&[qr(one)?, qr(two)?]), [format!("q{two}"), format!("q{one}")]);
        assert_eq!(read(&[bar_code(one)?, bar_code(two)?]), [format!("b{two}"), format!("b{one}")]);
        let side_by_side =
            bar_code(one)?.into_iter().zip(bar_code(two)?).map(|(left, right)| [left, right].concat());
        assert_eq!(read(&[side_by_side.collect()]), [format!("b{two}"), format!("b{one}")]);
        assert_eq!(
            read(&[bar_code(three)?, qr(two)?, qr(one)?]),
            [format!("b{three}"), format!("q{two}"), format!("q{one}")]
        );
        Ok(())
    }
}
