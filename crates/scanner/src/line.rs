//! Shades along a line of a picture: where dark begins and ends, and what is between two pixels.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a line has at most 4096 pixels"
)]

/// A bar is darker than its surroundings by so much.
const DARKER_MIN: f32 = 6.0;

/// A place between pixels at which dark begins, or ends.
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) at: f32,
    pub(crate) is_dark: bool,
}

/// Shades along a line, and their sums from its beginning.
pub(crate) struct Line {
    shades: Vec<f32>,
    sums: Vec<f32>,
}

impl Line {
    pub(crate) fn new(shades: Vec<f32>) -> Self {
        let mut sums = vec![0.0];
        for shade in &shades {
            sums.push(sums.last().copied().unwrap_or_default() + shade);
        }
        Self { shades, sums }
    }

    /// The same from its other end.
    pub(crate) fn reversed(&self) -> Self {
        Self::new(self.shades.iter().rev().copied().collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.shades.len()
    }

    /// The sum up to a place between two pixels.
    fn sum(&self, place: f32) -> f32 {
        let place = place.clamp(0.0, self.shades.len() as f32);
        let whole = place as usize;
        self.sums[whole] + (place - whole as f32) * self.shades.get(whole).copied().unwrap_or_default()
    }

    /// The shades of so many stretches, each of this many pixels.
    pub(crate) fn samples<const N: usize>(&self, from: f32, pixels: f32) -> [f32; N] {
        std::array::from_fn(|at| {
            let begin = from + at as f32 * pixels;
            (self.sum(begin + pixels) - self.sum(begin)) / pixels
        })
    }

    /// Where it gets darker or lighter than the mean as far as `reach` to either side.
    pub(crate) fn edges(&self, reach: usize) -> Vec<Edge> {
        let mut edges = Vec::new();
        let mut before = 0.0;
        for (at, shade) in self.shades.iter().enumerate() {
            let (from, to) = (at.saturating_sub(reach), (at + reach + 1).min(self.shades.len()));
            let mean = (self.sums[to] - self.sums[from]) / (to - from) as f32;
            let above = shade + DARKER_MIN - mean;
            if at > 0 && (above < 0.0) != (before < 0.0) {
                edges.push(Edge { at: at as f32 - 0.5 + before / (before - above), is_dark: above < 0.0 });
            }
            before = above;
        }
        edges
    }
}
