//! Every refusal and every failure: what a handler returns, and THE ONE function that makes it an RFC 9457 document.

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mps_client::{Params, Refusal, RequestId, RpcError, UpstreamCode};
use mps_core::{ErrorCode, Retry};
use serde_json::{Value, json};

/// Why there is no answer. A handler returns it; the document is written when the response leaves.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    refusal: Refusal,
    upstream: Option<UpstreamCode>,
    challenge: &'static str,
    /// When asking again may help, where more is known than the status says.
    retry_after_seconds: Option<u64>,
    /// Whether what was asked for may be done, and would be done once more.
    may_be_done: bool,
}

/// What an answer of ours lacks passes soon; what the operator must enter does not.
const UNAVAILABLE_SECONDS: u64 = 1;
const NOT_CONFIGURED_SECONDS: u64 = 60;

/// In place of `same_key` where there is no key: it may be done, so look before it is sent again.
const CHECK_FIRST: &str = "check_first";

/// RFC 6750, 3: with a reason only when there was a token.
const CHALLENGE: &str = r#"Bearer realm="mps""#;
const CHALLENGE_INVALID_TOKEN: &str = r#"Bearer realm="mps", error="invalid_token""#;

impl Failure {
    /// A code with one of its params.
    pub(crate) fn with_param(code: ErrorCode, name: &str, value: impl Into<Value>) -> Self {
        Self::with_params(code, [(name, value)])
    }

    /// A code with those of `params` that the catalogue allows it.
    pub(crate) fn with_params<'a, V: Into<Value>>(
        code: ErrorCode,
        params: impl IntoIterator<Item = (&'a str, V)>,
    ) -> Self {
        let params: Params =
            params.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        Refusal::with_params(code, params).into()
    }

    /// There was an access token, and it is no good.
    pub(crate) fn invalid_token() -> Self {
        Self { challenge: CHALLENGE_INVALID_TOKEN, ..ErrorCode::NotAuthenticated.into() }
    }

    /// Asking again helps no sooner.
    pub(crate) fn unavailable_for(seconds: u64) -> Self {
        Self { retry_after_seconds: Some(seconds), ..ErrorCode::Unavailable.into() }
    }

    /// The same where there was an access token: who is not let in learns that it is the token.
    #[must_use]
    pub(crate) fn with_token(self) -> Self {
        Self { challenge: CHALLENGE_INVALID_TOKEN, ..self }
    }

    /// The same of a call that does its work as often as it is sent.
    #[must_use]
    pub(crate) fn of_what_may_be_done(self) -> Self {
        Self { may_be_done: true, ..self }
    }

    /// Whether asking again can help; of an outcome that nobody knows, what to do before.
    fn retry(&self) -> &'static str {
        match self.code().retry() {
            Retry::SameKey if self.may_be_done => CHECK_FIRST,
            retry => retry.as_str(),
        }
    }

    /// Of an answer that says when to ask again (RFC 9110, 10.2.3).
    fn retry_after_seconds(&self) -> Option<u64> {
        let told = self.refusal.params.get("retry_after_seconds").and_then(Value::as_u64);
        let by_status = match (self.code(), self.code().status()) {
            (ErrorCode::NotConfigured, _) => Some(NOT_CONFIGURED_SECONDS),
            (_, 503) => Some(UNAVAILABLE_SECONDS),
            _ => None,
        };
        self.retry_after_seconds.or(told).or(by_status)
    }

    /// Whatever kept the database from answering: whoever asks whether we are ready shall ask again.
    pub(crate) fn not_ready(error: &RpcError) -> Self {
        Self { upstream: error.upstream().cloned(), ..ErrorCode::Unavailable.into() }
    }

    pub(crate) fn code(&self) -> ErrorCode {
        self.refusal.code
    }

    /// What the answer carries besides its code.
    pub(crate) fn params(&self) -> &Params {
        &self.refusal.params
    }

    /// What the database's gateway called it; for logs.
    pub(crate) fn upstream(&self) -> Option<&UpstreamCode> {
        self.upstream.as_ref()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, upstream: None, challenge: CHALLENGE, retry_after_seconds: None, may_be_done: false }
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Refusal::bare(code).into()
    }
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        let (code, upstream) = (error.code(), error.upstream().cloned());
        let refusal = match error {
            RpcError::Refused(refusal) => refusal,
            RpcError::Contention(_) | RpcError::Unavailable(_) | RpcError::Drift(_) | RpcError::Bug(_) => {
                Refusal::bare(code)
            }
        };
        Self { upstream, ..refusal.into() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(self.code().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(self);
        response
    }
}

/// THE ONE function: a response that carries a [`Failure`] becomes its document; any other passes.
pub(crate) fn write_document(mut response: Response, request_id: &RequestId) -> Response {
    let Some(failure) = response.extensions().get::<Failure>().cloned() else { return response };
    let (code, retry, retry_after_seconds) = (failure.code(), failure.retry(), failure.retry_after_seconds());
    let is_key_cancelled = failure.refusal.is_key_cancelled;
    let mut params = failure.refusal.params;
    if let (ErrorCode::MethodNotAllowed, Some(allow)) = (code, response.headers().get(ALLOW)) {
        params.insert("allow".to_owned(), json!(allow.to_str().unwrap_or_default()));
    }
    let mut document = json!({
        "type": format!("urn:mps:error:{code}"),
        "title": code.title(),
        "status": code.status(),
        "code": code.as_str(),
        "retry": retry,
        "params": params,
        "instance": request_id.as_str(),
    });
    if is_key_cancelled {
        document["key_cancelled"] = json!(true);
    }
    *response.body_mut() = Body::from(document.to_string());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = retry_after_seconds {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if code == ErrorCode::NotAuthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(failure.challenge));
    }
    response
}
