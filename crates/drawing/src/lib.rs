//! A payment code as a QR symbol: version 1, error correction Q, numeric mode (ISO/IEC 18004).
//!
//! Digits, error correction and places are `qrcodegen`'s, but it draws while this crate is compiled (`build.rs`): a symbol is the
//! blank one with the modules flipped of every bit that is set. Of its own so that it is compiled for speed; what surrounds it
//! in the module is compiled for size.

mod mask;

use std::ops::BitXorAssign;

use mps_core::PaymentCode;

use crate::symbols::{BITS, BLANK};

/// Modules a side of version 1.
pub const SIDE: usize = 21;

/// A word a line, the lowest bit its first module; a dark module is 1.
type Lines = [u32; SIDE];

#[allow(clippy::unreadable_literal, reason = "generated")]
mod symbols {
    include!(concat!(env!("OUT_DIR"), "/symbols.rs"));
}

/// A payment code drawn, without the quiet zone of four.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Symbol(Lines);

impl Symbol {
    /// With the mask that the standard chooses.
    pub fn of(code: &PaymentCode) -> Self {
        Self(mask::best(&unmasked(code.reveal())))
    }

    /// The 21 × 21 modules, row by row, 1 for dark.
    pub fn modules(&self) -> Vec<u8> {
        let mut modules = vec![0; SIDE * SIDE];
        for (line, row) in modules.chunks_exact_mut(SIDE).zip(self.0) {
            for (x, module) in line.iter_mut().enumerate() {
                *module = (row >> x & 1) as u8;
            }
        }
        modules
    }

    /// The dark modules as an SVG path, one rectangle a run in a row, the symbol's corner at the origin.
    pub fn path(&self) -> String {
        // A run takes fourteen characters at most, and half of the modules of a row are dark.
        let mut path = String::with_capacity(SIDE * SIDE * 14 / 3);
        for (row, top) in self.0.iter().zip(0..) {
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
}

/// The symbol under mask 0. A bit flips the same modules whatever the others are, its share of the error correction included,
/// since that code is linear; three digits are ten bits.
fn unmasked(digits: &str) -> Lines {
    let mut rows = BLANK;
    for (digits, bits) in digits.as_bytes().chunks_exact(3).zip(&BITS) {
        let number = digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        for (at, flipped) in bits.iter().enumerate() {
            if number >> at & 1 == 1 {
                flip(&mut rows, flipped);
            }
        }
    }
    rows
}

fn flip<Line: BitXorAssign + Copy>(lines: &mut [Line; SIDE], flipped: &[Line; SIDE]) {
    for (line, flipped) in lines.iter_mut().zip(flipped) {
        *line ^= *flipped;
    }
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
    use mps_core::ErrorCode;

    use super::*;

    const CODE: &str = "701234567890123456789017";

    fn symbol(code: &str) -> Result<Symbol, ErrorCode> {
        PaymentCode::parse(code).map(|code| Symbol::of(&code))
    }

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
            assert_eq!(scanned(&symbol(&code)?.path())?, (code, 1, 3));
        }
        Ok(())
    }

    #[test]
    fn modules_and_path_are_of_one_symbol() -> Result<(), ErrorCode> {
        let symbol = symbol(CODE)?;
        let modules = symbol.modules();
        assert_eq!(modules.len(), SIDE * SIDE);
        let mut painted = [0; SIDE * SIDE];
        for run in symbol.path().split('M').skip(1) {
            let numbers: Vec<usize> =
                run.split([' ', 'h', 'v']).map_while(|number| number.parse().ok()).collect();
            painted[numbers[1] * SIDE + numbers[0]..][..numbers[2]].fill(1);
        }
        assert_eq!(modules, painted);
        Ok(())
    }
}
