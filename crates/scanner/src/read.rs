//! Looking at a frame in several ways, the likeliest first, until it shows a payment code.

use std::cell::Cell;

use mps_core::PaymentCode;

use crate::picture::Picture;
use crate::qr::{self, Threshold};
use crate::{bars, blurred_bars};

/// What was read.
pub(crate) enum Code {
    Qr(String),
    Bars(String),
}

/// Hands over what the frame shows, of each code as often as it is seen. Once that was a payment code it is looked at no further.
pub(crate) fn each(picture: &Picture, mut take: impl FnMut(Code)) {
    let is_found = Cell::new(false);
    let mut take = |code: Code| {
        let is_payment = match &code {
            Code::Qr(text) => PaymentCode::parse(text).is_ok(),
            Code::Bars(_) => true,
        };
        is_found.set(is_found.get() || is_payment);
        take(code);
    };
    look(picture, &is_found, &mut take);
    if !is_found.get() {
        // Light on dark is rare, and costs as much.
        look(&picture.inverted(), &is_found, &mut take);
    }
}

fn look(picture: &Picture, is_found: &Cell<bool>, take: &mut impl FnMut(Code)) {
    qr::each(picture, Threshold::Local, |text| take(Code::Qr(text)));
    bars::each(picture, |digits| take(Code::Bars(digits)));
    if is_found.get() {
        return;
    }
    // Blur and noise are finer than the modules of a code that is near: half the size has less of both.
    let half = picture.half();
    let smaller = half.as_ref().map(|half| (half, Threshold::Local));
    let others =
        [Some((picture, Threshold::Whole)), smaller, half.as_ref().map(|half| (half, Threshold::Whole))];
    for (picture, threshold) in others.into_iter().flatten() {
        qr::each(picture, threshold, |text| take(Code::Qr(text)));
    }
    let filtered =
        [Some(picture.smoothed()), Some(picture.sharpened()), half.as_ref().map(Picture::sharpened)];
    for picture in filtered.iter().flatten() {
        qr::each(picture, Threshold::Local, |text| take(Code::Qr(text)));
    }
    blurred_bars::each(picture, |digits| take(Code::Bars(digits)));
}
