//! Reading payment codes' bar codes whose bars have run together, by blur or for want of pixels: the shades along a line are held against
//! those that each character would have. Two lines must say the same.
#![allow(clippy::cast_precision_loss, reason = "a code has 167 modules")]

use mps_core::barcode::{CHARACTERS, START_C, STOP, widths_of};

use crate::bars;
use crate::line::{Edge, Line};
use crate::picture::Picture;

/// Modules of a character.
const CHARACTER: usize = 11;
/// The start, twelve pairs, the check.
const CHARACTERS_READ: usize = 14;
const STOP_AT: usize = CHARACTERS_READ * CHARACTER;
const STOP_MODULES: usize = 13;
const CODE: usize = STOP_AT + STOP_MODULES;
/// Shades taken of each module.
const DENSITY: usize = 2;
/// Modules to either side that blur brings in.
const AROUND: usize = 3;
/// Blurs that are tried: of a Gaussian, in modules.
const BLURS: [f32; 4] = [0.25, 0.5, 0.7, 0.9];
/// Of the ten modules of quiet zone so many must be seen.
const QUIET: f32 = 5.0;
/// Less pixels a module tell nothing.
const PIXELS_MIN: f32 = 0.95;
/// Edges that are seen of the ninety-two: fewer where bars have run together, more where there is noise.
const EDGES_MIN: usize = 39;
const EDGES_MAX: usize = 160;
/// The surroundings in which dark is dark, as parts of a line: what lies around the code may be lighter than its paper.
const REACHES: [usize; 2] = [24, 60];
const REACH_MIN: usize = 8;
/// Neighbouring lines that are taken together.
const BAND: usize = 5;
/// How like the shades must be to those of a start and a stop, and to those of the nearest character.
const LIKE_ENDS_MIN: f32 = 0.85;
const LIKE_MIN: f32 = 0.75;
/// What is unlike in the nearest character must be less than this part of what is unlike in the next.
const UNLIKE_PART_MAX: f32 = 0.75;

/// Hands over the digits that two lines agree on.
pub(crate) fn each(picture: &Picture, mut take: impl FnMut(String)) {
    let tables = BLURS.map(Table::new);
    let (width, height) = (picture.width, picture.height);
    let rows = bars::lines(height).map(|y| band(height, y, width, |x, y| picture.at(x, y)));
    let columns = bars::lines(width).map(|x| band(width, x, height, |y, x| picture.at(x, y)));
    let mut seen: Vec<String> = Vec::new();
    for line in rows.chain(columns) {
        let Some(digits) = read(&line, &tables).or_else(|| read(&line.reversed(), &tables)) else { continue };
        if seen.contains(&digits) {
            return take(digits);
        }
        seen.push(digits);
    }
}

/// The means across a few neighbouring lines.
fn band(lines: usize, middle: usize, length: usize, at: impl Fn(usize, usize) -> u8) -> Line {
    let from = middle.saturating_sub(BAND / 2);
    let to = (from + BAND).min(lines);
    Line::new(
        (0..length)
            .map(|x| (from..to).map(|y| f32::from(at(x, y))).sum::<f32>() / (to - from) as f32)
            .collect(),
    )
}

const CHARACTER_SHADES: usize = CHARACTER * DENSITY;
const STOP_SHADES: usize = STOP_MODULES * DENSITY;
const MODULES_SEEN: usize = STOP_MODULES + 2 * AROUND;

/// Light around a code, and what follows a character whatever it is: a bar, of a width that is not known.
const LIGHT: [f32; AROUND] = [0.0; AROUND];
const BAR: [f32; AROUND] = [1.0, 0.5, 0.25];
const STOP_BEGINS: [f32; AROUND] = [1.0, 1.0, 0.0];

/// How a blur mixes modules into shades, and what start and stop look like in it.
struct Table {
    weights: [[f32; MODULES_SEEN]; STOP_SHADES],
    start: [f32; CHARACTER_SHADES],
    stop: [f32; STOP_SHADES],
}

impl Table {
    fn new(blur: f32) -> Self {
        // A shade is half a module wide itself.
        let variance = blur * blur + 0.02;
        let weights = std::array::from_fn(|shade| {
            let middle = (shade as f32 + 0.5) / DENSITY as f32 + AROUND as f32;
            let weight = |module: usize, part: u8| {
                let off = module as f32 + (f32::from(part) + 0.5) / 8.0 - middle;
                (-off * off / (2.0 * variance)).exp()
            };
            let weights: [f32; MODULES_SEEN] =
                std::array::from_fn(|module| (0..8).map(|part| weight(module, part)).sum());
            let sum: f32 = weights.iter().sum();
            weights.map(|weight| weight / sum)
        });
        let mut table = Self { weights, start: [0.0; CHARACTER_SHADES], stop: [0.0; STOP_SHADES] };
        table.start = table.shades(&LIGHT, &widths(START_C), &BAR);
        table.stop = table.shades(&LIGHT, &STOP, &LIGHT);
        table
    }

    /// How dark a character appears between others.
    fn shades<const N: usize>(&self, before: &[f32], widths: &[u8], after: &[f32]) -> [f32; N] {
        let modules = || before.iter().copied().chain(modules_of(widths)).chain(after.iter().copied());
        std::array::from_fn(|shade| {
            self.weights[shade].iter().zip(modules()).map(|(weight, dark)| weight * dark).sum()
        })
    }
}

fn widths(character: usize) -> [u8; 6] {
    widths_of(character).unwrap_or_default()
}

fn modules_of(widths: &[u8]) -> impl Iterator<Item = f32> {
    let bars = widths.iter().zip([1.0, 0.0].into_iter().cycle());
    bars.flat_map(|(width, dark)| std::iter::repeat_n(dark, usize::from(*width)))
}

/// How well shades follow a pattern of darkness: the square of their correlation; 0 where dark is lighter.
fn likeness<const N: usize>(shades: &[f32; N], dark: &[f32; N]) -> f32 {
    let (mean, mean_dark) = (shades.iter().sum::<f32>() / N as f32, dark.iter().sum::<f32>() / N as f32);
    let (mut common, mut of_shades, mut of_dark) = (0.0, 0.0, 0.0);
    for (shade, dark) in shades.iter().zip(dark) {
        let (below, dark) = (mean - shade, dark - mean_dark);
        common += below * dark;
        of_shades += below * below;
        of_dark += dark * dark;
    }
    if common <= 0.0 { 0.0 } else { common * common / (of_shades * of_dark) }
}

fn read(line: &Line, tables: &[Table]) -> Option<String> {
    REACHES.into_iter().find_map(|part| {
        let edges = line.edges((line.len() / part).max(REACH_MIN));
        (0..edges.len()).filter(|at| edges[*at].is_dark).find_map(|at| {
            let light_from = if at == 0 { 0.0 } else { edges[at - 1].at };
            read_from(line, &edges[at..], edges[at].at - light_from, tables)
        })
    })
}

/// A code that begins at the first edge, with so much light before it. Nowhere within a code is as much light as around it.
fn read_from(line: &Line, edges: &[Edge], quiet: f32, tables: &[Table]) -> Option<String> {
    let begin = edges[0].at;
    let mut light_max = 0.0_f32;
    for at in (1..edges.len().min(EDGES_MAX)).step_by(2) {
        let end = edges[at].at;
        let light = edges.get(at + 1).map_or(line.len() as f32, |edge| edge.at) - end;
        let module = (end - begin) / CODE as f32;
        let quiet_min = (QUIET * module).max(light_max);
        if quiet < quiet_min {
            return None;
        }
        if at >= EDGES_MIN && module >= PIXELS_MIN && light >= quiet_min {
            let place = Place { begin, length: end - begin, slant: 0.0 };
            if let Some(digits) = tables.iter().find_map(|table| read_at(line, place, table)) {
                return Some(digits);
            }
        }
        light_max = light_max.max(light);
    }
    None
}

/// Where a code lies along a line. One that is seen at a slant is wider at one end.
#[derive(Clone, Copy)]
struct Place {
    begin: f32,
    length: f32,
    slant: f32,
}

impl Place {
    /// Where so many modules end.
    fn after(self, modules: usize) -> f32 {
        let part = modules as f32 / CODE as f32;
        self.begin + self.length * part * (1.0 + self.slant) / (1.0 + self.slant * part)
    }

    /// The shades from a module on.
    fn shades<const N: usize>(self, line: &Line, first: usize) -> [f32; N] {
        let (from, to) = (self.after(first), self.after(first + N / DENSITY));
        line.samples(from, (to - from) / N as f32)
    }

    /// The place near this one, with this slant, where a start and a stop are seen best, and how well the worse of them is.
    fn settle(self, line: &Line, table: &Table) -> (Self, f32) {
        let best = |like: &dyn Fn(f32) -> f32| {
            let offs = (-4_i8..=4).map(|step| f32::from(step) * 0.2 * self.length / CODE as f32);
            offs.map(|off| (off, like(off)))
                .max_by(|one, other| one.1.total_cmp(&other.1))
                .unwrap_or_default()
        };
        let from = |off: f32| Self { begin: self.begin + off, length: self.length - off, ..self };
        let (off, start) = best(&|off| likeness(&from(off).shades(line, 0), &table.start));
        let begun = from(off);
        let to = |off: f32| Self { length: begun.length + off, ..begun };
        let (off, stop) = best(&|off| likeness(&to(off).shades(line, STOP_AT), &table.stop));
        (to(off), start.min(stop))
    }
}

fn read_at(line: &Line, place: Place, table: &Table) -> Option<String> {
    let slants = (-4_i8..=4).map(|step| Place { slant: f32::from(step) * 0.06, ..place }.settle(line, table));
    let (settled, alike) = slants.max_by(|one, other| one.1.total_cmp(&other.1))?;
    if alike < LIKE_ENDS_MIN {
        return None;
    }
    let mut read = vec![START_C];
    for at in 1..CHARACTERS_READ {
        let after = if at + 1 == CHARACTERS_READ { STOP_BEGINS } else { BAR };
        read.push(nearest(&settled.shades(line, at * CHARACTER), *read.last()?, &after, table)?);
    }
    bars::digits_of(&read)
}

/// The character that shades are most like, when they are like no other.
fn nearest(shades: &[f32; CHARACTER_SHADES], former: usize, after: &[f32], table: &Table) -> Option<usize> {
    let before: Vec<f32> = modules_of(&widths(former)).skip(CHARACTER - AROUND).collect();
    let (mut nearest, mut most, mut next) = (0, 0.0, 0.0);
    // The three starts begin a code only.
    for character in 0..CHARACTERS.len() - 3 {
        let like = likeness(shades, &table.shades(&before, &widths(character), after));
        if like > most {
            (nearest, next, most) = (character, most, like);
        } else if like > next {
            next = like;
        }
    }
    (most >= LIKE_MIN && 1.0 - most <= UNLIKE_PART_MAX * (1.0 - next)).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use mps_core::PaymentCode;
    use mps_core::barcode::barcode_widths;

    use super::*;

    /// Any payment code, by random digits and their check digit.
    fn code(random: &mut fastrand::Rng) -> Option<PaymentCode> {
        let digits: String = std::iter::repeat_with(|| random.char('0'..='9')).take(21).collect();
        ('0'..='9').find_map(|check| PaymentCode::parse(&format!("70{digits}{check}")).ok())
    }

    /// The code's bars as a camera has them that is out of focus, with its noise: a line, repeated.
    fn blurred(
        code: &PaymentCode,
        pixels: f32,
        blur: f32,
        noise: f32,
        random: &mut fastrand::Rng,
    ) -> Option<Picture> {
        let modules: Vec<f32> = modules_of(&barcode_widths(code)).collect();
        let length = ((modules.len() + 24) as f32 * pixels).ceil();
        let shade = |at: f32| {
            let place = at / pixels - 12.0;
            let weighed = modules.iter().zip(0_u8..).map(|(dark, module)| {
                let off = f32::from(module) + 0.5 - place;
                dark * (-off * off / (2.0 * blur * blur)).exp()
            });
            220.0 - 180.0 * weighed.sum::<f32>() / (blur * (2.0 * std::f32::consts::PI).sqrt())
        };
        let clean: Vec<f32> = std::iter::successors(Some(0.5), |at| Some(at + 1.0))
            .take_while(|at| *at < length)
            .map(shade)
            .collect();
        let mut rgba = Vec::new();
        for _ in 0..30 {
            for shade in &clean {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
                let seen = (shade + noise * (random.f32() - 0.5)) as u8;
                rgba.extend([seen, seen, seen, u8::MAX]);
            }
        }
        Picture::try_new(&rgba, clean.len(), 30)
    }

    #[test]
    fn a_code_whose_bars_have_run_together_is_read_or_nothing_is_and_never_another() {
        let mut random = fastrand::Rng::with_seed(20_261_128);
        let mut read = [0; 3];
        for (at, least_blur) in [0.4, 0.7, 1.0].into_iter().enumerate() {
            for _ in 0..60 {
                let Some(code) = code(&mut random) else { continue };
                let (pixels, blur) = (1.2 + 3.0 * random.f32(), least_blur + 0.3 * random.f32());
                let noise = 40.0 * random.f32();
                let Some(picture) = blurred(&code, pixels, blur, noise, &mut random) else { continue };
                each(&picture, |digits| {
                    assert_eq!(digits, code.reveal(), "{pixels} {blur} {noise}");
                    read[at] += 1;
                });
            }
        }
        let [sharp, soft, _] = read;
        assert!(sharp >= 55 && soft >= 30, "{read:?}");
    }
}
