//! The body of a request: JSON of at most 64 KiB.

use std::fmt;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mps_core::ErrorCode;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_path_to_error::Path;

use super::{bounded, code_in, field_named_in};
use crate::headers::announced_length;
use crate::problem::Failure;

const BODY_BYTES_MAX: usize = 64 * 1024;

/// The body, and `{}` for none at all: not every POST has something to say.
pub(super) async fn read(parts: &Parts, body: Body) -> Result<Vec<u8>, Failure> {
    if announced_length(&parts.headers).is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    if !is_plain(&parts.headers) {
        return Err(ErrorCode::UnsupportedMediaType.into());
    }
    if is_json(&parts.headers) {
        return read_body(body).await;
    }
    let bytes = if parts.headers.contains_key(CONTENT_TYPE) { None } else { Some(read_body(body).await?) };
    match bytes {
        Some(bytes) if bytes.is_empty() => Ok(b"{}".to_vec()),
        _ => Err(ErrorCode::UnsupportedMediaType.into()),
    }
}

/// An object of which each field's value is its own text.
struct Object(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The object with more fields; one that it has too is then there twice, which is refused.
pub(crate) fn with_fields(fields: &[(&str, &str)], object: Vec<u8>) -> Result<Vec<u8>, Failure> {
    if fields.is_empty() {
        return Ok(object);
    }
    let Object(mut all) = serde_json::from_slice(&object).map_err(|_| malformed(""))?;
    for (name, value) in fields {
        let value = serde_json::value::to_raw_value(value).map_err(|_| ErrorCode::Internal)?;
        all.push(((*name).to_owned(), value));
    }
    serde_json::to_vec(&Object(all)).map_err(|_| ErrorCode::Internal.into())
}

/// JSON is UTF-8 (RFC 8259, 8.1), and comes as it is.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    let is_utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) && parts.all(is_utf8)
}

fn is_plain(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn too_large() -> Failure {
    Failure::with_param(ErrorCode::BodyTooLarge, "bytes_max", BODY_BYTES_MAX)
}

pub(crate) async fn read_body(body: Body) -> Result<Vec<u8>, Failure> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(ErrorCode::MalformedBody.into()),
    }
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    if has_nul(bytes) {
        return Err(malformed(""));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| misread_json(error.path(), &error.inner().to_string()))?;
    deserializer.end().map_err(|_| malformed(""))?;
    Ok(value)
}

fn misread_json(path: &Path, message: &str) -> Failure {
    let path = path.to_string();
    match code_in(message) {
        Some(code) => Failure::with_param(code, "field", bounded(&path)),
        None => malformed(&field_named_in(message).unwrap_or(path)),
    }
}

/// Whether a text in it has the character that PostgreSQL cannot keep: `\u0000`, its backslash not escaped itself.
fn has_nul(json: &[u8]) -> bool {
    let escape = b"\\u0000";
    let places = json.windows(escape.len()).enumerate().filter(|(_, window)| window == escape);
    places
        .map(|(place, _)| json[..place].iter().rev().take_while(|byte| **byte == b'\\').count())
        .any(|before| before % 2 == 0)
}

fn malformed(field: &str) -> Failure {
    let field = bounded(field);
    if field.is_empty() || field == "." || field == "?" {
        return ErrorCode::MalformedBody.into();
    }
    Failure::with_param(ErrorCode::MalformedBody, "field", field)
}
