//! Pricing, and what a refund would leave and take.

use std::fmt::Write as _;

use mps_core::price::{CorporateDiscount, DiscountSource};
use mps_core::refund::RefundablePayment;
use mps_core::{CardType, Discount, ErrorCode, Levels, Money, PriceRequest};
use wasm_bindgen::prelude::*;

use crate::object::{Fields, SAFE_INTEGER_MAX, number, object};
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

/// `quote` for many at once, by the house's levels and without corporate discounts, as text: objects cost more to hand over
/// than a price costs to compute. A line in is `cardType TAB rawAmount TAB points TAB fixedDiscount`, the last empty for
/// none; a line out is `rawAmount TAB discount TAB discountSource TAB finalAmount TAB pointsEarned`. Answers nothing when one
/// line would be refused: `quote` then says why.
#[wasm_bindgen(js_name = quoteLines)]
pub fn quote_lines(lines: &str) -> Option<String> {
    let levels = Levels::house();
    let mut answers = String::with_capacity(lines.len() + lines.len() / 2);
    for line in lines.split('\n') {
        quote_line(line, &levels, &mut answers)?;
    }
    Some(answers)
}

fn quote_line(line: &str, levels: &Levels, answers: &mut String) -> Option<()> {
    let mut fields = line.split('\t');
    let card_type: CardType = fields.next()?.parse().ok()?;
    let raw_amount = Money::parse_price(fields.next()?).ok()?;
    let points = fields.next()?.parse().ok().filter(|points| *points <= SAFE_INTEGER_MAX)?;
    let fixed_discount = match fields.next()? {
        "" => None,
        text => Some(Discount::parse(text).ok()?),
    };
    if fields.next().is_some() {
        return None;
    }
    let request = PriceRequest {
        rules: card_type.default_rules(),
        raw_amount,
        points,
        fixed_discount,
        corporate_discounts: &[],
        levels,
    };
    let quote = mps_core::quote(&request).ok()?;
    let separator = if answers.is_empty() { "" } else { "\n" };
    write!(
        answers,
        "{separator}{}\t{}\t{}\t{}\t{}",
        quote.raw_amount,
        quote.discount,
        quote.discount_source.as_str(),
        quote.final_amount,
        quote.points_earned
    )
    .ok()
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

    #[test]
    fn a_line_is_priced_as_the_house_does() {
        let priced = quote_lines("standard\t299\t1000\t\nprepaid\t0.5\t0\t0.99\ncorporate\t7\t0\t");
        let expected =
            "299.00\t0.950\tlevel\t284.05\t299\n0.50\t0.990\tcard\t0.50\t0\n7.00\t1.000\tnone\t7.00\t0";
        assert_eq!(priced.as_deref(), Some(expected));
    }

    #[test]
    fn one_line_that_is_not_plain_leaves_all_to_the_one_that_says_why() {
        for line in [
            "",
            "gift\t1\t0\t",
            "standard\t0\t0\t",
            "standard\t1\t-1\t",
            "standard\t1\t1.5\t",
            "standard\t1\t9007199254740992\t",
            "standard\t1\t0",
            "standard\t1\t0\t1.001",
            "standard\t1\t0\t\t",
        ] {
            assert_eq!(quote_lines(line), None, "{line:?}");
            assert_eq!(quote_lines(&format!("standard\t1\t0\t\n{line}")), None, "{line:?}");
        }
        assert!(quote_lines("standard\t1\t9007199254740991\t").is_some());
    }
}
