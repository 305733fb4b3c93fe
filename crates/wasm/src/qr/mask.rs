//! Which of the eight masks a symbol gets: that of the lowest penalty (ISO/IEC 18004, 7.8.3).
//!
//! `qrcodegen` chooses too, module by module, and that is most of its time. Here a line is a word: a mask flips the same
//! modules of every symbol of one version and correction, the format bits that name it included, so the candidates are one
//! symbol under eight overlays. The choice is the same; the tests hold it against that of `qrcodegen`.

use std::sync::OnceLock;

use mps_core::ErrorCode;
use qrcodegen::Mask;

use super::{Lines, SIDE, drawn};

/// What a mask changes of a symbol that has mask 0.
struct Overlay {
    rows: Lines,
    columns: Lines,
}

const LINE: u32 = (1 << SIDE) - 1;

/// Places where two neighbours in a line can be alike.
const PAIRS: u32 = LINE >> 1;

/// The symbol, drawn with mask 0, under the mask of the lowest penalty; of equals the first.
pub(super) fn best(rows: &Lines) -> Result<Lines, ErrorCode> {
    static OVERLAYS: OnceLock<Result<[Overlay; 8], ErrorCode>> = OnceLock::new();
    let overlays = OVERLAYS.get_or_init(overlays).as_ref().map_err(|code| *code)?;
    let columns = turned(rows);
    let candidates =
        overlays.iter().map(|overlay| (under(rows, &overlay.rows), under(&columns, &overlay.columns)));
    let best = candidates.min_by_key(|(rows, columns)| penalty(rows, columns));
    best.map(|(rows, _)| rows).ok_or(ErrorCode::Internal)
}

/// Read off two drawings of the same digits; which digits does not matter.
fn overlays() -> Result<[Overlay; 8], ErrorCode> {
    let digits = "0".repeat(24);
    let plain = drawn(&digits, Mask::new(0))?;
    let mut overlays = std::array::from_fn(|_| Overlay { rows: [0; SIDE], columns: [0; SIDE] });
    for (overlay, mask) in overlays.iter_mut().zip(0..) {
        overlay.rows = under(&drawn(&digits, Mask::new(mask))?, &plain);
        overlay.columns = turned(&overlay.rows);
    }
    Ok(overlays)
}

fn under(lines: &Lines, overlay: &Lines) -> Lines {
    std::array::from_fn(|at| lines[at] ^ overlay[at])
}

/// Columns for rows.
fn turned(lines: &Lines) -> Lines {
    let mut turned = [0; SIDE];
    for (y, line) in lines.iter().enumerate() {
        for (x, column) in turned.iter_mut().enumerate() {
            *column |= (line >> x & 1) << y;
        }
    }
    turned
}

fn penalty(rows: &Lines, columns: &Lines) -> u32 {
    let lines: u32 = rows.iter().chain(columns).map(|line| runs(*line) + finders(*line)).sum();
    let blocks: u32 = rows.windows(2).map(|two| blocks(two[0], two[1])).sum();
    lines + blocks + imbalance(rows)
}

/// Three for five alike in a line, one for each further.
fn runs(line: u32) -> u32 {
    let alike = !(line ^ line >> 1) & PAIRS;
    let two = alike & alike >> 1;
    let five = two & two >> 2;
    // A run of n has n - 4 places of five; its first place counts two more.
    five.count_ones() + 2 * (five & !(five << 1)).count_ones()
}

/// Three for a block of two by two alike.
fn blocks(above: u32, below: u32) -> u32 {
    let alike = !(above ^ above >> 1) & !(below ^ below >> 1) & !(above ^ below) & PAIRS;
    3 * alike.count_ones()
}

/// Forty for each dark, light, dark, light, dark in the ratio 1:1:3:1:1 that has four light on a side; beyond the edges all is light.
fn finders(line: u32) -> u32 {
    /// Four light of three modules each: no wider pattern fits into a line.
    const MARGIN: u32 = 12;
    let dark = u64::from(line) << MARGIN;
    let mut found = finders_of::<1>(dark);
    // Wider than one module they are rare: six dark in a row tell.
    if in_a_row(dark, 6) != 0 {
        found += finders_of::<2>(dark) + finders_of::<3>(dark);
    }
    40 * found
}

fn finders_of<const WIDTH: u32>(dark: u64) -> u32 {
    let (one, light) = (in_a_row(dark, WIDTH), in_a_row(!dark, WIDTH));
    let core = one
        & light >> WIDTH
        & in_a_row(dark, 3 * WIDTH) >> (2 * WIDTH)
        & light >> (5 * WIDTH)
        & one >> (6 * WIDTH);
    if core == 0 {
        return 0;
    }
    let margin = in_a_row(!dark, 4 * WIDTH);
    let before = core & margin << (4 * WIDTH) & light >> (7 * WIDTH);
    let after = core & light << WIDTH & margin >> (7 * WIDTH);
    before.count_ones() + after.count_ones()
}

/// Where so many in a row begin.
fn in_a_row(modules: u64, count: u32) -> u64 {
    (1..count).fold(modules, |all, by| all & modules >> by)
}

/// Ten for each full twentieth that the share of dark modules is off a half.
fn imbalance(rows: &Lines) -> u32 {
    const MODULES: u32 = 21 * 21;
    let dark: u32 = rows.iter().map(|row| row.count_ones()).sum();
    10 * ((dark * 20).abs_diff(MODULES * 10).div_ceil(MODULES) - 1)
}

#[cfg(test)]
mod tests {
    use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

    use super::super::rows_of;
    use super::*;

    /// What `qrcodegen` draws when it chooses the mask itself.
    fn chosen_by_the_library(digits: &str) -> Result<Lines, qrcodegen::DataTooLong> {
        let version = Version::new(1);
        let segment = [QrSegment::make_numeric(digits)];
        let symbol =
            QrCode::encode_segments_advanced(&segment, QrCodeEcc::Quartile, version, version, None, false)?;
        Ok(rows_of(&symbol))
    }

    #[test]
    fn the_mask_is_the_one_that_the_library_chooses() -> Result<(), Box<dyn std::error::Error>> {
        let mut numbers = 20_261_126_u64;
        for _ in 0..3000 {
            let digits: String = std::iter::repeat_with(|| {
                // Knuth's MMIX generator; its high bits are good.
                numbers =
                    numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'0' + (numbers >> 60) as u8 % 10)
            })
            .take(24)
            .collect();
            let ours = best(&drawn(&digits, Mask::new(0))?).map_err(ErrorCode::as_str)?;
            assert_eq!(ours, chosen_by_the_library(&digits)?, "{digits}");
        }
        Ok(())
    }

    #[test]
    fn a_line_is_fined_as_the_standard_says() {
        assert_eq!(runs(0), 19, "twenty-one alike");
        assert_eq!(runs(LINE), 19);
        assert_eq!(runs(0b1_0101_0101_0101_0001_1111), 3, "five alike");
        assert_eq!(runs(0b1_0101_0101_0101_0011_1111), 4, "six alike");
        assert_eq!(runs(0b1_0101_0101_0101_0101_1111 & !1), 0, "four alike");
        assert_eq!(finders(0b101_1101), 80, "the edge and the rest of the line are light");
        assert_eq!(finders(0b1_1111_1110_1011_1010_0001), 40, "light on one side only");
        assert_eq!(finders(0b1_1111_1111_0101_1101_0001), 0, "too little light");
        assert_eq!(finders(0b11_0011_1111_0011), 80, "two modules wide");
        assert_eq!(finders(0b1_1100_0111_1111_1100_0111), 80, "three modules wide");
        assert_eq!(blocks(0b11, 0b11), 3 * 19, "a dark block, and all the light ones but that on the border");
    }
}
