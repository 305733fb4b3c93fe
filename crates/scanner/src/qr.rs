//! Finding and reading QR codes: symbols are found by `rxing`, a port of the C++ library `ZXing`, and decoded by `rqrr`.

use rqrr::{Grid, SimpleGrid};
use rxing::common::{BitMatrix, DetectorRXingResult, GlobalHistogramBinarizer, HybridBinarizer};
use rxing::qrcode::cpp_port::detector::{FindFinderPatterns, GenerateFinderPatternSets, SampleQR};
use rxing::{Binarizer, Luma8Source};

use crate::picture::Picture;

/// What is dark: by the shades around each block, which stands shadows, or by those of the whole picture, which stands noise and little
/// contrast.
#[derive(Clone, Copy)]
pub(crate) enum Threshold {
    Local,
    Whole,
}

/// Hands over the texts of the QR codes that can be read.
pub(crate) fn each(picture: &Picture, threshold: Threshold, mut take: impl FnMut(String)) {
    let (Ok(width), Ok(height)) = (u32::try_from(picture.width), u32::try_from(picture.height)) else {
        return;
    };
    let Ok(source) = Luma8Source::new_with_slice(picture.luma(), width, height) else { return };
    match threshold {
        Threshold::Local => each_in(HybridBinarizer::new(source).get_black_matrix().ok(), &mut take),
        Threshold::Whole => each_in(GlobalHistogramBinarizer::new(source).get_black_matrix().ok(), &mut take),
    }
}

fn each_in(dark: Option<&BitMatrix>, take: &mut impl FnMut(String)) {
    let Some(dark) = dark else { return };
    let mut patterns = FindFinderPatterns(dark, true, 0);
    for corners in GenerateFinderPatternSets(&mut patterns) {
        let Ok(symbol) = SampleQR(dark, &corners) else { continue };
        if let Some(text) = text_of(symbol.getBits()) {
            take(text);
        }
    }
}

fn text_of(modules: &BitMatrix) -> Option<String> {
    let side = modules.getWidth();
    let grid = SimpleGrid::from_func(usize::try_from(side).ok()?, |x, y| {
        let place = |at| u32::try_from(at).unwrap_or(side);
        modules.try_get(place(x), place(y)).unwrap_or(false)
    });
    // A symbol that is seen from behind too.
    Grid::new(grid).decode().ok().map(|(_, text)| text)
}
