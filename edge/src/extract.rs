//! What handlers take from a request: the caller, the body, the idempotency key. Nothing is trusted before it went through here.

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mps_client::{CallContext, RequestId};
use mps_core::{ErrorCode, IdempotencyKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use serde_path_to_error::Path;

use crate::api::Way;
use crate::app::App;
use crate::auth::NotVerified;
use crate::headers::{IDEMPOTENCY_KEY, announced_length};
use crate::limits::Standings;
use crate::problem::Failure;
use crate::telemetry;

const BODY_BYTES_MAX: usize = 64 * 1024;
const FIELD_CHARS_MAX: usize = 64;

/// The request's id, put there before routing.
pub(crate) fn request_id(parts: &Parts) -> Result<RequestId, Failure> {
    parts.extensions.get::<RequestId>().cloned().ok_or_else(|| ErrorCode::Internal.into())
}

/// A signed-in user's request; refused before anything else is looked at.
pub(crate) struct Authenticated {
    pub(crate) context: CallContext,
    /// The user's id.
    pub(crate) subject: String,
}

impl FromRequestParts<App> for Authenticated {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else {
            return Err(ErrorCode::NotAuthenticated.into());
        };
        // What is no bearer token is verified, and refused, like a wrong one.
        let token = header.to_str().ok().and_then(bearer_token).unwrap_or_default();
        let standings = parts.extensions.get::<Standings>().cloned().unwrap_or_default();
        let verified = match app.verify_token(token).await {
            Ok(verified) => verified,
            Err(reason) => {
                // A wrong token is as good as none, and costs more to look at.
                app.limits().admit_address(&parts.headers, &standings).await?;
                return Err(match reason {
                    NotVerified::Refused => Failure::invalid_token(),
                    NotVerified::KeysUnavailable => ErrorCode::Unavailable.into(),
                });
            }
        };
        app.limits().admit_user(verified.subject(), parts.uri.path(), &standings).await?;
        let subject = verified.subject().to_owned();
        let context = CallContext { caller: verified.into_caller(), request_id: request_id(parts)? };
        Ok(Self { context, subject })
    }
}

/// The scheme's name is case-insensitive (RFC 9110, 11.1).
pub(crate) fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

/// The `Idempotency-Key` header.
pub(crate) struct KeyHeader;

impl KeyHeader {
    pub(crate) fn read(headers: &HeaderMap) -> Result<IdempotencyKey, ErrorCode> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let value = values.next().ok_or(ErrorCode::IdempotencyKeyRequired)?;
        let text = value.to_str().map_err(|_| ErrorCode::IdempotencyKeyInvalid)?;
        if values.next().is_some() {
            return Err(ErrorCode::IdempotencyKeyInvalid);
        }
        IdempotencyKey::parse(text)
    }
}

/// The input of a route before its type is known: the names in its path, and its query or its JSON body of at most 64 KiB.
pub(crate) struct RawInput {
    /// A query, or a JSON object.
    pub(crate) text: Vec<u8>,
    pub(crate) key_failure: Option<ErrorCode>,
}

/// How a route reads its input.
pub(crate) type Parse<T> = fn(&RawInput) -> Result<T, Failure>;

impl RawInput {
    /// Of a route without a body; no field is unknown or given twice.
    pub(crate) fn parse_query<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(&self.text));
        serde_path_to_error::deserialize(deserializer)
            .map_err(|error| misread_query(error.path(), &error.inner().to_string()))
    }

    /// Of a route with one. A body that is none goes before a missing key, a missing key before a value that its type refuses.
    pub(crate) fn parse_json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let parsed = parse_json(&self.text);
        match (parsed, self.key_failure) {
            (Err(failure), _) if failure.code() == ErrorCode::MalformedBody => Err(failure),
            (_, Some(code)) => Err(code.into()),
            (parsed, None) => parsed,
        }
    }
}

/// Reads it. `merchant_code` becomes the merchant that a request for money names, whatever else is wrong with it.
pub(crate) async fn read_input(
    parts: &mut Parts,
    body: Body,
    way: Way,
    merchant_code: &mut Option<String>,
) -> Result<RawInput, Failure> {
    let in_path = RawPathParams::from_request_parts(parts, &()).await;
    let in_path = in_path.map_err(|_| Failure::from(ErrorCode::MalformedArgument))?;
    let mut given: Vec<(&str, &str)> = in_path.iter().collect();
    if !way.has_body() {
        let text = query_with(&given, parts.uri.query().unwrap_or_default())?;
        return Ok(RawInput { text, key_failure: None });
    }
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(unknown_query(parts.uri.query().unwrap_or_default()));
    }
    let bytes = read_json(parts, body).await?;
    if !way.is_keyed() {
        return Ok(RawInput { text: with_fields(&given, bytes), key_failure: None });
    }
    *merchant_code = merchant_named_in(&bytes);
    let key = KeyHeader::read(&parts.headers);
    if let Ok(key) = &key {
        given.push(("idempotency_key", key.as_str()));
    }
    Ok(RawInput { text: with_fields(&given, bytes), key_failure: key.err() })
}

/// Only what looks like a merchant's code.
pub(crate) fn merchant_named_in(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        merchant_code: String,
    }
    let named: Named = serde_json::from_slice(json).ok()?;
    Some(named.merchant_code).filter(|code| telemetry::is_name(code))
}

/// A route with a body has nothing in its query.
fn unknown_query(query: &str) -> Failure {
    let name = query.split(['=', '&']).next().unwrap_or_default();
    Failure::with_param(ErrorCode::MalformedArgument, "field", bounded(name))
}

fn bounded(field: &str) -> String {
    field.chars().take(FIELD_CHARS_MAX).collect()
}

/// The names in the path and the query, as one query.
pub(crate) fn query_with(in_path: &[(&str, &str)], query: &str) -> Result<Vec<u8>, Failure> {
    let nul = in_path.iter().find(|(_, value)| value.contains('\0')).map(|(name, _)| (*name).to_owned());
    let nul = nul.or_else(|| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(_, value)| value.contains('\0')).map(|(name, _)| name.into_owned())
    });
    if let Some(field) = nul {
        return Err(Failure::with_param(ErrorCode::MalformedArgument, "field", bounded(&field)));
    }
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(in_path);
    pairs.extend_pairs(form_urlencoded::parse(query.as_bytes()));
    Ok(pairs.finish().into_bytes())
}

fn misread_query(path: &Path, message: &str) -> Failure {
    let field = field_named_in(message).unwrap_or_else(|| path.to_string());
    Failure::with_param(code_in(message).unwrap_or(ErrorCode::MalformedArgument), "field", bounded(&field))
}

/// The body, and `{}` for none at all: not every POST has something to say.
async fn read_json(parts: &Parts, body: Body) -> Result<Vec<u8>, Failure> {
    if announced_length(&parts.headers).is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(too_large());
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

/// The object with more fields in front; a field that it has too is then there twice, which is refused.
pub(crate) fn with_fields(fields: &[(&str, &str)], object: Vec<u8>) -> Vec<u8> {
    let start = object.iter().position(|byte| !byte.is_ascii_whitespace());
    let Some(start) = start.filter(|start| object[*start] == b'{' && !fields.is_empty()) else {
        return object;
    };
    let rest = &object[start + 1..];
    let is_empty = rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'}');
    let mut text = b"{".to_vec();
    for (number, (name, value)) in fields.iter().enumerate() {
        let separator = if number == 0 { "" } else { "," };
        text.extend(format!("{separator}{}:{}", Value::from(*name), Value::from(*value)).bytes());
    }
    text.extend(if is_empty { &b""[..] } else { &b","[..] });
    text.extend(rest);
    text
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
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

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
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

/// A type that refuses a text does so with a code of the catalogue as its message.
fn code_in(message: &str) -> Option<ErrorCode> {
    message.split(' ').next()?.parse().ok()
}

/// serde names a field that is missing or doubled in its message only; the path then ends at its parent.
fn field_named_in(message: &str) -> Option<String> {
    let phrases = ["missing field `", "duplicate field `"];
    let rest = phrases.iter().find_map(|phrase| message.strip_prefix(phrase))?;
    rest.split('`').next().map(str::to_owned)
}

fn malformed(field: &str) -> Failure {
    let field = bounded(field);
    if field.is_empty() || field == "." || field == "?" {
        return ErrorCode::MalformedBody.into();
    }
    Failure::with_param(ErrorCode::MalformedBody, "field", field)
}

/// An amount as it was written: a JSON string's contents or a JSON number's own text. What it must be says the core.
pub(crate) struct AmountText(pub(crate) String);

#[cfg(test)]
impl schemars::JsonSchema for AmountText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AmountText".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,2})?$"})
    }
}

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
