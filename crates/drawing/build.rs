//! Has `qrcodegen` draw what every symbol is a sum of: neither its code nor its time is then in the module.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};

const SIDE: usize = 21;
const DIGITS: usize = 24;

/// Three digits are a number of ten bits.
const GROUP: usize = 3;
const GROUP_BITS: u32 = 10;

type Lines = [u32; SIDE];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let zeros = "0".repeat(DIGITS);
    let blank = drawn(&zeros, 0)?;
    let mut bits = Vec::new();
    for group in 0..DIGITS / GROUP {
        for bit in 0..GROUP_BITS {
            let mut digits = zeros.clone();
            digits.replace_range(group * GROUP..(group + 1) * GROUP, &format!("{:03}", 1 << bit));
            bits.push(difference(&drawn(&digits, 0)?, &blank));
        }
    }
    let mut masks = Vec::new();
    for mask in 0..8 {
        masks.push(crossed(&difference(&drawn(&zeros, mask)?, &blank)));
    }
    let mut text = String::new();
    writeln!(text, "pub(super) static BLANK: [u32; {SIDE}] = {blank:?};")?;
    writeln!(text, "pub(super) static BITS: [[[u32; {SIDE}]; {GROUP_BITS}]; {}] = [", DIGITS / GROUP)?;
    for group in bits.chunks(GROUP_BITS as usize) {
        writeln!(text, "    {group:?},")?;
    }
    writeln!(text, "];\npub(super) static MASKS: [[u64; {SIDE}]; 8] = {masks:?};")?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("symbols.rs"), text)?;
    Ok(())
}

/// Version 1 with correction Q takes 27 digits.
fn drawn(digits: &str, mask: u8) -> Result<Lines, Box<dyn Error>> {
    let (segment, version) = ([QrSegment::make_numeric(digits)], Version::new(1));
    let mask = Some(Mask::new(mask));
    let symbol =
        QrCode::encode_segments_advanced(&segment, QrCodeEcc::Quartile, version, version, mask, false)?;
    let mut rows = [0; SIDE];
    for (row, y) in rows.iter_mut().zip(0..) {
        *row = (0..symbol.size()).rev().fold(0, |row, x| row << 1 | u32::from(symbol.get_module(x, y)));
    }
    Ok(rows)
}

fn difference(one: &Lines, other: &Lines) -> Lines {
    std::array::from_fn(|at| one[at] ^ other[at])
}

/// A row in the lower half, the column of the same number in the upper.
fn crossed(rows: &Lines) -> [u64; SIDE] {
    let column = |x: usize| (0..SIDE).fold(0, |column, y| column | u64::from(rows[y] >> x & 1) << y);
    std::array::from_fn(|at| column(at) << 32 | u64::from(rows[at]))
}
