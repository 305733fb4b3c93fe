//! What handlers take from a request: the caller, the input, the idempotency key. Nothing is trusted before it went through here.

mod json;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use mps_client::{CallContext, RequestId};
use mps_core::{ErrorCode, IdempotencyKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_path_to_error::Path;

pub(crate) use self::json::{read_body, with_fields};
use crate::api::Way;
use crate::app::App;
use crate::auth::NotVerified;
use crate::headers::IDEMPOTENCY_KEY;
use crate::limits::{Place, Standings};
use crate::problem::Failure;
use crate::telemetry;

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
    /// Kept until the answer is there.
    pub(crate) place: Place,
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
        let may_compute = app.limits().may_compute(&parts.headers);
        let verified = match app.verify_token(token, may_compute).await {
            Ok(verified) => verified,
            Err(reason) => return Err(refuse_token(app, &parts.headers, reason, &standings)),
        };
        let place = app.limits().admit_user(verified.subject(), parts.uri.path(), &standings)?;
        let subject = verified.subject().to_owned();
        let context = CallContext { caller: verified.into_caller(), request_id: request_id(parts)? };
        Ok(Self { context, subject, place })
    }
}

/// What is answered to a token that is not let in, and whom it counts for.
fn refuse_token(app: &App, headers: &HeaderMap, reason: NotVerified, standings: &Standings) -> Failure {
    let limits = app.limits();
    let (admitted, failure) = match reason {
        // Whose it was is certain: it is theirs that it counts for, and they are told to renew it.
        NotVerified::Expired { subject } => {
            (limits.admit_expired(&subject, standings), Failure::invalid_token())
        }
        // A wrong token is as good as none.
        NotVerified::Refused => (limits.admit_address(headers, standings), Failure::invalid_token()),
        NotVerified::Forged => {
            limits.count_forgery(headers);
            (limits.admit_address(headers, standings), Failure::invalid_token())
        }
        NotVerified::NotComputed => {
            let admitted = limits.admit_address(headers, standings);
            (admitted, Failure::with_param(ErrorCode::RateLimited, "retry_after_seconds", 1))
        }
        NotVerified::KeysUnavailable(keys) => {
            (limits.admit_address(headers, standings), Failure::unavailable_for(keys.retry_after_seconds))
        }
    };
    admitted.err().unwrap_or(failure)
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
        // Hosts join two header lines with a comma (RFC 9110, 5.3), so that a bare comma may be a second key.
        let may_be_two = values.next().is_some() || (!text.starts_with('"') && text.contains(','));
        if may_be_two {
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
        let parsed = json::parse(&self.text);
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
    let bytes = json::read(parts, body).await?;
    if !way.is_keyed() {
        return Ok(RawInput { text: with_fields(&given, bytes)?, key_failure: None });
    }
    *merchant_code = merchant_named_in(&bytes);
    let key = KeyHeader::read(&parts.headers);
    if let Ok(key) = &key {
        given.push(("idempotency_key", key.as_str()));
    }
    Ok(RawInput { text: with_fields(&given, bytes)?, key_failure: key.err() })
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
        mps_client::argument::amount_schema(mps_client::argument::PLAIN_AMOUNT, false)
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
