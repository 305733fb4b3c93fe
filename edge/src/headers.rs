//! Headers that do not depend on the route: CORS, security, caching, the request id.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL,
    CONTENT_LENGTH, DATE, ORIGIN, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use chrono::DateTime;
use mps_client::RequestId;

pub(crate) const X_REQUEST_ID: &str = "x-request-id";
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
pub(crate) const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";

const ALLOWED_METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const ALLOWED_HEADERS: &str = "authorization, content-type, idempotency-key, x-request-id";
const EXPOSED_HEADERS: &str =
    "age, date, idempotency-replayed, ratelimit, ratelimit-policy, retry-after, x-request-id";
const PREFLIGHT_SECONDS: &str = "600";

const CALLER_ID_CHARS_MAX: usize = 64;
const UUID_CHARS: usize = 36;
/// Hexadecimal may have more in a row than a phone's number has; a payment code has 24.
const DIGITS_IN_A_ROW_MAX: usize = 17;

/// A new id of a request, from 16 random bytes. It is always ours: a caller could put anything into one.
pub(crate) fn request_id(random_bytes: [u8; 16]) -> RequestId {
    let id = uuid::Builder::from_random_bytes(random_bytes).into_uuid().hyphenated().to_string();
    RequestId::parse(&id).unwrap_or_else(|_| unreachable!("a UUID is a request id"))
}

/// What the caller calls their request, for the log: kept apart from our id, and left out when it looks like anything else than a name.
pub(crate) fn caller_request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(X_REQUEST_ID)?.to_str().ok()?;
    is_name_of_a_request(text).then(|| text.to_owned())
}

/// A UUID; or letters, digits, `.`, `_` and `-`, neither mostly digits, as a payment code, a card's or a phone's number is, nor a token.
fn is_name_of_a_request(text: &str) -> bool {
    if text.len() == UUID_CHARS && uuid::Uuid::try_parse(text).is_ok() {
        return true;
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let letters_and_digits = || text.bytes().filter(u8::is_ascii_alphanumeric);
    let mut longest = 0;
    let mut run = 0;
    for byte in letters_and_digits() {
        run = if byte.is_ascii_digit() { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    (1..=CALLER_ID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(is_plain)
        && letters_and_digits().any(|byte| byte.is_ascii_alphabetic())
        && longest <= DIGITS_IN_A_ROW_MAX
        && !["eyJ", "sb_", "sk_"].iter().any(|begin| text.starts_with(begin))
}

/// The length of the body, where it is told ahead.
pub(crate) fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether it repeats an earlier answer.
pub(crate) fn is_replayed(response: &Response) -> bool {
    response.headers().contains_key(IDEMPOTENCY_REPLAYED)
}

/// The `Origin` of the request when its pages may read our answers.
pub(crate) fn allowed_origin(request: &Request, allowed: &[String]) -> Option<HeaderValue> {
    let origin = request.headers().get(ORIGIN)?;
    allowed.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// A browser asking whether it may ask (Fetch, "CORS-preflight").
pub(crate) fn is_preflight(request: &Request) -> bool {
    let has = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && has(ORIGIN) && has(ACCESS_CONTROL_REQUEST_METHOD)
}

/// What we would allow; whether this origin is among them says [`finish`].
pub(crate) fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(ALLOWED_METHODS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_SECONDS));
    response
}

/// A moment since 1970 as HTTP has it (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(now: Duration) -> Option<HeaderValue> {
    let moment = DateTime::from_timestamp(now.as_secs().try_into().ok()?, 0)?;
    HeaderValue::from_str(&moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

/// Puts on every response what every response carries.
pub(crate) fn finish(
    response: &mut Response,
    request_id: &RequestId,
    is_api: bool,
    allowed_origin: Option<HeaderValue>,
    now: Duration,
) {
    let headers = response.headers_mut();
    // workerd sends none by itself; phones correct the clock of their offline codes by it.
    if let Some(date) = date(now) {
        headers.insert(DATE, date);
    }
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if is_api {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(origin) = allowed_origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    } else {
        headers.remove(ACCESS_CONTROL_ALLOW_METHODS);
        headers.remove(ACCESS_CONTROL_ALLOW_HEADERS);
        headers.remove(ACCESS_CONTROL_MAX_AGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_s_name_of_a_request_is_kept_and_what_may_be_a_secret_is_not() {
        for name in
            ["till-7.42", "0193b5a0-0000-7000-8000-00000000000a", "A", "4bf92f3577b34da6a3ce929d0e0e4736"]
        {
            assert!(is_name_of_a_request(name), "{name}");
        }
        for other in [
            "701234567890123456789017",
            "70123456-78901234-56789017",
            "x701234567890123456789017",
            "7012.3456.7890.1234.5678.9017-a",
            "886912345678",
            "+886912345678",
            "a@b.example",
            "eyJhbGciOiJIUzI1NiJ9.e30.x",
            "sb_secret_y",
            "a b",
            "a/b",
            "",
            &"a".repeat(65),
        ] {
            assert!(!is_name_of_a_request(other), "{other}");
        }
    }

    #[test]
    fn a_date_is_written_as_http_has_it() {
        // The example of RFC 9110, 5.6.7.
        let date = date(Duration::from_secs(784_111_777));
        assert_eq!(date, Some(HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT")));
        assert_eq!(super::date(Duration::from_secs(u64::MAX)), None);
    }
}
