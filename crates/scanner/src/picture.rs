//! A frame in shades of grey.

/// A QR symbol has 21 modules a side at least.
const SIDE_MIN: usize = 21;
/// More than any camera of a till.
const SIDE_MAX: usize = 4096;

/// Luma, row by row.
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    luma: Vec<u8>,
}

impl Picture {
    /// Nothing when the bytes are not of that size, or it is out of bounds.
    pub(crate) fn try_new(rgba: &[u8], width: usize, height: usize) -> Option<Self> {
        let bounds = SIDE_MIN..=SIDE_MAX;
        if !bounds.contains(&width) || !bounds.contains(&height) || rgba.len() != width * height * 4 {
            return None;
        }
        // ITU-R BT.601 in 256ths.
        let luma = |pixel: &[u8]| {
            let weighed = [77, 150, 29].iter().zip(pixel).map(|(weight, part)| weight * u32::from(*part));
            u8::try_from(weighed.sum::<u32>() >> 8).unwrap_or(u8::MAX)
        };
        Some(Self { width, height, luma: rgba.chunks_exact(4).map(luma).collect() })
    }

    pub(crate) fn at(&self, x: usize, y: usize) -> u8 {
        self.luma[y * self.width + x]
    }

    /// Two by two pixels in one; nothing when it would be too small.
    pub(crate) fn half(&self) -> Option<Self> {
        let (width, height) = (self.width / 2, self.height / 2);
        if width < SIDE_MIN || height < SIDE_MIN {
            return None;
        }
        let mean = |x: usize, y: usize| {
            let four =
                [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| u16::from(self.at(2 * x + dx, 2 * y + dy)));
            u8::try_from(four.iter().sum::<u16>() / 4).unwrap_or(u8::MAX)
        };
        let luma =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| mean(x, y)).collect();
        Some(Self { width, height, luma })
    }

    /// Hands over the texts of the QR symbols that can be read.
    pub(crate) fn each_qr(&self, mut take: impl FnMut(String)) {
        let mut prepared =
            rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, |x, y| self.at(x, y));
        let grids = prepared.detect_grids();
        for grid in &grids {
            if let Ok((_, text)) = grid.decode() {
                take(text);
            }
        }
    }
}
