//! Levels and points.

use std::borrow::Cow;

use mps_core::level::Level;
use mps_core::{Discount, ErrorCode, Levels, Money};
use wasm_bindgen::prelude::*;

use crate::object::{Fields, count, list, number, object};
use crate::refusal::Refusal;

/// The house's levels, or those given.
pub(crate) fn levels_or_house(levels: Option<Vec<Fields>>) -> Result<Levels, Refusal> {
    let Some(levels) = levels else { return Ok(Levels::house()) };
    let levels = levels.into_iter().map(|fields| {
        let counted = |name| fields.optional_count(name)?.ok_or(Refusal(ErrorCode::MalformedArgument));
        Ok(Level {
            level: u16::try_from(counted("level")?).map_err(|_| Refusal(ErrorCode::MalformedArgument))?,
            name: Cow::Owned(fields.text("name")?),
            points_min: counted("pointsMin")?,
            points_max: fields.optional_count("pointsMax")?,
            discount: Discount::parse(&fields.text("discount")?)?,
        })
    });
    Ok(Levels::try_new(levels.collect::<Result<_, Refusal>>()?)?)
}

/// The level of so many points and the way to the next; `levels` in place of the house's when given.
///
/// # Errors
/// `MALFORMED_ARGUMENT` when the points are no whole number from 0 or the levels have a gap or an overlap.
#[wasm_bindgen(js_name = levelFor)]
pub fn level_for(points: &JsValue, levels: Option<JsValue>) -> Result<JsValue, Refusal> {
    let levels = levels_or_house(levels.map(list).transpose()?)?;
    let standing = levels.standing(count(points)?);
    let or_null = |count: Option<u64>| count.map_or(JsValue::NULL, number);
    Ok(object(&[
        ("level", number(standing.level.level.into())),
        ("name", JsValue::from_str(&standing.level.name)),
        ("discount", standing.level.discount.to_string().into()),
        ("nextLevelPoints", or_null(standing.next.map(|next| next.points_min))),
        ("pointsToNext", or_null(standing.points_to_next)),
    ]))
}

/// The points that a payment of this raw amount earns on a card that earns.
///
/// # Errors
/// `INVALID_PRICE`.
#[wasm_bindgen(js_name = pointsFor)]
pub fn points_for(raw_amount: &str) -> Result<JsValue, Refusal> {
    Ok(number(mps_core::points_for(Money::parse_price(raw_amount)?)))
}
