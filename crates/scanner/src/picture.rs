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

    /// Noise is finer than this.
    pub(crate) fn smoothed(&self) -> Self {
        self.with_means(1, |_, mean| mean)
    }

    /// What differs from the mean around it differs three times as much: blur is undone in part.
    pub(crate) fn sharpened(&self) -> Self {
        self.with_means(3, |luma, mean| (luma * 3).saturating_sub(mean * 2).min(u32::from(u8::MAX)))
    }

    /// Each pixel by itself and by the mean of the square that reaches so far around it.
    fn with_means(&self, reach: usize, change: impl Fn(u32, u32) -> u32) -> Self {
        let (width, height) = (self.width, self.height);
        // Sums of everything above and to the left.
        let mut sums = vec![0_u32; (width + 1) * (height + 1)];
        for y in 0..height {
            let mut row = 0;
            for x in 0..width {
                row += u32::from(self.at(x, y));
                sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
            }
        }
        let sum = |x: usize, y: usize| sums[y * (width + 1) + x];
        let changed = |x: usize, y: usize| {
            let (left, right) = (x.saturating_sub(reach), (x + reach + 1).min(width));
            let (top, bottom) = (y.saturating_sub(reach), (y + reach + 1).min(height));
            let square = sum(right, bottom) + sum(left, top) - sum(left, bottom) - sum(right, top);
            let pixels = u32::try_from((right - left) * (bottom - top)).unwrap_or(1);
            u8::try_from(change(u32::from(self.at(x, y)), square / pixels)).unwrap_or(u8::MAX)
        };
        let luma =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| changed(x, y)).collect();
        Self { width, height, luma }
    }

    pub(crate) fn luma(&self) -> &[u8] {
        &self.luma
    }

    /// Light for dark.
    pub(crate) fn inverted(&self) -> Self {
        Self { luma: self.luma.iter().map(|luma| u8::MAX - luma).collect(), ..*self }
    }
}
