//! Which of the eight masks a symbol gets: that of the lowest penalty (ISO/IEC 18004, 7.8.3).
//!
//! `qrcodegen` chooses too, module by module, and that is most of its time. Here a line is a word: a mask flips the same
//! modules of every symbol of one version and correction, the format bits that name it included, so the candidates are one
//! symbol under eight overlays. The choice is the same; the tests hold it against that of `qrcodegen`.

use super::symbols::MASKS;
use super::{Lines, SIDE, flip};

/// A row in the lower half, the column of the same number in the upper.
type Crossed = [u64; SIDE];

const LINE: u64 = (1 << SIDE) - 1;

/// Places where two neighbours in a line can be alike, of both lines.
const PAIRS: u64 = both(LINE >> 1);

const fn both(line: u64) -> u64 {
    line << 32 | line
}

/// The symbol, drawn with mask 0, under the mask of the lowest penalty; of equals the first.
pub(super) fn best(rows: &Lines) -> Lines {
    let lines = crossed(rows);
    let mut best = lines;
    let mut lowest = u32::MAX;
    for mask in &MASKS {
        let mut candidate = lines;
        flip(&mut candidate, mask);
        let penalty = penalty(&candidate);
        if penalty < lowest {
            (best, lowest) = (candidate, penalty);
        }
    }
    best.map(row_of)
}

fn crossed(rows: &Lines) -> Crossed {
    let mut crossed = rows.map(u64::from);
    for (y, row) in rows.iter().enumerate() {
        for (x, line) in crossed.iter_mut().enumerate() {
            *line |= u64::from(row >> x & 1) << (32 + y);
        }
    }
    crossed
}

#[allow(clippy::cast_possible_truncation, reason = "its lower half")]
fn row_of(crossed: u64) -> u32 {
    crossed as u32
}

fn penalty(lines: &Crossed) -> u32 {
    let along: u32 = lines.iter().map(|line| runs(*line) + finders(*line)).sum();
    let blocks: u32 = lines.windows(2).map(|two| blocks(row_of(two[0]), row_of(two[1]))).sum();
    along + blocks + imbalance(lines)
}

/// Three for five alike in a line, one for each further.
fn runs(lines: u64) -> u32 {
    let alike = !(lines ^ lines >> 1) & PAIRS;
    let two = alike & alike >> 1;
    let five = two & two >> 2;
    // A run of n has n - 4 places of five; its first place counts two more.
    five.count_ones() + 2 * (five & !(five << 1)).count_ones()
}

/// Three for a block of two by two alike.
fn blocks(above: u32, below: u32) -> u32 {
    let alike = !(above ^ above >> 1) & !(below ^ below >> 1) & !(above ^ below) & row_of(PAIRS);
    3 * alike.count_ones()
}

/// Forty for each dark, light, dark, light, dark in the ratio 1:1:3:1:1 that has four light on a side; beyond the edges all is light.
fn finders(lines: u64) -> u32 {
    // Four light of one module each: with them both lines still have room.
    let mut found = finders_of::<1>(lines << 4, !(lines << 4));
    // Wider than one module they are rare: six dark in a row tell.
    if in_a_row(lines, 6) != 0 {
        for line in [lines & LINE, lines >> 32] {
            // Four light of three modules each: no wider pattern fits into a line.
            let dark = line << 12;
            found += finders_of::<2>(dark, !dark) + finders_of::<3>(dark, !dark);
        }
    }
    40 * found
}

fn finders_of<const WIDTH: u32>(dark: u64, light: u64) -> u32 {
    let (one_dark, one_light) = (in_a_row(dark, WIDTH), in_a_row(light, WIDTH));
    let core = one_dark
        & one_light >> WIDTH
        & in_a_row(dark, 3 * WIDTH) >> (2 * WIDTH)
        & one_light >> (5 * WIDTH)
        & one_dark >> (6 * WIDTH);
    if core == 0 {
        return 0;
    }
    let margin = in_a_row(light, 4 * WIDTH);
    let before = core & margin << (4 * WIDTH) & one_light >> (7 * WIDTH);
    let after = core & one_light << WIDTH & margin >> (7 * WIDTH);
    before.count_ones() + after.count_ones()
}

/// Where so many in a row begin.
fn in_a_row(modules: u64, count: u32) -> u64 {
    (1..count).fold(modules, |all, by| all & modules >> by)
}

/// Ten for each full twentieth that the share of dark modules is off a half.
fn imbalance(lines: &Crossed) -> u32 {
    const MODULES: u32 = 21 * 21;
    let dark: u32 = lines.iter().map(|line| row_of(*line).count_ones()).sum();
    10 * ((dark * 20).abs_diff(MODULES * 10).div_ceil(MODULES) - 1)
}

#[cfg(test)]
mod tests {
    use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

    use super::super::unmasked;
    use super::*;

    /// What `qrcodegen` draws when it chooses the mask itself, and which it chose.
    fn drawn_by_the_library(digits: &str) -> Result<(Lines, u8), qrcodegen::DataTooLong> {
        let version = Version::new(1);
        let segment = [QrSegment::make_numeric(digits)];
        let symbol =
            QrCode::encode_segments_advanced(&segment, QrCodeEcc::Quartile, version, version, None, false)?;
        let row = |y| (0..symbol.size()).map(|x| u32::from(symbol.get_module(x, y)) << x).sum();
        let mut rows = [0; SIDE];
        rows.iter_mut().zip(0..).for_each(|(line, y)| *line = row(y));
        Ok((rows, symbol.mask().value()))
    }

    #[test]
    fn a_symbol_is_the_one_that_the_library_draws_with_the_mask_that_it_chooses()
    -> Result<(), Box<dyn std::error::Error>> {
        let mut numbers = 20_261_126_u64;
        let mut masks = [0; 8];
        for _ in 0..3000 {
            let digits: String = std::iter::repeat_with(|| {
                // Knuth's MMIX generator; its high bits are good.
                numbers =
                    numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'0' + (numbers >> 60) as u8 % 10)
            })
            .take(24)
            .collect();
            let (rows, mask) = drawn_by_the_library(&digits)?;
            assert_eq!(best(&unmasked(&digits)), rows, "{digits}");
            masks[usize::from(mask)] += 1;
        }
        assert!(masks.iter().all(|chosen| *chosen > 0), "{masks:?}");
        Ok(())
    }

    #[test]
    fn a_line_is_fined_as_the_standard_says() {
        let runs_of = |line| runs(both(line)) / 2;
        assert_eq!(runs_of(0), 19, "twenty-one alike");
        assert_eq!(runs_of(LINE), 19);
        assert_eq!(runs_of(0b1_0101_0101_0101_0001_1111), 3, "five alike");
        assert_eq!(runs_of(0b1_0101_0101_0101_0011_1111), 4, "six alike");
        assert_eq!(runs_of(0b1_0101_0101_0101_0101_1111 & !1), 0, "four alike");
        assert_eq!(finders(0b101_1101), 80, "the edge and the rest of the line are light");
        assert_eq!(finders(0b1_1111_1110_1011_1010_0001), 40, "light on one side only");
        assert_eq!(finders(0b1_1111_1111_0101_1101_0001), 0, "too little light");
        assert_eq!(finders(0b11_0011_1111_0011), 80, "two modules wide");
        assert_eq!(finders(0b1_1100_0111_1111_1100_0111), 80, "three modules wide");
        assert_eq!(finders(both(0b101_1101 << 14)), 160, "at the end of both");
        assert_eq!(blocks(0b11, 0b11), 3 * 19, "a dark block, and all the light ones but that on the border");
    }
}
