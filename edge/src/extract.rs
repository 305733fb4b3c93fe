//! What handlers take from a request: the caller, the body, the idempotency key. Nothing is trusted before it went through here.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mps_client::{CallContext, RequestId};
use mps_core::{ErrorCode, IdempotencyKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::app::App;
use crate::headers::IDEMPOTENCY_KEY;
use crate::limits::Standings;
use crate::problem::Failure;

const BODY_BYTES_MAX: usize = 64 * 1024;
const FIELD_CHARS_MAX: usize = 64;

/// The request's id, put there before routing.
pub(crate) fn request_id(parts: &Parts) -> Result<RequestId, Failure> {
    parts.extensions.get::<RequestId>().cloned().ok_or_else(|| ErrorCode::Internal.into())
}

/// A signed-in user's request; refused before anything else is looked at.
pub(crate) struct Authenticated(pub(crate) CallContext);

impl FromRequestParts<App> for Authenticated {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else {
            return Err(ErrorCode::NotAuthenticated.into());
        };
        // What is no bearer token is verified, and refused, like a wrong one.
        let token = header.to_str().ok().and_then(bearer_token).unwrap_or_default();
        let standings = parts.extensions.get::<Standings>().cloned().unwrap_or_default();
        let Ok(verified) = app.verify_token(token) else {
            // A wrong token is as good as none, and costs more to look at.
            app.limits().admit_address(&parts.headers, &standings).await?;
            return Err(Failure::invalid_token());
        };
        app.limits().admit_user(verified.subject(), parts.uri.path(), &standings).await?;
        Ok(Self(CallContext { caller: verified.into_caller(), request_id: request_id(parts)? }))
    }
}

/// The scheme's name is case-insensitive (RFC 9110, 11.1).
pub(crate) fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

/// The `Idempotency-Key` as it came. A fault of the body goes first, so that it is looked at in [`KeyHeader::required`].
pub(crate) struct KeyHeader(Result<IdempotencyKey, ErrorCode>);

impl KeyHeader {
    pub(crate) fn required(self) -> Result<IdempotencyKey, Failure> {
        self.0.map_err(Failure::from)
    }

    fn read(headers: &HeaderMap) -> Result<IdempotencyKey, ErrorCode> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let value = values.next().ok_or(ErrorCode::IdempotencyKeyRequired)?;
        let text = value.to_str().map_err(|_| ErrorCode::IdempotencyKeyInvalid)?;
        if values.next().is_some() {
            return Err(ErrorCode::IdempotencyKeyInvalid);
        }
        IdempotencyKey::parse(text)
    }
}

impl<S: Sync> FromRequestParts<S> for KeyHeader {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self(Self::read(&parts.headers)))
    }
}

/// A JSON object of at most 64 KiB with the fields of `T` and no others.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        if announced_length(&parts.headers).is_some_and(|length| length > BODY_BYTES_MAX) {
            return Err(too_large());
        }
        if !is_json(&parts.headers) {
            return Err(ErrorCode::UnsupportedMediaType.into());
        }
        let bytes = read_body(body).await?;
        parse_json(&bytes).map(Self)
    }
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn too_large() -> Failure {
    Failure::with_param(ErrorCode::BodyTooLarge, "bytes_max", BODY_BYTES_MAX)
}

async fn read_body(body: Body) -> Result<Vec<u8>, Failure> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(ErrorCode::MalformedBody.into()),
    }
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        malformed(&field_named_in(&error.into_inner().to_string()).unwrap_or(path))
    })?;
    deserializer.end().map_err(|_| malformed(""))?;
    Ok(value)
}

/// serde names a field that is missing or doubled in its message only; the path then ends at its parent.
fn field_named_in(message: &str) -> Option<String> {
    let phrases = ["missing field `", "duplicate field `"];
    let rest = phrases.iter().find_map(|phrase| message.strip_prefix(phrase))?;
    rest.split('`').next().map(str::to_owned)
}

fn malformed(field: &str) -> Failure {
    let field: String = field.chars().take(FIELD_CHARS_MAX).collect();
    if field.is_empty() || field == "." || field == "?" {
        return ErrorCode::MalformedBody.into();
    }
    Failure::with_param(ErrorCode::MalformedBody, "field", field)
}

/// An amount as it was written: a JSON string's contents or a JSON number's own text. What it must be says the core.
pub(crate) struct AmountText(pub(crate) String);

impl<'de> Deserialize<'de> for AmountText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        if text.starts_with('"') {
            return serde_json::from_str(text).map(Self).map_err(serde::de::Error::custom);
        }
        if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        Err(serde::de::Error::custom("an amount is a string or a number"))
    }
}

/// An argument that a type of the core or the client refused: the failure names its field where the code may carry one.
pub(crate) fn argument<T>(field: &str, parsed: Result<T, ErrorCode>) -> Result<T, Failure> {
    parsed.map_err(|code| Failure::with_param(code, "field", field))
}
