//! Levels and points.

use std::borrow::Cow;

use mps_core::level::Level;
use mps_core::{Discount, Levels, Money};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use crate::refusal::{Refusal, from_js, to_js};

/// A level as the package says it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LevelInput {
    level: u16,
    name: String,
    points_min: u64,
    points_max: Option<u64>,
    discount: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StandingView<'a> {
    level: u16,
    name: &'a str,
    discount: String,
    next_level_points: Option<u64>,
    points_to_next: Option<u64>,
}

/// The house's levels, or those given.
pub(crate) fn levels_or_house(levels: Option<Vec<LevelInput>>) -> Result<Levels, Refusal> {
    let Some(levels) = levels else { return Ok(Levels::house()) };
    let levels = levels.into_iter().map(|level| {
        Ok(Level {
            level: level.level,
            name: Cow::Owned(level.name),
            points_min: level.points_min,
            points_max: level.points_max,
            discount: Discount::parse(&level.discount)?,
        })
    });
    Ok(Levels::try_new(levels.collect::<Result<_, Refusal>>()?)?)
}

/// The level of so many points and the way to the next; `levels` in place of the house's when given.
///
/// # Errors
/// `MALFORMED_ARGUMENT` when the points are no whole number from 0 or the levels have a gap or an overlap.
#[wasm_bindgen(js_name = levelFor)]
pub fn level_for(points: JsValue, levels: JsValue) -> Result<JsValue, Refusal> {
    let levels = levels_or_house(from_js(levels)?)?;
    let standing = levels.standing(from_js(points)?);
    to_js(&StandingView {
        level: standing.level.level,
        name: &standing.level.name,
        discount: standing.level.discount.to_string(),
        next_level_points: standing.next.map(|next| next.points_min),
        points_to_next: standing.points_to_next,
    })
}

/// The points that a payment of this raw amount earns on a card that earns.
///
/// # Errors
/// `INVALID_PRICE`.
#[wasm_bindgen(js_name = pointsFor)]
pub fn points_for(raw_amount: &str) -> Result<JsValue, Refusal> {
    to_js(&mps_core::points_for(Money::parse_price(raw_amount)?))
}
