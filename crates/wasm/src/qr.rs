//! Drawing a payment code as a QR symbol: version 1, error correction Q, numeric mode (ISO/IEC 18004).

use std::fmt::Write as _;

use mps_core::{ErrorCode, PaymentCode};
use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};
use wasm_bindgen::prelude::*;

use crate::object::Fields;
use crate::refusal::Refusal;

/// Light modules on every side; scanners need four.
const QUIET_ZONE_MODULES: i32 = 4;

/// How the drawing looks.
struct SvgOptions {
    title: String,
    dark: String,
    light: String,
}

impl Default for SvgOptions {
    fn default() -> Self {
        Self { title: "Payment code".to_owned(), dark: "#000".to_owned(), light: "#fff".to_owned() }
    }
}

/// A payment code as an SVG document with its quiet zone; it scales to its box. Options: `title` (what a screen reader
/// says), `dark` and `light` (a colour's name or `#` and hexadecimal digits).
///
/// # Errors
/// `INVALID_QR`; `MALFORMED_ARGUMENT` for options that are not as documented.
#[wasm_bindgen(js_name = qrSvg)]
pub fn qr_svg(text: &str, options: Option<JsValue>) -> Result<String, Refusal> {
    let symbol = symbol(text)?;
    let mut look = SvgOptions::default();
    if let Some(fields) = options.map(Fields::of).transpose()? {
        look.title = fields.optional_text("title")?.unwrap_or(look.title);
        look.dark = fields.optional_text("dark")?.unwrap_or(look.dark);
        look.light = fields.optional_text("light")?.unwrap_or(look.light);
    }
    Ok(svg(&symbol, &look)?)
}

/// The 21 × 21 modules of a payment code, row by row, 1 for dark; without the quiet zone of four.
///
/// # Errors
/// `INVALID_QR`.
#[wasm_bindgen(js_name = qrModules)]
pub fn qr_modules(text: &str) -> Result<Vec<u8>, Refusal> {
    let symbol = symbol(text)?;
    let side = symbol.size();
    Ok((0..side * side).map(|at| u8::from(symbol.get_module(at % side, at / side))).collect())
}

fn symbol(text: &str) -> Result<QrCode, ErrorCode> {
    let code = PaymentCode::parse(text)?;
    let digits = [QrSegment::make_numeric(code.reveal())];
    let version = Version::new(1);
    // 24 digits fit: version 1-Q takes 27.
    QrCode::encode_segments_advanced(&digits, QrCodeEcc::Quartile, version, version, None, false)
        .map_err(|_| ErrorCode::Internal)
}

fn svg(symbol: &QrCode, options: &SvgOptions) -> Result<String, ErrorCode> {
    if !is_colour(&options.dark) || !is_colour(&options.light) {
        return Err(ErrorCode::MalformedArgument);
    }
    let side = symbol.size() + 2 * QUIET_ZONE_MODULES;
    Ok(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" role="img" shape-rendering="crispEdges"><title>{}</title><path fill="{}" d="M0 0h{side}v{side}H0z"/><path fill="{}" d="{}"/></svg>"#,
        escaped(&options.title),
        options.light,
        options.dark,
        dark_runs(symbol)
    ))
}

/// A path with one rectangle a run of dark modules in a row.
fn dark_runs(symbol: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..symbol.size() {
        let mut x = 0;
        while x < symbol.size() {
            let run = (x..symbol.size()).take_while(|x| symbol.get_module(*x, y)).fold(0, |run, _| run + 1);
            if run > 0 {
                let (left, top) = (x + QUIET_ZONE_MODULES, y + QUIET_ZONE_MODULES);
                let _ = write!(path, "M{left} {top}h{run}v1h-{run}z");
            }
            x += run + 1;
        }
    }
    path
}

/// A name or `#` and hexadecimal digits: nothing that could leave the attribute.
fn is_colour(text: &str) -> bool {
    match text.strip_prefix('#') {
        Some(hex) => matches!(hex.len(), 3 | 4 | 6 | 8) && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic()),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "701234567890123456789017";

    /// Scans what the SVG's path paints, five pixels a module, quiet zone included: digits, version, correction.
    fn scanned(path: &str) -> Result<(String, usize, u16), Box<dyn std::error::Error>> {
        let mut dark = [[false; 29]; 29];
        for run in path.split('M').skip(1) {
            let numbers: Vec<usize> =
                run.split([' ', 'h', 'v']).map_while(|number| number.parse().ok()).collect();
            let [left, top, width, _] = numbers[..] else {
                return Err(format!("{run} does not read").into());
            };
            dark[top][left..left + width].fill(true);
        }
        let grey = |x: usize, y: usize| if dark[y / 5][x / 5] { 0 } else { 255 };
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(29 * 5, 29 * 5, grey);
        let grids = picture.detect_grids();
        let (meta, text) = grids.first().ok_or("no symbol is found")?.decode()?;
        Ok((text, meta.version.0, meta.ecc_level))
    }

    #[test]
    fn a_drawn_code_scans_as_its_digits() -> Result<(), Box<dyn std::error::Error>> {
        for code in [CODE, "709999999999999999999996", "714242424242537077061906", "724242424242709359466017"]
        {
            // Correction Q is 3 in the symbol's format information.
            assert_eq!(scanned(&dark_runs(&symbol(code)?))?, (code.to_owned(), 1, 3));
        }
        Ok(())
    }

    #[test]
    fn text_that_is_no_code_is_not_drawn() {
        assert_eq!(symbol("https://example.com").map(|symbol| symbol.size()), Err(ErrorCode::InvalidQr));
        assert_eq!(symbol(CODE).map(|symbol| symbol.size()), Ok(21));
    }

    #[test]
    fn a_title_or_a_colour_cannot_leave_its_place() -> Result<(), ErrorCode> {
        let symbol = symbol(CODE)?;
        let options = |title: &str, dark: &str| SvgOptions {
            title: title.into(),
            dark: dark.into(),
            ..Default::default()
        };
        let drawn = svg(&symbol, &options("</title><script>&", "#12ab34"))?;
        assert!(drawn.contains("<title>&lt;/title&gt;&lt;script&gt;&amp;</title>"), "{drawn}");
        assert!(drawn.contains(r##"<path fill="#12ab34" d="M4 4h7"##), "{drawn}");
        for colour in ["", "#12", "#ggg", "\"/><script>", "url(#x)", "red;", "#1234567"] {
            assert_eq!(svg(&symbol, &options("t", colour)), Err(ErrorCode::MalformedArgument), "{colour}");
        }
        Ok(())
    }

    #[test]
    fn a_drawing_tells_a_screen_reader_what_it_is() -> Result<(), ErrorCode> {
        let drawn = svg(&symbol(CODE)?, &SvgOptions::default())?;
        assert!(drawn.contains(r#"role="img""#) && drawn.contains("<title>Payment code</title>"), "{drawn}");
        assert!(!drawn.contains(CODE));
        Ok(())
    }
}
