//! Frames of a camera: drawn from modules, so that what is changed in them is what a symbol is made of.

use mps_core::PaymentCode;
use mps_scanner::{Format, Scanned, read_frame};

use crate::take;

/// Pixels a module, and those of a row where there are too few to be anything but bars.
const SCALE: usize = 3;
const BAR_PIXELS: usize = 24;
const ROWS_OF_BARS: usize = 7;

/// Light modules on all sides.
const MARGIN: usize = 6;

/// A byte of width, then a byte a module, row by row: an odd one is dark.
pub(crate) fn frame(data: &[u8]) {
    let found = read(data);
    for (place, code) in found.iter().enumerate() {
        assert!(code.format == Format::QrCode || PaymentCode::parse(&code.text).is_ok());
        assert!(!found[..place].contains(code), "twice");
    }
}

fn read(data: &[u8]) -> Vec<Scanned> {
    let mut modules = data;
    let [width] = take(&mut modules);
    let width = usize::from(width).max(1);
    let rows: Vec<&[u8]> = modules.chunks(width).collect();
    let high = if rows.len() <= ROWS_OF_BARS { BAR_PIXELS } else { SCALE };
    let (wide, tall) = ((width + 2 * MARGIN) * SCALE, rows.len() * high + 2 * MARGIN * SCALE);
    let shade = |x: usize, y: usize| {
        let column = (x / SCALE).checked_sub(MARGIN)?;
        let row = y.checked_sub(MARGIN * SCALE)? / high;
        rows.get(row)?.get(column).filter(|module| **module % 2 == 1).map(|_| 0)
    };
    let pixels = (0..wide * tall).flat_map(|at| {
        let shade = shade(at % wide, at / wide).unwrap_or(255);
        [shade, shade, shade, 255]
    });
    read_frame(&pixels.collect::<Vec<u8>>(), wide, tall)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else nothing that is changed in them would say anything.
    #[test]
    fn the_seeds_are_symbols_that_are_read() {
        let seeds = crate::seeds::parse(include_str!("../seeds/frame.txt"));
        let read: Vec<_> =
            seeds.iter().flat_map(|seed| read(seed)).map(|code| (code.text, code.format)).collect();
        let code = "701234567890123456789017".to_owned();
        let [qr, bars] = [(code.clone(), Format::QrCode), (code, Format::Code128)];
        assert_eq!(read, [qr.clone(), qr, bars]);
    }
}
