//! Requests and responses, the host's as ours and ours as the host's. Each call to the host costs more than what we do in between: headers
//! cross as one text, and a body as one piece where its length is known.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use futures_util::stream;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use worker::js_sys::futures::JsFuture;
use worker::js_sys::{Array, JSON, Promise, Uint8Array};
use worker::send::SendFuture;
use worker::wasm_bindgen::JsValue;
use worker::{Error, Result, web_sys};

use crate::app::Malformed;
use crate::headers::announced_length;

/// What is longer comes in pieces, so that whoever reads it can stop.
const WHOLE_BYTES_MAX: usize = 64 * 1024;

/// The request of an event; the host lets through what HTTP does not allow.
pub(crate) fn request(raw: web_sys::Request) -> std::result::Result<Request<Body>, Malformed> {
    let headers = headers(&raw.headers()).map_err(|_| Malformed("headers"))?;
    let mut request = Request::new(Body::empty());
    *request.method_mut() = raw.method().parse().map_err(|_| Malformed("method"))?;
    *request.uri_mut() = raw.url().parse().map_err(|_| Malformed("url"))?;
    *request.body_mut() = body(raw, request.method(), &headers);
    *request.headers_mut() = headers;
    Ok(request)
}

fn body(raw: web_sys::Request, method: &Method, headers: &HeaderMap) -> Body {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Body::empty();
    }
    match announced_length(headers) {
        Some(0) => Body::empty(),
        Some(1..=WHOLE_BYTES_MAX) => {
            let work = async move { whole(raw.array_buffer()).await.map(Bytes::from).map_err(|_| BROKE_OFF) };
            Body::from_stream(stream::once(SendFuture::new(work)))
        }
        _ => raw.body().map_or_else(Body::empty, |stream| Body::new(worker::Body::new(stream))),
    }
}

const BROKE_OFF: &str = "the body broke off";

/// The response to an event. None of ours is endless.
pub(crate) async fn response(response: Response<Body>) -> Result<web_sys::Response> {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map_err(|error| Error::RustError(error.to_string()))?.to_bytes();
    let init = web_sys::ResponseInit::new();
    init.set_status(parts.status.as_u16());
    init.set_headers(&host_headers(&parts.headers)?);
    // The statuses that may have no body take not even an empty one.
    let body = (!bytes.is_empty()).then(|| Uint8Array::from(&*bytes));
    Ok(web_sys::Response::new_with_opt_js_u8_array_and_init(body.as_ref(), &init)?)
}

/// The body of an answer from elsewhere; `None` when it is too long, and then the rest of it is not read.
pub(super) async fn read(answer: &web_sys::Response, bytes_max: usize) -> Result<Option<Vec<u8>>> {
    let headers = answer.headers();
    let announced = headers.get(CONTENT_LENGTH.as_str())?;
    match announced.and_then(|length| length.parse::<usize>().ok()) {
        Some(length) if length > bytes_max => Ok(None),
        // Packed, it may unfold to more than was announced.
        Some(_) if headers.get(CONTENT_ENCODING.as_str())?.is_none() => {
            whole(answer.array_buffer()).await.map(Some)
        }
        _ => match answer.body() {
            Some(stream) => pieces(worker::Body::new(stream), bytes_max).await,
            None => Ok(Some(Vec::new())),
        },
    }
}

async fn pieces(body: worker::Body, bytes_max: usize) -> Result<Option<Vec<u8>>> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(Some(collected.to_bytes().to_vec())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(_) => Err(BROKE_OFF.into()),
    }
}

/// A body to its end.
async fn whole(body: std::result::Result<Promise, JsValue>) -> Result<Vec<u8>> {
    Ok(Uint8Array::new(&JsFuture::from(body?).await?).to_vec())
}

/// The host's headers as ours. What is beyond ASCII passes: nobody reads it.
pub(super) fn headers(headers: &web_sys::Headers) -> Result<HeaderMap> {
    let text = String::from(JSON::stringify(&Array::from(headers))?);
    let pairs: Vec<(String, String)> = serde_json::from_str(&text)?;
    let parsed = pairs.iter().map(|(name, value)| -> Result<_> {
        Ok((HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_bytes(value.as_bytes())?))
    });
    parsed.collect()
}

/// Our headers as the host takes them with a request or a response: an object, which it reads quicker than pairs. Several of one name are
/// one list (RFC 9110, 5.3); of the one name that must not be joined, `Set-Cookie`, we have none.
pub(super) fn host_headers(headers: &HeaderMap) -> Result<JsValue> {
    let mut fields: BTreeMap<&str, Cow<'_, str>> = BTreeMap::new();
    for (name, value) in headers {
        let value = std::str::from_utf8(value.as_bytes())?;
        fields
            .entry(name.as_str())
            .and_modify(|list| *list = Cow::Owned(format!("{list}, {value}")))
            .or_insert(Cow::Borrowed(value));
    }
    Ok(JSON::parse(&serde_json::to_string(&fields)?)?)
}
