//! Pricing.

use mps_core::price::{CorporateDiscount, DiscountSource};
use mps_core::{CardType, Discount, Money, PriceRequest};
use wasm_bindgen::prelude::*;

use crate::object::{Fields, number, object};
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
