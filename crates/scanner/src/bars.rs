//! Finding payment codes' bar codes along lines of a picture, and reading them: Code 128, set C (ISO/IEC 15417).

use mps_core::PaymentCode;
use mps_core::barcode::{CHARACTERS, START_C, STOP, WIDTHS, check_of, widths_of};

use crate::picture::Picture;

/// Lines looked along in each direction.
const LINES: usize = 24;
/// Modules of a character.
const CHARACTER_MODULES: f32 = 11.0;
/// Of the ten modules of quiet zone so many must be seen.
const QUIET_MODULES: f32 = 5.0;
/// Characters before the stop: the start, twelve pairs, the check.
const CHARACTERS_READ: usize = (WIDTHS - STOP.len()) / 6;
/// The widths of a character may be off by so many modules together.
const OFF_MAX: f32 = 2.4;
/// A bar is darker than its surroundings by so much.
const DARKER_MIN: u32 = 6;

/// Hands over the digits of payment codes' bar codes, whichever way they are turned by quarters: of each as often as a line shows it.
pub(crate) fn each(picture: &Picture, mut take: impl FnMut(String)) {
    let rows = lines(picture.height).map(|y| (0..picture.width).map(|x| picture.at(x, y)).collect());
    let columns = lines(picture.width).map(|x| (0..picture.height).map(|y| picture.at(x, y)).collect());
    rows.chain(columns).for_each(|line: Vec<u8>| {
        let mut runs = runs_of(&line);
        read(&runs, &mut take);
        runs.reverse();
        read(&runs, &mut take);
    });
}

/// From the middle outwards, where a code is most likely.
pub(crate) fn lines(length: usize) -> impl Iterator<Item = usize> {
    (0..LINES).map(move |at| {
        let off = length * at.div_ceil(2) / (LINES + 2);
        if at % 2 == 0 { length / 2 + off } else { length / 2 - off }
    })
}

/// A stretch of pixels alike.
#[derive(Clone, Copy)]
struct Run {
    is_dark: bool,
    pixels: f32,
}

/// Dark is what is darker than the mean around it.
fn runs_of(line: &[u8]) -> Vec<Run> {
    let mut sums = Vec::with_capacity(line.len() + 1);
    sums.push(0_u32);
    for luma in line {
        sums.push(sums.last().copied().unwrap_or_default() + u32::from(*luma));
    }
    let reach = (line.len() / 24).max(12);
    let mut runs: Vec<Run> = Vec::new();
    for (at, luma) in line.iter().enumerate() {
        let (from, to) = (at.saturating_sub(reach), (at + reach + 1).min(line.len()));
        let pixels = u32::try_from(to - from).unwrap_or(1);
        let is_dark = (u32::from(*luma) + DARKER_MIN) * pixels < sums[to] - sums[from];
        match runs.last_mut() {
            Some(run) if run.is_dark == is_dark => run.pixels += 1.0,
            _ => runs.push(Run { is_dark, pixels: 1.0 }),
        }
    }
    runs
}

fn read(runs: &[Run], take: &mut impl FnMut(String)) {
    for at in 1..runs.len().saturating_sub(WIDTHS) {
        let (quiet, code) = (runs[at - 1], &runs[at..at + WIDTHS]);
        let module = code[..6].iter().map(|run| run.pixels).sum::<f32>() / CHARACTER_MODULES;
        let begins = code[0].is_dark && quiet.pixels >= QUIET_MODULES * module;
        if begins && let Some(digits) = read_code(code) {
            take(digits);
        }
    }
}

fn read_code(code: &[Run]) -> Option<String> {
    let (read, stop) = code.split_at(CHARACTERS_READ * 6);
    // The stop is two modules longer; its beginning has the length of a character.
    let stop_module = stop.iter().map(|run| run.pixels).sum::<f32>() / 13.0;
    if off(stop, &STOP, stop_module) > OFF_MAX {
        return None;
    }
    let characters: Vec<usize> = read.chunks(6).map(character).collect::<Option<_>>()?;
    digits_of(&characters)
}

/// The digits of a payment code's characters, when they are one's.
pub(crate) fn digits_of(characters: &[usize]) -> Option<String> {
    let [START_C, pairs @ .., check] = characters else { return None };
    if pairs.iter().any(|pair| *pair > 99) || check_of(pairs.iter().copied()) != *check {
        return None;
    }
    let tens_and_ones = pairs.iter().flat_map(|pair| [pair / 10, pair % 10]);
    let digits: String =
        tens_and_ones.filter_map(|digit| char::from_digit(u32::try_from(digit).ok()?, 10)).collect();
    PaymentCode::parse(&digits).ok().map(|_| digits)
}

/// The character whose widths are nearest.
fn character(runs: &[Run]) -> Option<usize> {
    let module = runs.iter().map(|run| run.pixels).sum::<f32>() / CHARACTER_MODULES;
    let offs = (0..CHARACTERS.len()).filter_map(|at| Some((at, off(runs, &widths_of(at)?, module))));
    let (nearest, least) = offs.min_by(|one, other| one.1.total_cmp(&other.1))?;
    (least <= OFF_MAX).then_some(nearest)
}

/// How many modules the runs are off these widths, together.
fn off(runs: &[Run], widths: &[u8], module: f32) -> f32 {
    runs.iter().zip(widths).map(|(run, width)| (run.pixels / module - f32::from(*width)).abs()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "701234567890123456789017";

    /// A picture of the bar code, so many pixels a module, on paper of this shade.
    fn drawn(scale: usize, paper: u8, ink: u8) -> Result<Picture, Box<dyn std::error::Error>> {
        let code = PaymentCode::parse(CODE).map_err(mps_core::ErrorCode::as_str)?;
        let widths = mps_core::barcode::barcode_widths(&code);
        let mut line = vec![paper; 10 * scale];
        for (at, width) in widths.iter().enumerate() {
            let shade = if at % 2 == 0 { ink } else { paper };
            line.extend(std::iter::repeat_n(shade, usize::from(*width) * scale));
        }
        line.extend(vec![paper; 10 * scale]);
        let width = line.len();
        let rgba: Vec<u8> = line.iter().flat_map(|shade| [*shade, *shade, *shade, 255]).collect();
        Picture::try_new(&rgba.repeat(60), width, 60).ok_or_else(|| "no picture".into())
    }

    /// What is found, each once.
    fn digits(picture: &Picture) -> Vec<String> {
        let mut found = Vec::new();
        each(picture, |digits| found.push(digits));
        found.dedup();
        found
    }

    #[test]
    fn a_bar_code_is_read_on_paper_and_in_the_shade() -> Result<(), Box<dyn std::error::Error>> {
        for (scale, paper, ink) in [(1, 255, 0), (2, 255, 0), (3, 120, 60), (5, 200, 90)] {
            assert_eq!(digits(&drawn(scale, paper, ink)?), [CODE], "{scale} {paper} {ink}");
        }
        Ok(())
    }

    #[test]
    fn a_bar_code_is_read_upside_down() -> Result<(), Box<dyn std::error::Error>> {
        let picture = drawn(2, 255, 0)?;
        let line: Vec<u8> = (0..picture.width).rev().map(|x| picture.at(x, 30)).collect();
        let rgba: Vec<u8> = line.iter().flat_map(|shade| [*shade, *shade, *shade, 255]).collect();
        let turned = Picture::try_new(&rgba.repeat(60), picture.width, 60).ok_or("no picture")?;
        assert_eq!(digits(&turned), [CODE]);
        Ok(())
    }

    #[test]
    fn noise_is_no_bar_code_and_ends_nothing() {
        let mut random = fastrand::Rng::with_seed(20_261_126);
        for _ in 0..200 {
            let (width, height) = (random.usize(21..200), random.usize(21..200));
            let coarse = random.usize(1..6);
            let shades: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(width * height).collect();
            let shade =
                |at: usize| shades[at / width / coarse * coarse * width + at % width / coarse * coarse];
            let rgba: Vec<u8> =
                (0..width * height).flat_map(|at| [shade(at), shade(at), shade(at), 255]).collect();
            assert_eq!(crate::read_frame(&rgba, width, height), []);
        }
    }

    #[test]
    fn bytes_that_are_no_frame_of_that_size_are_nothing() {
        for (bytes, width, height) in
            [(0, 0, 0), (4 * 21 * 21 - 1, 21, 21), (4 * 20 * 21, 20, 21), (16, usize::MAX, 4)]
        {
            assert_eq!(crate::read_frame(&vec![0; bytes], width, height), [], "{width} {height}");
        }
    }
}
