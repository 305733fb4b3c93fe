//! How a refusal of the core reaches JavaScript.

use js_sys::{Error, Reflect};
use mps_core::ErrorCode;
use mps_core::level::LevelsError;
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
        let _ = Reflect::set(&error, &Self::from_str("code"), &Self::from_str(code.as_str()));
        error.into()
    }
}
