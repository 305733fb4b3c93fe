//! How a refusal of the core reaches JavaScript, and the one way values cross over.

use js_sys::{Error, JsString, Reflect};
use mps_core::ErrorCode;
use mps_core::level::LevelsError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

/// A code of the catalogue, thrown as an `Error` with that `code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub ErrorCode);

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self(code)
    }
}

impl From<LevelsError> for Refusal {
    fn from(_: LevelsError) -> Self {
        Self(ErrorCode::MalformedArgument)
    }
}

impl From<Refusal> for JsValue {
    fn from(Refusal(code): Refusal) -> Self {
        let error = Error::new(code.as_str());
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&error, &JsString::from("code"), &JsString::from(code.as_str()));
        error.into()
    }
}

/// Reads an argument.
///
/// # Errors
/// `MALFORMED_ARGUMENT` when it has another shape.
pub(crate) fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T, Refusal> {
    serde_wasm_bindgen::from_value(value).map_err(|_| Refusal(ErrorCode::MalformedArgument))
}

/// Hands out an answer.
///
/// # Errors
/// `INTERNAL` when it cannot be said in JavaScript.
pub(crate) fn to_js<T: Serialize>(value: &T) -> Result<JsValue, Refusal> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|_| Refusal(ErrorCode::Internal))
}
