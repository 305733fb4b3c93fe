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
        error(&[("code", code.as_str())])
    }
}

/// A refusal that names the argument it is about: the same with that `field`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRefusal {
    /// Of the catalogue.
    pub code: ErrorCode,
    /// The argument's name.
    pub field: &'static str,
}

impl From<FieldRefusal> for JsValue {
    fn from(FieldRefusal { code, field }: FieldRefusal) -> Self {
        error(&[("code", code.as_str()), ("field", field)])
    }
}

/// An `Error` with these properties; its message is the first one.
fn error(properties: &[(&str, &str)]) -> JsValue {
    let error = Error::new(properties.first().map_or("", |(_, code)| code));
    for (name, value) in properties {
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&error, &JsValue::from_str(name), &JsValue::from_str(value));
    }
    error.into()
}
