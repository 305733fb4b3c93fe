//! Pricing.

use mps_core::price::{CorporateDiscount, DiscountSource};
use mps_core::{CardType, Discount, ErrorCode, Money, PriceRequest};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use crate::refusal::{Refusal, from_js, to_js};
use crate::standing::{LevelInput, levels_or_house};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct QuoteInput {
    card_type: String,
    raw_amount: String,
    #[serde(default)]
    points: u64,
    fixed_discount: Option<String>,
    #[serde(default)]
    corporate_discounts: Vec<CorporateInput>,
    levels: Option<Vec<LevelInput>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CorporateInput {
    card_no: String,
    discount: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QuoteView<'a> {
    raw_amount: String,
    discount: String,
    discount_source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    discount_card_no: Option<&'a str>,
    final_amount: String,
    points_earned: u64,
}

/// What a payment costs and earns.
///
/// # Errors
/// `INVALID_PRICE`; `MALFORMED_ARGUMENT` for anything else that is not as documented.
#[wasm_bindgen]
pub fn quote(request: JsValue) -> Result<JsValue, Refusal> {
    let input: QuoteInput = from_js(request)?;
    let levels = levels_or_house(input.levels)?;
    let corporate_discounts = input.corporate_discounts.iter().map(|card| {
        Ok(CorporateDiscount { card_no: &card.card_no, discount: Discount::parse(&card.discount)? })
    });
    let corporate_discounts = corporate_discounts.collect::<Result<Vec<_>, ErrorCode>>()?;
    let quote = mps_core::quote(&PriceRequest {
        rules: input.card_type.parse::<CardType>()?.default_rules(),
        raw_amount: Money::parse_price(&input.raw_amount)?,
        points: input.points,
        fixed_discount: input.fixed_discount.as_deref().map(Discount::parse).transpose()?,
        corporate_discounts: &corporate_discounts,
        levels: &levels,
    })?;
    to_js(&QuoteView {
        raw_amount: quote.raw_amount.to_string(),
        discount: quote.discount.to_string(),
        discount_source: quote.discount_source.as_str(),
        discount_card_no: match quote.discount_source {
            DiscountSource::Corporate { card_no } => Some(card_no),
            DiscountSource::Level | DiscountSource::Card | DiscountSource::None => None,
        },
        final_amount: quote.final_amount.to_string(),
        points_earned: quote.points_earned,
    })
}
