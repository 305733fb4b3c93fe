//! Pricing, and what a refund would leave and take.

use std::cell::Cell;
use std::sync::LazyLock;

use mps_core::price::{CorporateDiscount, DiscountSource};
use mps_core::refund::RefundablePayment;
use mps_core::{CardType, Discount, ErrorCode, Levels, Money, PriceRequest};
use wasm_bindgen::prelude::*;

use crate::object::{Fields, number, object, whole};
use crate::refusal::Refusal;
use crate::standing::levels_or_house;

/// What a payment costs and earns.
///
/// Takes `{ cardType, rawAmount, points?, fixedDiscount?, corporateDiscounts?: { cardNo, discount }[], levels? }`, answers
/// `{ rawAmount, discount, discountSource, discountCardNo?, finalAmount, pointsEarned }`.
///
/// # Errors
/// `INVALID_PRICE`; `MALFORMED_ARGUMENT` for anything else that is not as documented.
#[wasm_bindgen]
pub fn quote(request: JsValue) -> Result<JsValue, Refusal> {
    let fields = Fields::of(request)?;
    let raw_amount = Money::parse_price(&fields.text("rawAmount")?)?;
    let levels = levels_or_house(fields.optional_list("levels")?)?;
    let cards = fields.optional_list("corporateDiscounts")?.unwrap_or_default();
    let card_nos = cards.iter().map(|card| card.text("cardNo")).collect::<Result<Vec<_>, _>>()?;
    let corporate_discounts = cards.iter().zip(&card_nos).map(|(card, card_no)| {
        Ok(CorporateDiscount { card_no, discount: Discount::parse(&card.text("discount")?)? })
    });
    let corporate_discounts = corporate_discounts.collect::<Result<Vec<_>, Refusal>>()?;
    let fixed_discount = fields.optional_text("fixedDiscount")?;
    let quote = mps_core::quote(&PriceRequest {
        rules: fields.text("cardType")?.parse::<CardType>()?.default_rules(),
        raw_amount,
        points: fields.optional_count("points")?.unwrap_or_default(),
        fixed_discount: fixed_discount.as_deref().map(Discount::parse).transpose()?,
        corporate_discounts: &corporate_discounts,
        levels: &levels,
    })?;
    let discount_card_no = match quote.discount_source {
        DiscountSource::Corporate { card_no } => JsValue::from_str(card_no),
        DiscountSource::Level | DiscountSource::Card | DiscountSource::None => JsValue::UNDEFINED,
    };
    Ok(object(&[
        ("rawAmount", quote.raw_amount.to_string().into()),
        ("discount", quote.discount.to_string().into()),
        ("discountSource", quote.discount_source.as_str().into()),
        ("discountCardNo", discount_card_no),
        ("finalAmount", quote.final_amount.to_string().into()),
        ("pointsEarned", number(quote.points_earned)),
    ]))
}

/// A price without levels or corporate discounts of its own, until it is asked for.
#[derive(Clone, Copy)]
struct PlainQuote {
    raw_hundredths: u64,
    discount_thousandths: u32,
    source: u32,
    points_earned: u64,
}

const NOTHING: PlainQuote =
    PlainQuote { raw_hundredths: 0, discount_thousandths: 0, source: 0, points_earned: 0 };

thread_local! {
    static QUOTED: Cell<PlainQuote> = const { Cell::new(NOTHING) };
}

/// `quote` by the house's levels and without corporate discounts, in numbers: objects and texts cost more to hand over than a price
/// costs to compute. `card_type` counts from 0: standard, prepaid, corporate, voucher. Answers the final amount in hundredths and
/// keeps the rest for `quotedPart`; below zero when it would be refused: `quote` then says why.
#[wasm_bindgen(js_name = quotePlain)]
#[allow(clippy::needless_pass_by_value, reason = "wasm-bindgen takes optional texts by value only")]
pub fn quote_plain(card_type: usize, raw_amount: &str, points: f64, fixed_discount: Option<String>) -> f64 {
    plain(card_type, raw_amount, points, fixed_discount.as_deref()).map_or(-1.0, exact)
}

/// The rest of the last `quotePlain`: 0 the raw amount in hundredths, 1 the multiplier in thousandths, 2 where that came from (0 level,
/// 1 card, 2 corporate, 3 none), 3 the points earned.
#[wasm_bindgen(js_name = quotedPart)]
pub fn quoted_part(which: u32) -> f64 {
    let quoted = QUOTED.get();
    match which {
        0 => exact(quoted.raw_hundredths),
        1 => f64::from(quoted.discount_thousandths),
        2 => f64::from(quoted.source),
        _ => exact(quoted.points_earned),
    }
}

/// Fourteen digits at most.
#[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
fn exact(count: u64) -> f64 {
    count as f64
}

fn plain(card_type: usize, raw_amount: &str, points: f64, fixed_discount: Option<&str>) -> Option<u64> {
    static LEVELS: LazyLock<Levels> = LazyLock::new(Levels::house);
    let fixed_discount = fixed_discount.map(Discount::parse).transpose().ok()?;
    let quote = mps_core::quote(&PriceRequest {
        rules: CardType::ALL.get(card_type)?.default_rules(),
        raw_amount: Money::parse_price(raw_amount).ok()?,
        points: whole(points).ok()?,
        fixed_discount,
        corporate_discounts: &[],
        levels: &LEVELS,
    })
    .ok()?;
    QUOTED.set(PlainQuote {
        raw_hundredths: quote.raw_amount.hundredths(),
        discount_thousandths: quote.discount.thousandths(),
        source: match quote.discount_source {
            DiscountSource::Level => 0,
            DiscountSource::Card => 1,
            DiscountSource::Corporate { .. } => 2,
            DiscountSource::None => 3,
        },
        points_earned: quote.points_earned,
    });
    Some(quote.final_amount.hundredths())
}

/// What one more refund of a payment would leave to refund and which points it would take.
///
/// Takes `{ cardType, finalAmount, pointsEarned, amount, pointsLeft, refundedBefore?, pointsTakenBefore? }`, answers
/// `{ remaining, pointsTaken, refundedTo: "card" | "newVoucher" }`.
///
/// # Errors
/// `INVALID_REFUND_AMOUNT`, `REFUND_EXCEEDS_REMAINING`; `MALFORMED_ARGUMENT` for anything else that is not as documented.
#[wasm_bindgen(js_name = refundPreview)]
pub fn refund_preview(request: JsValue) -> Result<JsValue, Refusal> {
    let fields = Fields::of(request)?;
    let counted = |name| fields.optional_count(name)?.ok_or(Refusal(ErrorCode::MalformedArgument));
    let amount = Money::parse(&fields.text("amount")?).map_err(|_| ErrorCode::InvalidRefundAmount)?;
    let refunded_before = fields.optional_text("refundedBefore")?;
    let payment = RefundablePayment {
        final_amount: Money::parse(&fields.text("finalAmount")?)?,
        points_earned: counted("pointsEarned")?,
        refunded_before: refunded_before.as_deref().map_or(Ok(Money::ZERO), Money::parse)?,
        points_taken_before: fields.optional_count("pointsTakenBefore")?.unwrap_or_default(),
    };
    let card_type = fields.text("cardType")?.parse::<CardType>()?;
    let preview = payment.refund_preview(amount, counted("pointsLeft")?)?;
    let refunded_to = if card_type == CardType::Voucher { "newVoucher" } else { "card" };
    Ok(object(&[
        ("remaining", preview.remaining.to_string().into()),
        ("pointsTaken", number(preview.points_taken)),
        ("refundedTo", refunded_to.into()),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The final amount in hundredths, then the parts.
    fn quoted(card_type: usize, raw: &str, points: f64, fixed: Option<&str>) -> (f64, [f64; 4]) {
        let answer = quote_plain(card_type, raw, points, fixed.map(str::to_owned));
        (answer, [0, 1, 2, 3].map(quoted_part))
    }

    #[test]
    fn a_plain_price_is_the_house_s() {
        assert_eq!(quoted(0, "299", 1000.0, None), (28405.0, [29900.0, 950.0, 0.0, 299.0]));
        assert_eq!(quoted(1, "0.5", 0.0, Some("0.99")), (50.0, [50.0, 990.0, 1.0, 0.0]));
        assert_eq!(quoted(2, "7", 0.0, None), (700.0, [700.0, 1000.0, 3.0, 0.0]));
        let largest = 99_999_999_999_999.0;
        assert_eq!(
            quoted(0, "999999999999.99", 0.0, None),
            (largest, [largest, 1000.0, 0.0, 999_999_999_999.0])
        );
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_one_that_says_why() {
        for (card_type, raw, points, fixed) in [
            (4, "1", 0.0, None),
            (0, "0", 0.0, None),
            (0, "1.001", 0.0, None),
            (0, "1", -1.0, None),
            (0, "1", 1.5, None),
            (0, "1", f64::NAN, None),
            (0, "1", 9_007_199_254_740_992.0, None),
            (0, "1", 0.0, Some("1.001")),
            (0, "1", 0.0, Some("")),
        ] {
            assert!(quoted(card_type, raw, points, fixed).0 < 0.0, "{card_type} {raw} {points} {fixed:?}");
        }
        assert!(quoted(0, "1", 9_007_199_254_740_991.0, None).0 > 0.0);
    }
}
