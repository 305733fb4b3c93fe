//! What crosses into WebAssembly as text. Objects cross on JavaScript's side only: pkg/tests/hostile.test.ts.

use mps_core::{ErrorCode, PaymentCode};
use mps_wasm::barcode::barcode_widths;
use mps_wasm::price::{quote_plain, quoted_part};
use mps_wasm::qr::{qr_modules, qr_path};

use crate::{take, text};

/// A byte of card type, eight of points as JavaScript has them, then amount and multiplier with a tab in between.
pub(crate) fn plain_price(data: &[u8]) {
    let mut rest = data;
    let [card_type] = take(&mut rest);
    let points = f64::from_be_bytes(take(&mut rest));
    let text = text(rest);
    let (raw_amount, fixed) = text.split_once('\t').map_or((&*text, None), |(raw, fixed)| (raw, Some(fixed)));
    let paid = quote_plain(card_type.into(), raw_amount, points, fixed.map(str::to_owned));
    if paid < 0.0 {
        return;
    }
    let [raw, thousandths, source, earned] = [0, 1, 2, 3].map(quoted_part);
    assert!(paid <= raw && thousandths <= 1000.0 && source <= 3.0 && earned <= raw / 100.0);
}

pub(crate) fn qr(data: &[u8]) {
    let text = text(data);
    let is_code = PaymentCode::parse(&text).is_ok();
    assert_eq!((qr_path(&text).is_ok(), barcode_widths(&text).is_ok()), (is_code, is_code));
    match qr_modules(&text) {
        Ok(modules) => {
            assert!(is_code && modules.len() == 441 && modules.iter().all(|module| *module <= 1));
            // The dark module of every symbol (ISO/IEC 18004, 7.9.1): row 4 × version + 9, column 8.
            assert_eq!(modules[13 * 21 + 8], 1);
        }
        Err(refusal) => assert!(!is_code && refusal.0 == ErrorCode::InvalidQr),
    }
}
