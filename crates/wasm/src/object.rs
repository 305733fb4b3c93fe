//! Plain JavaScript objects: reading the fields of an argument, writing those of an answer.

use js_sys::{Array, Object, Reflect};
use mps_core::ErrorCode;
use wasm_bindgen::{JsCast, JsValue};

use crate::refusal::Refusal;

/// 2⁵³ − 1: above it a JavaScript number skips whole numbers.
pub(crate) const SAFE_INTEGER_MAX: u64 = 9_007_199_254_740_991;

const MALFORMED: Refusal = Refusal(ErrorCode::MalformedArgument);

/// The fields of an argument.
pub(crate) struct Fields(Object);

impl Fields {
    pub(crate) fn of(value: JsValue) -> Result<Self, Refusal> {
        value.dyn_into().map(Self).map_err(|_| MALFORMED)
    }

    /// `undefined` and `null` are a field left out.
    fn get(&self, name: &str) -> Option<JsValue> {
        let value = Reflect::get(&self.0, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED);
        if value.is_null() || value.is_undefined() { None } else { Some(value) }
    }

    pub(crate) fn text(&self, name: &str) -> Result<String, Refusal> {
        self.optional_text(name)?.ok_or(MALFORMED)
    }

    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, Refusal> {
        self.get(name).map(|value| value.as_string().ok_or(MALFORMED)).transpose()
    }

    pub(crate) fn optional_count(&self, name: &str) -> Result<Option<u64>, Refusal> {
        self.get(name).map(|value| count(&value)).transpose()
    }

    /// The objects of an array; none when it is left out.
    pub(crate) fn optional_list(&self, name: &str) -> Result<Option<Vec<Self>>, Refusal> {
        self.get(name).map(list).transpose()
    }
}

/// The objects of an array.
pub(crate) fn list(value: JsValue) -> Result<Vec<Fields>, Refusal> {
    let array: Array = value.dyn_into().map_err(|_| MALFORMED)?;
    array.iter().map(Fields::of).collect()
}

/// A whole number from 0.
pub(crate) fn count(value: &JsValue) -> Result<u64, Refusal> {
    whole(value.as_f64().ok_or(MALFORMED)?)
}

/// A whole number from 0, as JavaScript has numbers.
pub(crate) fn whole(number: f64) -> Result<u64, Refusal> {
    #[allow(clippy::cast_precision_loss, reason = "the largest that loses nothing")]
    if number.fract() != 0.0 || !(0.0..=SAFE_INTEGER_MAX as f64).contains(&number) {
        return Err(MALFORMED);
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number within u64")]
    Ok(number as u64)
}

/// A count as a JavaScript number; every count of this house is far below 2⁵³.
#[allow(clippy::cast_precision_loss, reason = "at most twelve digits")]
pub(crate) fn number(count: u64) -> JsValue {
    JsValue::from_f64(count as f64)
}

/// An answer; setting a property of a fresh object cannot fail.
pub(crate) fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}
